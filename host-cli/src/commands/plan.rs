//! `acorn plan`: the exact memory, before anything is loaded.

use std::path::PathBuf;

use acorn_core::{KeepLogits, Limits, Model, Plan};
use serde::Serialize;

use super::options::Kv;
use super::print;
use crate::error::Error;
use crate::progress::Bar;
use crate::source;

/// Show the exact memory that a model needs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acorn plan smol.acorn --context 2048 --kv int8\n  acorn plan home --context 128 --window 16384"
)]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Positions in the KV cache
    #[arg(long, value_name = "N")]
    context: u32,
    /// Tokens per pass of prefill
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: u32,
    /// How keys and values are stored [default: int8; f32 for f32 models]
    #[arg(long, value_enum)]
    kv: Option<Kv>,
    /// Threads that work at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// Bytes of a window that weights are streamed through, not read in place
    #[arg(long, value_name = "BYTES")]
    window: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Memory {
    file_bytes: u64,
    /// Of the file, where its matrices are streamed.
    resident_bytes: Option<usize>,
    arena_bytes: usize,
    kv_bytes_per_token: usize,
    context: usize,
    batch: usize,
    kv: &'static str,
    threads: u32,
    parts: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let file = source::open(&args.file, &Bar::default())?;
    let limits = Limits {
        context: args.context,
        batch: args.batch,
        kv: args.kv.map(Into::into),
        workers: args.threads,
        logits: KeepLogits::Last,
        window: args.window,
    };
    let text = |message| Error::input(&args.file, message);
    let plan = Plan::new(&file.model()?, &limits).map_err(|error| text(error.to_string()))?;
    let resident = args.window.map(|_| Model::resident_bytes(&mut file.bytes()));
    let memory = Memory {
        file_bytes: file.len(),
        resident_bytes: resident.transpose().map_err(|error| text(error.to_string()))?,
        arena_bytes: plan.arena_bytes(),
        kv_bytes_per_token: plan.kv_bytes_per_token(),
        context: plan.context(),
        batch: plan.batch(),
        kv: plan.kv().name(),
        threads: args.threads,
        parts: plan.parts().map(|(part, bytes)| (part.name().into(), bytes.into())).collect(),
    };
    if args.json { print::json(&memory) } else { print::text(&describe(&memory, &plan)) }
}

fn describe(memory: &Memory, plan: &Plan) -> String {
    let mut table = print::table(&["", "bytes", "KiB"], &[1, 2]);
    let mut line = |name: &str, bytes: u64| {
        let kib = format!("{:.1}", bytes as f64 / 1024.0);
        table.add_row([name, &bytes.to_string(), &kib]);
    };
    for (part, bytes) in plan.parts().filter(|&(_, bytes)| bytes > 0) {
        line(part.name(), bytes as u64);
    }
    line("arena", memory.arena_bytes as u64);
    match memory.resident_bytes {
        None => line("file (read in place)", memory.file_bytes),
        Some(bytes) => line("file without matrices", bytes as u64),
    }
    format!(
        "context {}, batch {}, threads {}, keys and values in {} ({} bytes per token)\n\n{table}",
        memory.context, memory.batch, memory.threads, memory.kv, memory.kv_bytes_per_token
    )
}
