//! `acorn plan`: the exact memory, before anything is loaded; and how fast a token may be.

use std::path::PathBuf;

use acorn_core::{KeepLogits, Limits, Model, Plan};
use serde::Serialize;

use super::options::{Kv, Memory, Threads};
use super::print;
use crate::error::Error;
use crate::memory::budget::{Placement, window_of};
use crate::memory::measure;
use crate::memory::size::Size;
use crate::memory::stream;
use crate::opened::Opened;
use crate::progress::Bar;
use crate::source;

/// Show the exact memory that a model needs
///
/// With --max-memory: whether the file is read in place then, or streamed, and through which window. Memory
/// "in all" counts the process beside the model, too (8 MiB). Folders and bundled models are converted first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acorn plan smol.acorn --context 2048 --kv int8\n  acorn plan smol.acorn --context 512 --max-memory 64M --measure\n  acorn plan home --context 128 --window 16K"
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
    /// Threads that work at once; auto: all processors
    #[arg(long, value_name = "N|auto", default_value = "1")]
    threads: Threads,
    #[command(flatten)]
    memory: Memory,
    /// A window of at most so many bytes that weights are streamed through, not read in place
    #[arg(long, value_name = "SIZE", conflicts_with = "max_memory")]
    window: Option<Size>,
    /// Measure how fast memory and file are read (half a second), and say how fast a token may be
    #[arg(long)]
    measure: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Memories {
    file_bytes: u64,
    /// Of the file, where its matrices are streamed.
    resident_bytes: Option<u64>,
    arena_bytes: usize,
    /// Of all memory, the process beside the model included.
    total_bytes: u64,
    #[serde(flatten)]
    placement: Placement,
    kv_bytes_per_token: usize,
    context: usize,
    batch: usize,
    kv: &'static str,
    threads: u32,
    parts: serde_json::Map<String, serde_json::Value>,
    /// Of the weights, that each token reads.
    weight_bytes_per_token: u64,
    measured: Option<Measured>,
}

/// What was measured, and what follows: no more tokens than the bytes that each reads allow.
#[derive(Serialize)]
struct Measured {
    memory_bytes_per_second: f64,
    file_bytes_per_second: f64,
    /// Where the file is read in place.
    in_place_tps: f64,
    /// Where it is streamed as planned.
    streamed_tps: Option<f64>,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let file = source::open_to_run(&args.file, args.memory.max_memory, &Bar::default())?;
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let threads = args.threads.most();
    let limits = Limits {
        context: args.context,
        batch: args.batch,
        kv: args.kv.map(Into::into),
        workers: threads,
        logits: KeepLogits::Last,
        window: None,
    };
    let (plan, placement) = match args.window {
        None => file.plan(&model, &limits)?,
        Some(window) => windowed(&file, &model, &limits, window)?,
    };
    let resident = file.resident_bytes()?;
    let weights = stream::bytes_per_pass(&model);
    let memory = Memories {
        file_bytes: file.len(),
        resident_bytes: (placement != Placement::InPlace).then_some(resident),
        arena_bytes: plan.arena_bytes(),
        total_bytes: placement.total(plan.arena_bytes() as u64, file.len(), resident),
        placement,
        kv_bytes_per_token: plan.kv_bytes_per_token(),
        context: plan.context(),
        batch: plan.batch(),
        kv: plan.kv().name(),
        threads,
        parts: plan.parts().map(|(part, bytes)| (part.name().into(), bytes.into())).collect(),
        weight_bytes_per_token: weights,
        measured: args.measure.then(|| measured(&file, threads, weights, placement)).transpose()?,
    };
    if args.json { print::json(&memory) } else { print::text(&describe(&memory, &plan)) }
}

