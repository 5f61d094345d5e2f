//! RV32 on QEMU's virt machine: `minstret` as a count of instructions, traps that end the emulation.
#![allow(unsafe_code)]

use riscv::register::{mcause, minstret, mtval};
use riscv_rt::TrapFrame;
use semihosting::eprintln;

/// The counter runs from reset on.
pub(crate) fn start() {}

/// Instructions executed; exact under `-icount shift=0` only (some versions of QEMU count its nanoseconds).
pub fn instructions() -> u64 {
    minstret::read64()
}

#[unsafe(export_name = "ExceptionHandler")]
fn exception(frame: &TrapFrame) -> ! {
    let (cause, value) = (mcause::read().bits(), mtval::read());
    eprintln!("error: trap, cause {cause}, value {value:#x}, return address {:#x}", frame.ra);
    semihosting::process::exit(2)
}
