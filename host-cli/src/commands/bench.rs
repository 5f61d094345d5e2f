//! `acorn bench`: tokens per second.

use std::path::PathBuf;
use std::time::Instant;

use acorn_core::{Engine, EngineError, KeepLogits};
use serde::Serialize;

use super::print;
use crate::error::Error;
use crate::model_file::ModelFile;
use crate::progress::{Bar, Progress};
use crate::session::{self, Session};
use crate::source;

/// Measure tokens per second
///
/// Each run feeds a prompt of P tokens to an empty context, then N tokens one by one. The figures are
/// medians over the runs, with the fastest and the slowest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn bench smol.acorn -p 128 -n 64 -t 1,2 -r 5")]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Tokens of the prompt
    #[arg(short, long, value_name = "N", default_value_t = 128)]
    prompt: u32,
    /// Tokens decoded after it
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    decode: u32,
    /// Numbers of threads to try
    #[arg(short, long, value_name = "1,2", value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// Runs
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    runs: u32,
    /// Print a JSON list of objects
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    threads: u32,
    prefill_tps: f64,
    prefill_tps_min: f64,
    prefill_tps_max: f64,
    decode_tps: f64,
    decode_tps_min: f64,
    decode_tps_max: f64,
    prompt: u32,
    decode: u32,
    runs: u32,
    kernel: &'static str,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    for (name, value) in [("-p", args.prompt), ("-n", args.decode), ("-r", args.runs)] {
        if value == 0 {
            return Err(Error::Usage { problem: format!("{name} must be at least 1") });
        }
    }
    let file = source::open(&args.file, &Bar::default())?;
    // All bytes are read once, so that the first run does not wait for the disk.
    let bar = Bar::default();
    file.verify(&bar)?;
    let mut lines = Vec::new();
    bar.start("benchmark", args.threads.len() as u64 * u64::from(args.runs + 1));
    for &threads in &args.threads {
        lines.push(measure(args, &file, threads, &bar)?);
    }
    bar.finish();
    if args.json { print::json(&lines) } else { print::text(&describe(&lines)) }
}

fn measure(args: &Args, file: &ModelFile, threads: u32, bar: &dyn Progress) -> Result<Line, Error> {
    let options = session::Options {
        context: args.prompt.saturating_add(args.decode),
        batch: session::BATCH,
        kv: None,
        threads,
        logits: KeepLogits::Last,
    };
    let model = file.model()?;
    let mut session = Session::new(file, model, &options)?;
    let mut engine = session.engine()?;
    let vocab_size = model.recipe().vocab_size;
    let prompt: Vec<u32> =
        (0..args.prompt).map(|i| i.wrapping_mul(2_654_435_761) % vocab_size).collect();
    let (mut prefill, mut decode) = (Vec::new(), Vec::new());
    for round in 0..=args.runs {
        let (p, n) = once(&mut engine, &prompt, args.decode)
            .map_err(|error| Error::input(file.path(), error.to_string()))?;
        // The first one warms up.
        if round > 0 {
            prefill.push(f64::from(args.prompt) / p);
            decode.push(f64::from(args.decode) / n);
        }
        bar.advance(1);
    }
    let (
        [prefill_tps_min, prefill_tps, prefill_tps_max],
        [decode_tps_min, decode_tps, decode_tps_max],
    ) = (spread(prefill), spread(decode));
    Ok(Line {
        threads,
        prefill_tps,
        prefill_tps_min,
        prefill_tps_max,
        decode_tps,
        decode_tps_min,
        decode_tps_max,
        prompt: args.prompt,
        decode: args.decode,
        runs: args.runs,
        kernel: engine.kernel(),
    })
}

/// Seconds of a prefill, and of the decoding after it.
fn once(engine: &mut Engine<'_>, prompt: &[u32], decode: u32) -> Result<(f64, f64), EngineError> {
    engine.reset();
    let start = Instant::now();
    engine.prefill(prompt)?;
    let prefill = start.elapsed().as_secs_f64();
    let start = Instant::now();
    for &token in prompt.iter().cycle().take(decode as usize) {
        engine.decode(token)?;
    }
    Ok((prefill, start.elapsed().as_secs_f64()))
}

/// Minimum, median and maximum.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    [at(0), f64::midpoint(at(low), at(high)), at(values.len().saturating_sub(1))]
}

fn describe(lines: &[Line]) -> String {
    let header = ["threads", "prefill tok/s", "min – max", "decode tok/s", "min – max"];
    let mut table = print::table(&header, &[0, 1, 2, 3, 4]);
    for line in lines {
        table.add_row([
            line.threads.to_string(),
            format!("{:.1}", line.prefill_tps),
            format!("{:.1} – {:.1}", line.prefill_tps_min, line.prefill_tps_max),
            format!("{:.1}", line.decode_tps),
            format!("{:.1} – {:.1}", line.decode_tps_min, line.decode_tps_max),
        ]);
    }
    let note = lines.first().map_or(String::new(), |line| {
        format!(
            "\n{} runs, prompt {}, decode {}, kernel {}",
            line.runs, line.prompt, line.decode, line.kernel
        )
    });
    format!("{table}{note}")
}
