//! `cargo xtask peers`: Acorn and llama.cpp side by side, on models of the same shape.
//!
//! ```text
//! shape → folder (synth) → .acorn and GGUF files                             files
//! rounds: each contestant in turn, so that all see the same machine          here
//! one run: acorn bench, or llama.cpp measured in the same way                tools
//! medians, and what memory allows → table, JSON, PNG                         report, bandwidth
//! ```

mod bandwidth;
mod files;
mod report;
mod tools;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::command::{self, Result};
use crate::shapes::Shape;
use files::Contestant;
use report::{Record, Report, Speed};
use tools::Tools;

#[derive(clap::Args)]
#[command(after_help = "\
    Python is needed, with what tools/peers/requirements.txt lists; llama.cpp is built by that, which \
    takes some minutes:\n  \
    python3 -m venv ~/peers && ~/peers/bin/pip install -r tools/peers/requirements.txt\n\n\
    Example:\n  cargo xtask peers smollm2-135m --threads 1,2 --python ~/peers/bin/python")]
pub(crate) struct Args {
    /// The shapes to measure
    #[arg(default_values = ["stories15m", "smollm2-135m"])]
    shapes: Vec<Shape>,
    /// Numbers of threads to try
    #[arg(long, value_name = "1,2", value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// Acorn's encodings to try, each beside the ones of llama.cpp that compare with it
    #[arg(long, value_name = "q4,q8", value_delimiter = ',', default_value = "q4,q8")]
    quants: Vec<Quant>,
    /// Lengths of prompts to try; those beyond a model's context are left out
    #[arg(long, value_name = "128,512", value_delimiter = ',', default_value = "128,512")]
    prefill: Vec<u32>,
    /// Tokens decoded, from an empty context on
    #[arg(long, value_name = "N", default_value_t = 64)]
    decode: u32,
    /// Rounds, in each of which every contestant runs once
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
    /// The llama-bench to measure instead of llama-cpp-python; llama-quantize must lie beside it
    #[arg(long, value_name = "PATH")]
    llama_bench: Option<PathBuf>,
    /// The Python to run
    #[arg(long, value_name = "PATH", env = "PEERS_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Print the results as JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// How Acorn stores the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Quant {
    Q4,
    Q8,
}

impl Quant {
    fn name(self) -> &'static str {
        match self {
            Self::Q4 => "q4",
            Self::Q8 => "q8",
        }
    }

    /// llama.cpp's types of about as many bits.
    fn peers(self) -> &'static [&'static str] {
        match self {
            Self::Q4 => &["Q4_0", "Q4_K_M"],
            Self::Q8 => &["Q8_0"],
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    for (name, value) in [("--decode", args.decode), ("--rounds", args.rounds)] {
        if value == 0 {
            return Err(format!("{name} must be at least 1"));
        }
    }
    if args.prefill.contains(&0) || args.threads.contains(&0) {
        return Err("--prefill and --threads must be at least 1".into());
    }
    let tools = Tools::find(&args.python, args.llama_bench.as_deref())?;
    let folder = command::target_dir().join("peers");
    let (json, plot) = (folder.join("peers.json"), folder.join("peers.png"));
    let mut report = Report::new(&args.prefill);
    for &threads in &args.threads {
        report.measure_bandwidth(threads);
    }
    for &shape in &args.shapes {
        for contestants in files::prepare(&tools, shape, &args.quants, &folder)? {
            for &threads in &args.threads {
                report.records.extend(measure(args, &tools, shape, &contestants, threads)?);
                // What is measured stays, should the rest fail or take too long.
                report.save(&json)?;
            }
        }
    }
    tools.plot(&json, &plot)?;
    if args.json {
        println!("{}", report.json()?);
    } else {
        println!("{}\n\n{}\n{}", report.table(), json.display(), plot.display());
    }
    Ok(())
}

/// Rounds of all contestants in turn.
fn measure(
    args: &Args,
    tools: &Tools,
    shape: Shape,
    contestants: &[Contestant],
    threads: u32,
) -> Result<Vec<Record>> {
    let context = shape.dimensions().context;
    let prompts: Vec<u32> = args.prefill.iter().copied().filter(|&n| n <= context).collect();
    if prompts.is_empty() {
        let shape = shape.name();
        return Err(format!("{shape}: no length of --prefill is within its context, {context}"));
    }
    let mut records: Vec<_> =
        contestants.iter().map(|contestant| Record::new(shape, threads, contestant)).collect();
    for round in 1..=args.rounds {
        let kinds: Vec<_> = contestants.iter().map(|contestant| contestant.kind).collect();
        let (shape, kinds, rounds) = (shape.name(), kinds.join(", "), args.rounds);
        eprintln!("{shape}, {threads} thread(s): {kinds}, round {round} of {rounds}");
        for (contestant, record) in contestants.iter().zip(&mut records) {
            for (index, &prompt) in prompts.iter().enumerate() {
                // Decoding does not depend on the prompt: once a round is enough.
                let decode = if index == 0 { args.decode } else { 1 };
                let run = tools.measure(contestant, prompt, decode, threads)?;
                record.prefill.entry(prompt).or_insert_with(Speed::default).add(run.prefill);
                if index == 0 {
                    record.decode.add(run.decode);
                    record.version = run.version;
                }
            }
        }
    }
    Ok(records)
}
