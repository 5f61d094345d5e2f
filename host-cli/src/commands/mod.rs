//! The command line: one file per command.
//!
//! Text is for people and may change; `--json` prints one JSON object on standard output, for
//! programs. Errors go to standard error in both cases, and then nothing is on standard output.

mod bench;
mod convert;
mod eval;
mod inspect;
mod logits;
mod models;
mod options;
mod plan;
mod print;
mod run;
mod tokenize;
mod verify;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// Small language models in one packed file, read in place.
#[derive(Debug, Parser)]
#[command(
    name = "acorn",
    version,
    after_help = "Exit status: 0 done, 1 a fault of acorn, \
    2 wrong usage, 3 bad input, 4 reading or writing failed.\n\n\
    Example:\n  acorn convert ./SmolLM2-135M --quant q4 && acorn inspect SmolLM2-135M.q4.acorn"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Convert(convert::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Models(models::Args),
    Plan(plan::Args),
    Run(run::Args),
    Eval(eval::Args),
    Bench(bench::Args),
    Logits(logits::Args),
    Tokenize(tokenize::EncodeArgs),
    Detokenize(tokenize::DecodeArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::exit_code`] is the exit status.
    pub fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Convert(args) => convert::run(args),
            Command::Inspect(args) => inspect::run(args),
            Command::Verify(args) => verify::run(args),
            Command::Models(args) => models::run(args),
            Command::Plan(args) => plan::run(args),
            Command::Run(args) => run::run(args),
            Command::Eval(args) => eval::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Logits(args) => logits::run(args),
            Command::Tokenize(args) => tokenize::encode(args),
            Command::Detokenize(args) => tokenize::decode(args),
        }
    }
}
