//! Cortex-M on Arm's MPS boards: SysTick as a count of instructions, faults that end the emulation.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{ExceptionFrame, exception};
use semihosting::eprintln;

/// What SysTick counts per second.
const HZ: u64 = if cfg!(feature = "m33") {
    20_000_000
} else if cfg!(feature = "m55") {
    32_000_000
} else {
    25_000_000
};

/// What QEMU's `-icount shift=6` executes per second.
const INSTRUCTIONS_PER_SECOND: u64 = 1_000_000_000 >> 6;

/// Instructions per tick in lowest terms: over a power of two, so that a clock that is read often costs no division.
const PER_TICK: (u64, u32) = {
    let ticks = HZ >> INSTRUCTIONS_PER_SECOND.trailing_zeros();
    let mut instructions = INSTRUCTIONS_PER_SECOND >> INSTRUCTIONS_PER_SECOND.trailing_zeros();
    let odd = ticks >> ticks.trailing_zeros();
    assert!(instructions.is_multiple_of(odd), "the board's clock is no such fraction");
    instructions /= odd;
    (instructions, ticks.trailing_zeros())
};

/// SysTick counts down from here: 24 bits.
const RELOAD: u32 = 0x00FF_FFFF;

/// Times that SysTick began anew.
static ROUNDS: AtomicU32 = AtomicU32::new(0);

/// Starts the clock.
pub(crate) fn start() {
    // The first call, so nobody has taken them.
    let Some(mut peripherals) = Peripherals::take() else { return };
    #[cfg(feature = "m0")]
    // SAFETY: only makes the processor stricter. A Cortex-M0+ cannot read unaligned words; the
    // Cortex-M3 in its place shall not either (UNALIGN_TRP).
    unsafe {
        peripherals.SCB.ccr.modify(|bits| bits | 1 << 3);
    }
    let clock = &mut peripherals.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(RELOAD);
    clock.clear_current();
    clock.enable_interrupt();
    clock.enable_counter();
}

/// Instructions executed since the start, to about one; exact under `-icount shift=6` only.
pub fn instructions() -> u64 {
    loop {
        let rounds = ROUNDS.load(Ordering::Relaxed);
        let count = SYST::get_current();
        if rounds == ROUNDS.load(Ordering::Relaxed) {
            let ticks = (u64::from(rounds) << 24) + u64::from(RELOAD - count);
            return (ticks * PER_TICK.0) >> PER_TICK.1;
        }
    }
}

#[exception]
fn SysTick() {
    // No other writer, so no read-modify-write is needed (Armv6-M has none).
    ROUNDS.store(ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    eprintln!("error: hard fault\n{frame:#?}");
    semihosting::process::exit(2)
}
