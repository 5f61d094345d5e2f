//! `acorn logits`: the numbers themselves, for comparing with a reference.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use acorn_core::KeepLogits;
use npyz::WriterBuilder;
use serde::Serialize;

use super::options::{Kv, Memory, Threads, tokens};
use super::print;
use crate::error::Error;
use crate::progress::Bar;
use crate::session::{self, Session};
use crate::source;

/// Write the logits after each token as a NumPy array
///
/// float32, [positions, vocab_size], one row per token fed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  acorn logits stories.acorn --tokens 1,403,407 --out logits.npy"
)]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// The tokens to feed
    #[arg(long, value_name = "1,2,3")]
    tokens: String,
    /// The .npy file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
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
struct Written {
    out: String,
    positions: usize,
    vocab_size: usize,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let tokens = tokens(&args.tokens).map_err(|problem| Error::Usage { problem })?;
    let file = source::open_to_run(&args.file, args.memory.max_memory, &Bar::default())?;
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let vocab_size = model.recipe().vocab_size as usize;
    let options = session::Options {
        context: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        batch: args.batch,
        kv: args.kv.map(Into::into),
        threads: args.threads.unwrap_or_else(|| Threads::for_file(file.len())).most(),
        logits: KeepLogits::All,
    };
    let mut session = Session::new(&file, model, &options)?;
    let batch = session.plan().batch();
    let mut engine = session.engine()?;

    let writing = Error::io(&args.out, "create it");
    let out = BufWriter::new(File::create(&args.out).map_err(writing)?);
    let shape = [tokens.len() as u64, vocab_size as u64];
    let failed = |error| Error::io(&args.out, "write it")(error);
    let builder = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out);
    let mut npy = builder.begin_nd().map_err(failed)?;
    for batch in tokens.chunks(batch) {
        engine.prefill(batch).map_err(|error| Error::engine(&args.file, error))?;
        for row in engine.batch_logits() {
            npy.extend(row.iter().copied()).map_err(failed)?;
        }
    }
    npy.finish().map_err(failed)?;

    let written =
        Written { out: args.out.display().to_string(), positions: tokens.len(), vocab_size };
    if args.json {
        return print::json(&written);
    }
    print::text(&format!("wrote {}: float32 [{}, {vocab_size}]", written.out, written.positions))
}
