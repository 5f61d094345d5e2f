//! The `acorn` tool: see [`acorn_cli::commands`].

use std::panic;
use std::process::ExitCode;

use acorn_cli::bus_error;
use acorn_cli::commands::Cli;
use clap::Parser;

fn main() -> ExitCode {
    bus_error::explain();
    let cli = Cli::parse();
    // A panic is our fault: its message is on standard error, the exit status is 1.
    match panic::catch_unwind(|| cli.run()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("acorn: {error}");
            ExitCode::from(error.exit_code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}
