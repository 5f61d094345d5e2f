//! `acorn bench`: tokens per second.

use std::path::PathBuf;
use std::time::Instant;

use acorn_core::kernel::{self, Kernel};
use acorn_core::{Engine, EngineError, KeepLogits};
use serde::Serialize;

use super::options::{Memory, weights};
use super::print;
use crate::error::Error;
use crate::memory::budget::Placement;
use crate::opened::Opened;
use crate::progress::{Bar, Progress};
use crate::session::{self, Session};
use crate::source;

/// Measure tokens per second
///
/// Each run feeds a prompt of P tokens to an empty context, then N tokens one by one: after the
/// prompt, or after D tokens. The figures are medians over the runs, with the fastest and the
/// slowest; one more run before them warms up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn bench smol.acorn -p 128,512 -n 64 -t 1,2 -r 5")]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Tokens of the prompt: lengths to try
    #[arg(short, long, value_name = "128,512", value_delimiter = ',', default_value = "128")]
    prompt: Vec<u32>,
    /// Tokens decoded after it
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    decode: u32,
    /// Tokens in the context before those that are decoded, instead of the prompt
    #[arg(short, long, value_name = "N")]
    depth: Option<u32>,
    /// Numbers of threads to try
    #[arg(short, long, value_name = "1,2", value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// Kernels to try, or "all" that this machine can run [default: the best one]
    #[arg(short, long, value_name = "NAME,…", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Runs
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    runs: u32,
    #[command(flatten)]
    memory: Memory,
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
    /// Tokens in the context when decoding starts.
    depth: u32,
    runs: u32,
    kernel: &'static str,
    #[serde(flatten)]
    placement: Placement,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let shortest = args.prompt.iter().copied().min().unwrap_or(0);
    for (name, value) in [("-p", shortest), ("-n", args.decode), ("-r", args.runs)] {
        if value == 0 {
            return Err(Error::Usage { problem: format!("{name} must be at least 1") });
        }
    }
    let bar = Bar::default();
    let file = source::open_to_run(&args.file, args.memory.max_memory, &bar)?;
    // All bytes are read once, so that the first run does not wait for the disk.
    if let Some(file) = file.mapped() {
        file.verify(&bar)?;
    }
    let mut lines = Vec::new();
    let kernels = kernels(&args.kernels)?;
    let rows = kernels.len() * args.threads.len() * args.prompt.len();
    bar.start("benchmark", rows as u64 * u64::from(args.runs + 1));
    for kernel in kernels {
        for &threads in &args.threads {
            for &prompt in &args.prompt {
                lines.push(measure(args, prompt, &file, (threads, kernel), &bar)?);
            }
        }
    }
    bar.finish();
    if args.json { print::json(&lines) } else { print::text(&describe(&lines)) }
}

/// The kernels of those names; without any, the one that the session would take (`None`).
fn kernels(names: &[String]) -> Result<Vec<Option<&'static Kernel>>, Error> {
    let mut kernels = Vec::new();
    for name in names {
        match name.as_str() {
            "all" => kernels.extend(kernel::available().map(Some)),
            name => kernels.push(Some(session::kernel_named(name)?)),
        }
    }
    Ok(if kernels.is_empty() { vec![None] } else { kernels })
}

fn measure(
    args: &Args,
    prompt: u32,
    file: &Opened,
    (threads, kernel): (u32, Option<&'static Kernel>),
    bar: &dyn Progress,
) -> Result<Line, Error> {
    let depth = args.depth.unwrap_or(prompt);
    let options = session::Options {
        context: prompt.max(depth.saturating_add(args.decode)),
        batch: session::BATCH,
        kv: None,
        threads,
        logits: KeepLogits::Last,
    };
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let mut session = Session::new(file, model, &options)?;
    if let Some(kernel) = kernel {
        session = session.with_kernel(kernel);
    }
    let placement = session.placement();
    let mut engine = session.engine()?;
    let failed = |error: EngineError| Error::engine(file.path(), error);
    let tokens = Tokens(model.recipe().vocab_size);
    // The first time, memory is touched and code read that later runs find at hand.
    engine.prefill(&tokens.first(prompt)).map_err(failed)?;
    decode(&mut engine, tokens, depth, 1).map_err(failed)?;
    bar.advance(1);
    let (mut prefills, mut decodes) = (Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let seconds = prefill(&mut engine, tokens, prompt).map_err(failed)?;
        prefills.push(f64::from(prompt) / seconds);
        let seconds = decode(&mut engine, tokens, depth, args.decode).map_err(failed)?;
        decodes.push(f64::from(args.decode) / seconds);
        bar.advance(1);
    }
    let (
        [prefill_tps_min, prefill_tps, prefill_tps_max],
        [decode_tps_min, decode_tps, decode_tps_max],
    ) = (spread(prefills), spread(decodes));
    Ok(Line {
        threads,
        prefill_tps,
        prefill_tps_min,
        prefill_tps_max,
        decode_tps,
        decode_tps_min,
        decode_tps_max,
        prompt,
        decode: args.decode,
        depth,
        runs: args.runs,
        kernel: engine.kernel(),
        placement,
    })
}

/// Tokens all over a vocabulary of that size, the same each time.
#[derive(Clone, Copy)]
struct Tokens(u32);

impl Tokens {
    fn first(self, count: u32) -> Vec<u32> {
        (0..count).map(|i| i.wrapping_mul(2_654_435_761) % self.0).collect()
    }
}

/// Seconds that a prompt takes from an empty context on.
fn prefill(engine: &mut Engine<'_>, tokens: Tokens, prompt: u32) -> Result<f64, EngineError> {
    let prompt = tokens.first(prompt);
    engine.reset();
    let start = Instant::now();
    engine.prefill(&prompt)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds that `count` tokens take, one by one, with `depth` tokens in the context before them.
fn decode(
    engine: &mut Engine<'_>,
    tokens: Tokens,
    depth: u32,
    count: u32,
) -> Result<f64, EngineError> {
    if engine.position() as u64 != u64::from(depth) {
        engine.reset();
        if depth > 0 {
            engine.prefill(&tokens.first(depth))?;
        }
    }
    let decoded = tokens.first(count);
    let start = Instant::now();
    for token in decoded {
        engine.decode(token)?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Minimum, median and maximum.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    [at(0), f64::midpoint(at(low), at(high)), at(values.len().saturating_sub(1))]
}

fn describe(lines: &[Line]) -> String {
    let header =
        ["kernel", "threads", "prompt", "prefill tok/s", "min – max", "decode tok/s", "min – max"];
    let mut table = print::table(&header, &[1, 2, 3, 4, 5, 6]);
    for line in lines {
        table.add_row([
            line.kernel.to_owned(),
            line.threads.to_string(),
            line.prompt.to_string(),
            format!("{:.1}", line.prefill_tps),
            format!("{:.1} – {:.1}", line.prefill_tps_min, line.prefill_tps_max),
            format!("{:.1}", line.decode_tps),
            format!("{:.1} – {:.1}", line.decode_tps_min, line.decode_tps_max),
        ]);
    }
    let note = lines.first().map_or(String::new(), |line| {
        format!("\n{} runs, decode {}{}", line.runs, line.decode, weights(line.placement))
    });
    format!("{table}{note}")
}
