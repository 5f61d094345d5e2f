//! `acorn logits`: the numbers themselves, for comparing with a reference, and their hash, for comparing
//! machines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use acorn_core::fingerprint::{self, Hash};
use acorn_core::{Engine, KeepLogits};
use serde::Serialize;

use super::options::{Kv, Memory, Threads, tokens};
use super::print;
use crate::error::Error;
use crate::npy;
use crate::progress::Bar;
use crate::session::{self, Session};
use crate::source;

/// Hash the logits after each token, and write them as a NumPy array
///
/// The hash is over every bit of them: it is the same on every machine, with any kernel, --threads and
/// --batch. The array is float32, [positions, vocab_size], one row per token fed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  acorn logits home --random 1000\n  acorn logits stories.acorn --tokens 1,403,407 --out logits.npy"
)]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// The tokens to feed
    #[arg(long, value_name = "1,2,3", required_unless_present = "random")]
    tokens: Option<String>,
    /// Feed N tokens that are drawn at random, the same ones on every machine
    #[arg(long, value_name = "N", conflicts_with = "tokens",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    random: Option<u32>,
    /// The .npy file to write
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Positions in the KV cache; when they are full, it starts anew [default: what the tokens need, with
    /// --random at most the model's]
    #[arg(long, value_name = "N")]
    context: Option<u32>,
    /// How keys and values are stored [default: int8; f32 for f32 models]
    #[arg(long, value_enum)]
    kv: Option<Kv>,
    /// Tokens per pass
    #[arg(long, value_name = "N", default_value_t = session::BATCH_OF_LOGITS)]
    batch: u32,
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
struct Summary {
    /// The array written.
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
    positions: usize,
    vocab_size: usize,
    /// FNV-1a, 64 bits in hexadecimal.
    hash: String,
    context: usize,
    threads: u32,
    kernel: &'static str,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let given = args.tokens.as_deref().map(tokens).transpose();
    let given = given.map_err(|problem| Error::Usage { problem })?;
    let file = source::open_to_run(&args.file, args.memory.max_memory, &Bar::default())?;
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let recipe = model.recipe();
    let vocab_size = recipe.vocab_size as usize;
    let (tokens, most) = match given {
        Some(tokens) => (tokens, u32::MAX),
        None => {
            let count = args.random.unwrap_or_default() as usize;
            (fingerprint::tokens(recipe.vocab_size).take(count).collect(), recipe.context)
        }
    };
    let needed = u32::try_from(tokens.len()).unwrap_or(u32::MAX).min(most);
    let options = session::Options {
        context: args.context.unwrap_or(needed),
        batch: args.batch,
        kv: args.kv.map(Into::into),
        threads: args.threads.unwrap_or_else(|| Threads::for_file(file.len())).most(),
        logits: KeepLogits::All,
    };
    let mut session = Session::new(&file, model, &options)?;
    let batch = session.plan().batch();
    let mut engine = session.engine()?;
    let mut array = match &args.out {
        Some(path) => Some(Array::create(path, tokens.len(), vocab_size)?),
        None => None,
    };
    let mut hash = Hash::default();
    feed(&mut engine, &args.file, &tokens, batch, |row| {
        hash.add(row);
        array.as_mut().map_or(Ok(()), |array| array.write(row))
    })?;
    if let Some(array) = array {
        array.finish()?;
    }
    let summary = Summary {
        out: args.out.as_ref().map(|path| path.display().to_string()),
        positions: tokens.len(),
        vocab_size,
        hash: format!("{:016x}", hash.value()),
        context: engine.context(),
        threads: options.threads,
        kernel: engine.kernel(),
    };
    if args.json { print::json(&summary) } else { print::text(&describe(&summary)) }
}

fn describe(summary: &Summary) -> String {
    let Summary { positions, vocab_size, hash, context, threads, kernel, .. } = summary;
    let mut text = format!(
        "logits [{positions}, {vocab_size}] {hash}\ncontext {context} · {threads} thread(s), kernel {kernel}"
    );
    if let Some(out) = &summary.out {
        text = format!("{text}\nwrote {out}: float32 [{positions}, {vocab_size}]");
    }
    text
}

/// Feeds `tokens` in passes of `batch`, anew when the context is full, and gives `take` the logits after each.
fn feed(
    engine: &mut Engine<'_>,
    path: &Path,
    tokens: &[u32],
    batch: usize,
    mut take: impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    for context in tokens.chunks(engine.context().max(1)) {
        engine.reset();
        for pass in context.chunks(batch.max(1)) {
            engine.prefill(pass).map_err(|error| Error::engine(path, error))?;
            engine.batch_logits().try_for_each(&mut take)?;
        }
    }
    Ok(())
}

/// A NumPy array in the making.
struct Array<'a> {
    path: &'a Path,
    file: BufWriter<File>,
}

impl<'a> Array<'a> {
    fn create(path: &'a Path, rows: usize, cols: usize) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::io(path, "create it"))?;
        let mut array = Self { path, file: BufWriter::new(file) };
        array.put(&npy::header(rows, cols))?;
        Ok(array)
    }

    fn write(&mut self, row: &[f32]) -> Result<(), Error> {
        row.iter().try_for_each(|value| self.put(&value.to_le_bytes()))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| Error::io(self.path, "write it")(error))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.file.flush().map_err(Error::io(self.path, "write it"))
    }
}
