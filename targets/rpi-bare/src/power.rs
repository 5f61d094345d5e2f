//! The end: the chip's power management, whose watchdog bites at once, and then stays off.
#![allow(unsafe_code)]

use core::arch::asm;

/// Its registers, as words: RSTC, RSTS, WDOG.
const REGISTERS: *mut u32 = core::ptr::with_exposed_provenance_mut(0x3F10_001C);
const RSTC: usize = 0;
const RSTS: usize = 1;
const WDOG: usize = 2;

/// Without it a write counts for nothing.
const PASSWORD: u32 = 0x5A00_0000;

/// In RSTS, where the firmware looks: do not start again (partition 63).
const HALT: u32 = 0x555;

/// In RSTC: a full reset when the watchdog bites.
const RESET: u32 = 0x20;

/// Switches the board off until its power is. (In an emulator: ends it.)
pub fn off() -> ! {
    // SAFETY: registers of a device that this board has, which the map has as such; they change no memory.
    unsafe {
        REGISTERS.add(RSTS).write_volatile(PASSWORD | HALT);
        REGISTERS.add(WDOG).write_volatile(PASSWORD | 10); // of 16 µs
        REGISTERS.add(RSTC).write_volatile(PASSWORD | RESET);
    }
    loop {
        // SAFETY: sleeps.
        unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) }
    }
}
