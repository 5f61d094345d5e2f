//! `acorn eval`: perplexity on a text, or exact match on pairs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use acorn_core::KeepLogits;
use serde::Serialize;

use super::options::{Kv, Memory, Threads};
use super::print;
use crate::error::Error;
use crate::evaluate::{Comparison, Perplexity, compare, perplexity};
use crate::opened::Opened;
use crate::pairs::{ExactMatch, Pair, exact_match};
use crate::progress::Bar;
use crate::session::{self, Session};
use crate::source;
use crate::text;

/// Measure how good a model is: perplexity on a text, or exact match on pairs
///
/// The text is tokenized once; each window is the model's first token and the next CONTEXT - 1
/// tokens; the figures are means over all predicted tokens. Pairs are lines of JSON with the fields
/// "text" and "json"; an answer counts when it is equal to the last character.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  acorn eval stories.q4.acorn --text tinystories.txt --against stories.f32.acorn"
)]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// The text, in UTF-8
    #[arg(long, value_name = "FILE", required_unless_present = "pairs", conflicts_with = "pairs")]
    text: Option<PathBuf>,
    /// The original, to say how far the answers to --text are from its answers
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pairs", "max_memory"])]
    against: Option<PathBuf>,
    /// Prompts and right answers, a JSON object per line
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Tokens per window
    #[arg(long, value_name = "N", default_value_t = 256)]
    context: u32,
    /// How keys and values are stored [default: int8; f32 for f32 models]
    #[arg(long, value_enum)]
    kv: Option<Kv>,
    /// Threads; auto: all processors [default: auto; 1 for models below 8 MiB]
    #[arg(long, value_name = "N|auto")]
    threads: Option<Threads>,
    #[command(flatten)]
    memory: Memory,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    perplexity: Perplexity,
    context: u32,
    seconds: f64,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    if args.context < 2 {
        return Err(Error::Usage { problem: "--context must be at least 2".into() });
    }
    let file = source::open_to_run(&args.file, args.memory.max_memory, &Bar::default())?;
    match (&args.text, &args.pairs) {
        (Some(text), _) => score(args, &file, text),
        (None, Some(pairs)) => answer(args, &file, pairs),
        (None, None) => Err(Error::Usage { problem: "give --text or --pairs".into() }),
    }
}

fn options(args: &Args, file: &Opened, logits: KeepLogits) -> session::Options {
    session::Options {
        context: args.context,
        batch: session::BATCH_OF_LOGITS,
        kv: args.kv.map(Into::into),
        threads: args.threads.unwrap_or_else(|| Threads::for_file(file.len())).most(),
        logits,
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io(path, "read it"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(path, format!("byte {at} is not UTF-8: convert the text first"))
    })
}

fn score(args: &Args, file: &Opened, path: &Path) -> Result<(), Error> {
    let started = Instant::now();
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let tokens = text::encode(file.path(), &model, &read(path)?, false)?;
    let mut session = Session::new(file, model, &options(args, file, KeepLogits::All))?;
    let (bos, batch) = (text::bos(&model), session.plan().batch());
    if let Some(reference) = &args.against {
        let reference = source::open_to_run(reference, None, &Bar::default())?;
        if let Some(file) = reference.mapped() {
            file.verify(&Bar::default())?;
        }
        return against(args, (&mut session, bos), &reference, (path, &tokens));
    }
    let perplexity = perplexity(&mut session.engine()?, batch, bos, &tokens, &Bar::default())
        .map_err(|error| Error::engine(path, error))?;
    if perplexity.tokens == 0 {
        return Err(Error::input(path, "too short: no token can be predicted"));
    }
    let seconds = started.elapsed().as_secs_f64();
    let figures = Figures { perplexity, context: args.context, seconds };
    if args.json {
        return print::json(&figures);
    }
    let Perplexity { nll, ppl, tokens } = perplexity;
    print::text(&format!("perplexity {ppl:.4}, nll {nll:.5} over {tokens} tokens ({seconds:.1} s)"))
}

/// Prints how far the session's model is from the one in `reference`.
fn against(
    args: &Args,
    (session, bos): (&mut Session<'_>, Option<u32>),
    reference: &Opened,
    (path, tokens): (&Path, &[u32]),
) -> Result<(), Error> {
    let mut resident = Vec::new();
    let model = reference.model(&mut resident)?;
    // Its own default cache: the original's are floats.
    let options = session::Options { kv: None, ..options(args, reference, KeepLogits::All) };
    let mut other = Session::new(reference, model, &options)?;
    let batch = session.plan().batch();
    let (mut engine, mut other) = (session.engine()?, other.engine()?);
    let figures = compare(&mut engine, &mut other, batch, bos, tokens, &Bar::default())
        .map_err(|error| Error::engine(path, error))?;
    if figures.tokens == 0 {
        return Err(Error::input(path, "too short: no token can be predicted"));
    }
    if args.json {
        return print::json(&figures);
    }
    let Comparison { ppl, ppl_change_percent, kl, same_top_percent, tokens, .. } = figures;
    print::text(&format!(
        "perplexity {ppl:.4} ({ppl_change_percent:+.3} %), KL {kl:.5}, \
         same likeliest token {same_top_percent:.2} % over {tokens} tokens"
    ))
}

/// Misses that are shown to a person.
const SHOWN: usize = 10;

fn answer(args: &Args, file: &Opened, path: &Path) -> Result<(), Error> {
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let tokenizer = text::tokenizer(file.path(), &model)?;
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(read(path)?.lines()) {
        let pair: Pair = serde_json::from_str(line).map_err(|error| {
            let problem = format!("line {number}: {error}: expected {{\"text\":…,\"json\":…}}");
            Error::input(path, problem)
        })?;
        let prompt = text::encode(file.path(), &model, &pair.text, true)?;
        pairs.push((pair, prompt));
    }
    let mut session = Session::new(file, model, &options(args, file, KeepLogits::Last))?;
    let result = exact_match(&mut session.engine()?, tokenizer, &pairs, &Bar::default())
        .map_err(|(index, error)| Error::input(path, format!("line {}: {error}", index + 1)))?;
    if args.json {
        return print::json(&result);
    }
    for miss in result.misses.iter().take(SHOWN) {
        let (text, found) = (print::harmless(&miss.text), print::harmless(&miss.found));
        print::text(&format!(
            "{text}\n  expected {}\n  found    {found}",
            print::harmless(&miss.expected)
        ))?;
    }
    let ExactMatch { pairs, exact, percent, .. } = result;
    print::text(&format!("exact match {percent:.2} % ({exact} of {pairs})"))
}
