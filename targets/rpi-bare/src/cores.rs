//! The four cores: 0 runs the program, the others share its work and sleep in between.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use acorn_core::Workers;
use acorn_firmware::Pool;

use crate::clock::microseconds;

global_asm!(include_str!("start.s"), options(raw));

/// Cores of the chip.
pub const COUNT: usize = 4;

/// The longest that core 0 waits for the others when it starts, in microseconds. (They come within one; an emulator
/// on a busy machine takes longer.)
const PATIENCE: u64 = 2_000_000;

/// Where cores 1 to 3 find work.
static POOL: Pool = Pool::new(wake);

/// Jobs that each core had a share in.
static SHARES: [AtomicU32; COUNT] = [const { AtomicU32::new(0) }; COUNT];

/// All cores, for [`acorn_core::Engine::with_workers`].
#[derive(Debug)]
pub struct Cores(());

impl Cores {
    /// Waits for cores 1 to 3. One that does not come in time is done without.
    pub fn start() -> Self {
        let (cores, came) = (Self(()), AtomicU32::new(0));
        let start = microseconds();
        // All are at one job at the same time, so that each is seen to take part.
        cores.run(&|_| {
            came.fetch_add(1, Ordering::Relaxed);
            while came.load(Ordering::Relaxed) < COUNT as u32 && microseconds() - start < PATIENCE {
                spin_loop();
            }
        });
        cores
    }

    /// How many have had a share in a job.
    pub fn count(&self) -> usize {
        self.shares().into_iter().filter(|&shares| shares > 0).count()
    }

    /// Jobs that each has had a share in.
    pub fn shares(&self) -> [u32; COUNT] {
        SHARES.each_ref().map(|shares| shares.load(Ordering::Relaxed))
    }
}

impl Workers for Cores {
    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        POOL.run(&|_| {
            if let Some(shares) = SHARES.get(this()) {
                shares.fetch_add(1, Ordering::Relaxed);
            }
            job(this());
        });
    }
}

/// What cores 1 to 3 do.
pub(crate) fn help_for_good() -> ! {
    POOL.help_for_good(sleep)
}

/// The number of this core.
pub fn this() -> usize {
    let affinity: usize;
    // SAFETY: reads a register.
    unsafe {
        asm!("mrs {}, mpidr_el1", out(reg) affinity, options(nomem, nostack, preserves_flags));
    }
    affinity & 0xFF
}

/// Ends the sleep of all cores, now or next, once they can see what was written before.
fn wake() {
    // SAFETY: a barrier, and an event. It is not `nomem`, so that no write is moved behind it.
    unsafe { asm!("dsb ish", "sev", options(nostack, preserves_flags)) }
}

/// Sleeps until the next event.
fn sleep() {
    // SAFETY: sleeps.
    unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) }
}
