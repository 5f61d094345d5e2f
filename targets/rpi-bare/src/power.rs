//! The end: the chip's power management, whose watchdog bites at once, and then stays off.
#![allow(unsafe_code)]

use core::arch::asm;

use crate::uart::Uart;

/// Its registers, as words: RSTC, RSTS, WDOG.
const REGISTERS: *mut u32 = core::ptr::with_exposed_provenance_mut(0x3F10_001C);
const RSTC: usize = 0;
const RSTS: usize = 1;
const WDOG: usize = 2;

/// Without it a write counts for nothing.
const PASSWORD: u32 = 0x5A00_0000;

/// In RSTS, where the firmware looks: do not start again (partition 63).
const HALT: u32 = 0x555;

/// In RSTC: what happens when the watchdog bites, and that it is a full reset.
const WHAT: u32 = 0x30;
const RESET: u32 = 0x20;

/// Sends what `port` still has to send, and switches the board off until its power is. (In an emulator: ends it.)
pub fn off(port: &mut Uart) -> ! {
    port.flush();
    // SAFETY: registers of a device that this board has, which the map has as such; they change no memory.
    unsafe {
        let status = REGISTERS.add(RSTS).read_volatile();
        REGISTERS.add(RSTS).write_volatile(PASSWORD | status | HALT);
        REGISTERS.add(WDOG).write_volatile(PASSWORD | 10); // of 16 µs
        let control = REGISTERS.add(RSTC).read_volatile() & !WHAT;
        REGISTERS.add(RSTC).write_volatile(PASSWORD | control | RESET);
    }
    sleep_for_good()
}

/// For a core that is not to do anything more.
pub(crate) fn sleep_for_good() -> ! {
    loop {
        // SAFETY: sleeps.
        unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) }
    }
}