/// The plan with that window, and nothing else beside it.
fn windowed(
    file: &Opened,
    model: &Model<'_>,
    limits: &Limits,
    window: Size,
) -> Result<(Plan, Placement), Error> {
    let window = usize::try_from(window.0).unwrap_or(usize::MAX);
    let plan = Plan::new(model, &Limits { window: Some(window), ..*limits });
    let plan = plan.map_err(|error| Error::input(file.path(), error.to_string()))?;
    let window_bytes = window_of(&plan);
    Ok((plan, Placement::Streamed { window_bytes, ahead_bytes: 0, kept_bytes: 0 }))
}

fn measured(
    file: &Opened,
    threads: u32,
    weights: u64,
    placement: Placement,
) -> Result<Measured, Error> {
    let memory = measure::memory(threads).map_err(Error::io(file.path(), "measure the memory"))?;
    let disk = measure::file(file.path()).map_err(Error::io(file.path(), "read it"))?;
    let in_place_tps = memory / weights as f64;
    let streamed_tps = match placement {
        Placement::InPlace => None,
        Placement::Streamed { kept_bytes, .. } => {
            let read = weights.saturating_sub(kept_bytes) as f64;
            Some(in_place_tps.min(disk / read))
        }
    };
    Ok(Measured {
        memory_bytes_per_second: memory,
        file_bytes_per_second: disk,
        in_place_tps,
        streamed_tps,
    })
}

fn describe(memory: &Memories, plan: &Plan) -> String {
    let mut table = print::table(&["", "bytes", "KiB"], &[1, 2]);
    let mut line = |name: &str, bytes: u64| {
        let kib = format!("{:.1}", bytes as f64 / 1024.0);
        table.add_row([name, &bytes.to_string(), &kib]);
    };
    for (part, bytes) in plan.parts().filter(|&(_, bytes)| bytes > 0) {
        line(part.name(), bytes as u64);
    }
    line("arena", memory.arena_bytes as u64);
    match (memory.placement, memory.resident_bytes) {
        (Placement::Streamed { ahead_bytes, kept_bytes, .. }, Some(resident)) => {
            line("file without matrices", resident);
            for (name, bytes) in [("read ahead", ahead_bytes), ("matrices kept", kept_bytes)] {
                if bytes > 0 {
                    line(name, bytes);
                }
            }
        }
        _ => line("file (read in place)", memory.file_bytes),
    }
    line("in all, with the process", memory.total_bytes);
    format!(
        "context {}, batch {}, threads {}, keys and values in {} ({} bytes per token)\n{}\n\n{table}{}",
        memory.context,
        memory.batch,
        memory.threads,
        memory.kv,
        memory.kv_bytes_per_token,
        weights(memory),
        memory.measured.as_ref().map_or(String::new(), |measured| speeds(memory, measured))
    )
}

/// Where the weights are, in words.
fn weights(memory: &Memories) -> String {
    match memory.placement {
        Placement::InPlace => "weights read in place".into(),
        Placement::Streamed { window_bytes, kept_bytes, .. } => format!(
            "weights streamed through a window of {}: {} of {} per token",
            Size(window_bytes as u64),
            Size(memory.weight_bytes_per_token.saturating_sub(kept_bytes)),
            Size(memory.weight_bytes_per_token)
        ),
    }
}

fn speeds(memory: &Memories, measured: &Measured) -> String {
    let mut table = print::table(&["", "GB/s", "tok/s, at most"], &[1, 2]);
    let mut line = |name: &str, rate: f64, tps: f64| {
        table.add_row([name, &format!("{:.2}", rate / 1e9), &format!("{tps:.1}")]);
    };
    line("in place, from memory", measured.memory_bytes_per_second, measured.in_place_tps);
    match measured.streamed_tps {
        Some(tps) => line("streamed, from the disk", measured.file_bytes_per_second, tps),
        None => {
            let first = measured.file_bytes_per_second / memory.weight_bytes_per_token as f64;
            line("the first, from the disk", measured.file_bytes_per_second, first);
        }
    }
    format!(
        "\n\n{table}\nUpper bounds: bytes per second, measured, over the weights' bytes that a token reads. \
         Attention and arithmetic come on top; what the page cache holds of a file is faster than its disk."
    )
}
