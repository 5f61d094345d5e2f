//! What the programs for QEMU's boards stand on: start and end, console, a count of instructions.
#![no_std]

mod console;
mod disk;
#[cfg(target_arch = "arm")]
#[path = "arm.rs"]
mod machine;
#[cfg(target_arch = "riscv32")]
#[path = "riscv32.rs"]
mod machine;
#[cfg(feature = "m4")]
mod watchdog;

pub use console::{Prompts, argument};
pub use disk::Disk;
pub use machine::instructions;
pub use semihosting::{eprintln, print, println};
#[cfg(feature = "m4")]
pub use watchdog::Watchdog;

use acorn_core::Model;
use acorn_firmware::Error;
use acorn_firmware::stack::Painted;

/// Names the program's main function: `fn main() -> Result<(), Error>`.
#[macro_export]
macro_rules! entry {
    ($program:path) => {
        /// What cortex-m-rt and riscv-rt jump to.
        #[allow(unsafe_code)]
        #[unsafe(export_name = "main")]
        extern "C" fn start() -> ! {
            $crate::run($program)
        }
    };
}

/// Runs a program and ends the emulation. Says, on the error stream, how deep the stack was.
pub fn run(program: fn() -> Result<(), Error>) -> ! {
    machine::start();
    let stack = Painted::new();
    let result = program();
    eprintln!("stack {} bytes", stack.used());
    exit(result)
}

/// Ends the emulation: with status 0, or with the error's text and 1.
pub fn exit(result: Result<(), Error>) -> ! {
    match result {
        Ok(()) => semihosting::process::exit(0),
        Err(error) => {
            eprintln!("error: {error}");
            semihosting::process::exit(1)
        }
    }
}

/// The model of the first slot that is whole; says, on the error stream, what is wrong with others.
///
/// # Errors
/// No slot has a whole model.
pub fn model() -> Result<Model<'static>, Error> {
    let report = |slot: acorn_firmware::Slot, error| eprintln!("slot {}: {error}", slot.name);
    Ok(acorn_firmware::boot(report)?)
}
