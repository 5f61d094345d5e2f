//! The watchdog of Arm's MPS2 boards (Cortex-M System Design Kit, APB watchdog).
#![allow(unsafe_code)]

use cortex_m_rt::exception;
use semihosting::eprintln;

/// Its registers, as words: LOAD, VALUE, CONTROL, INTCLR.
const REGISTERS: *mut u32 = core::ptr::without_provenance_mut(0x4000_8000);
const LOAD: usize = 0;
const CONTROL: usize = 2;
const CLEAR: usize = 3;

/// A watchdog that runs: whoever has it must feed it.
#[derive(Debug)]
pub struct Watchdog(());

impl Watchdog {
    /// Starts it: it bites (a non-maskable interrupt) when it was not fed for so many ticks of its clock,
    /// 25 MHz.
    pub fn start(ticks: u32) -> Self {
        let watchdog = Self(());
        watchdog.write(LOAD, ticks);
        watchdog.write(CONTROL, 0b01); // an interrupt, no reset
        watchdog
    }

    /// Its time starts anew.
    pub fn feed(&mut self) {
        self.write(CLEAR, 1);
    }

    fn write(&self, register: usize, value: u32) {
        // SAFETY: a register of a device that these boards have; writing it changes no memory.
        unsafe { REGISTERS.wrapping_add(register).write_volatile(value) }
    }
}

#[exception]
unsafe fn NonMaskableInt() -> ! {
    eprintln!("error: the watchdog was not fed");
    semihosting::process::exit(3)
}
