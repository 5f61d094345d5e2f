//! What a developer runs: `cargo xtask ci` is every check, `cargo xtask STEP` one of them.

mod boards;
mod ci;
mod command;
mod count;
mod damage;
mod dist;
mod elf;
mod emulated;
mod firmware;
mod hardware;
mod hashes;
mod images;
mod instructions;
mod kernels;
mod linkage;
mod links;
mod linux;
mod map;
mod mcu;
mod peers;
mod qemu;
mod quality;
mod raspberry;
mod shapes;
mod symbols;
mod synth;
mod toolchain;
mod uf2;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Acorn's developer tasks. Run from anywhere inside the repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// All checks, in order; stops at the first that fails
    Ci {
        /// List the steps instead of running them
        #[arg(long)]
        list: bool,
    },
    /// Make a Hugging Face folder of a real model's shape, with random weights
    Synth(synth::Args),
    /// Measure acorn bench and llama.cpp side by side
    Peers(peers::Args),
    Qemu(qemu::Args),
    Dist(dist::Args),
    Hashes(hashes::Args),
    Count(count::Args),
    #[command(flatten)]
    Step(ci::Step),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Ci { list: true } => {
            ci::list();
            Ok(())
        }
        Task::Ci { list: false } => ci::run_all(),
        Task::Synth(args) => synth::run(&args),
        Task::Peers(args) => peers::run(&args),
        Task::Qemu(args) => qemu::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Hashes(args) => hashes::run(&args),
        Task::Count(args) => count::run(&args),
        Task::Step(step) => ci::run_one(step),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}
