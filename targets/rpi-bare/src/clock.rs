//! The generic timer: a clock that all cores share, whatever speed they run at.
#![allow(unsafe_code)]

use core::arch::asm;

/// Microseconds since the board was switched on.
pub fn microseconds() -> u64 {
    let (ticks, per_second): (u64, u64);
    // SAFETY: reads two registers. The barrier keeps the first from being read early.
    unsafe {
        asm!(
            "isb", "mrs {}, cntpct_el0", "mrs {}, cntfrq_el0", out(reg) ticks, out(reg) per_second,
            options(nomem, nostack, preserves_flags),
        );
    }
    let per_second = per_second.max(1);
    ticks / per_second * 1_000_000 + ticks % per_second * 1_000_000 / per_second
}

/// Waits at least that long.
pub fn wait(time: u64) {
    let start = microseconds();
    while microseconds() - start < time {
        core::hint::spin_loop();
    }
}
