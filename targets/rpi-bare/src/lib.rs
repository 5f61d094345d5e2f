//! What the programs for a Raspberry Pi 3 without an operating system stand on: the way from the firmware's jump
//! to Rust, four cores, the serial port, a clock, and what happens after a fault.
//!
//! In reading order: `start.s` (memory, caches, levels, stacks), [`cores`], [`uart`], [`fault`], [`power`].
#![no_std]

pub mod clock;
pub mod cores;
mod fault;
pub mod power;
pub mod uart;

use core::fmt::Write;

use acorn_core::Model;
use acorn_firmware::{Error, Line, Slot};

use uart::{Byte, Uart};

/// Names the program's main function: `fn main(port: &mut Uart) -> Result<(), Error>`.
#[macro_export]
macro_rules! entry {
    ($program:path) => {
        /// What `start.s` leads each core to.
        #[allow(unsafe_code)]
        #[unsafe(export_name = "start_core")]
        extern "C" fn start(core: usize) -> ! {
            $crate::run(core, $program)
        }
    };
}

/// On core 0, runs a program, says over the port what it ended with if that is an error, and switches off. The
/// other cores share its work.
pub fn run(core: usize, program: fn(&mut Uart) -> Result<(), Error>) -> ! {
    if core != 0 {
        cores::help_for_good();
    }
    let mut port = Uart::start();
    if let Err(error) = program(&mut port) {
        report(&mut port, error);
    }
    power::off(&mut port)
}

/// Says what is wrong.
pub fn report(port: &mut Uart, error: Error) {
    // The port cannot fail.
    _ = writeln!(port, "error: {error}");
}

/// The model of the first slot that is whole; says what is wrong with others.
///
/// # Errors
/// No slot has a whole model.
pub fn model(port: &mut Uart) -> Result<Model<'static>, Error> {
    let report = |slot: Slot, error| _ = writeln!(port, "slot {}: {error}", slot.name);
    Ok(acorn_firmware::boot(report)?)
}

/// The end of what is sent, as one types it: Ctrl-D.
const END: u8 = 0x04;

/// Waits for a line that is not empty; `None` when Ctrl-D comes first.
///
/// # Errors
/// It is too long, or not UTF-8, or bytes were lost. The next one may be fine.
pub fn read_line<'a>(port: &mut Uart, line: &'a mut Line) -> Result<Option<&'a str>, Error> {
    loop {
        match port.read() {
            Byte::Right(END) => return Ok(None),
            Byte::Right(byte) => {
                if line.push(byte) {
                    return line.text().map(Some);
                }
            }
            Byte::Lost => {
                line.clear();
                return Err(Error::Serial);
            }
        }
    }
}
