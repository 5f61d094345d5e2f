//! What the firmwares of real boards share: logs, what happens after a fault, lines from a serial port.
//!
//! Logs go to the debug probe (`cargo run` shows them), prompts and answers over the serial port.
#![no_std]

use core::convert::Infallible;
use core::panic::PanicInfo;

use acorn_core::Model;
use acorn_firmware::{Error, Line, Slot};
use cortex_m::asm;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use defmt::Display2Format;
use defmt_rtt as _;
use embedded_io::{Read, Write};

/// The model of the first slot that is whole; logs what is wrong with others.
///
/// # Errors
/// No slot has a whole model.
pub fn model() -> Result<Model<'static>, Error> {
    let report = |slot: Slot, error| defmt::warn!("slot {}: {}", slot.name, Display2Format(&error));
    Ok(acorn_firmware::boot(report)?)
}

/// Waits for a line that is not empty.
///
/// # Errors
/// It is too long, or not UTF-8, or bytes were lost. The next one may be fine.
pub fn read_line<'a>(port: &mut impl Read, line: &'a mut Line) -> Result<&'a str, Error> {
    let mut byte = [0];
    loop {
        match port.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => {
                if line.push(byte[0]) {
                    return line.text();
                }
            }
            Err(_) => {
                line.clear();
                return Err(Error::Serial);
            }
        }
    }
}

/// Sends text and logs an error of the port: an answer that nobody can read is no reason to stop.
pub fn print(port: &mut impl Write, text: &str) {
    if port.write_all(text.as_bytes()).and_then(|()| port.flush()).is_err() {
        defmt::warn!("serial line: cannot send");
    }
}

/// Says what is wrong, to the port and the log.
pub fn report(port: &mut impl Write, error: Error) {
    defmt::error!("{}", Display2Format(&error));
    // Only the port can fail, and that has been said.
    _ = write!(port, "error: {error}\r\n");
}

/// Runs a program that ends with an error only, says which, and sleeps: what is wrong with a model in
/// flash is as wrong after a reset.
pub fn run<P: Write>(port: &mut P, program: fn(&mut P) -> Result<Infallible, Error>) -> ! {
    let Err(error) = program(port);
    report(port, error);
    stop()
}

/// Sleeps for good.
pub fn stop() -> ! {
    loop {
        asm::wfe();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("{}", Display2Format(info));
    restart()
}

#[exception]
#[allow(unsafe_code)]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#x}, called from {=u32:#x}", frame.pc(), frame.lr());
    restart()
}

/// Starts anew, once the probe has had time to read the log.
fn restart() -> ! {
    asm::delay(10_000_000);
    SCB::sys_reset()
}
