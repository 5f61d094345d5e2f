//! `acorn eval`: perplexity on a text.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use acorn_core::KeepLogits;
use serde::Serialize;

use super::options::{Kv, threads_for};
use super::print;
use crate::error::Error;
use crate::evaluate::{Perplexity, perplexity};
use crate::model_file::ModelFile;
use crate::progress::Bar;
use crate::session::{self, Session};
use crate::text;

/// Measure the perplexity of a model on a text
///
/// The text is tokenized once; each window is the model's first token and the next CONTEXT - 1
/// tokens; the figures are means over all predicted tokens.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn eval stories.acorn --text tinystories.txt --context 256")]
pub(super) struct Args {
    /// The .acorn file
    file: PathBuf,
    /// The text, in UTF-8
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens per window
    #[arg(long, value_name = "N", default_value_t = 256)]
    context: u32,
    /// How keys and values are stored [default: int8; f32 for f32 models]
    #[arg(long, value_enum)]
    kv: Option<Kv>,
    /// Threads [default: all processors; one for models below 8 MiB]
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
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
    let started = Instant::now();
    let file = ModelFile::open(&args.file)?;
    let model = file.model()?;
    let bytes = fs::read(&args.text).map_err(Error::io(&args.text, "read it"))?;
    let content = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(&args.text, format!("byte {at} is not UTF-8: convert the text first"))
    })?;
    let tokens = text::encode(&args.file, &model, &content, false)?;
    if args.context < 2 {
        return Err(Error::Usage { problem: "--context must be at least 2".into() });
    }
    let options = session::Options {
        context: args.context,
        batch: session::BATCH,
        kv: args.kv.map(Into::into),
        threads: args.threads.unwrap_or_else(|| threads_for(file.len())),
        logits: KeepLogits::All,
    };
    let mut session = Session::new(&file, model, &options)?;
    let mut engine = session.engine()?;
    let bos = text::bos(&model);
    let batch = session::BATCH as usize;
    let perplexity = perplexity(&mut engine, batch, bos, &tokens, &Bar::default())
        .map_err(|error| Error::input(&args.text, error.to_string()))?;
    if perplexity.tokens == 0 {
        return Err(Error::input(&args.text, "too short: no token can be predicted"));
    }
    let seconds = started.elapsed().as_secs_f64();
    let figures = Figures { perplexity, context: args.context, seconds };
    if args.json {
        return print::json(&figures);
    }
    let Perplexity { nll, ppl, tokens } = perplexity;
    print::text(&format!("perplexity {ppl:.4}, nll {nll:.5} over {tokens} tokens ({seconds:.1} s)"))
}
