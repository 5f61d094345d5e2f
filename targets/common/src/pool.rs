//! Any number of cores that share the engine's work.
//!
//! A core enters a job through its gate, and the one whose job it is, when it finds nothing left to do, closes the
//! gate and waits for those inside only: a core that comes late, or never, holds up nobody.
// A job lives on one core's stack and is called on the others: the lifetime in between is this file's to keep.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use acorn_core::Workers;

/// A job on loan: [`Pool::run`] does not return before all cores are done with it.
type Job = &'static (dyn Fn(usize) + Sync);

/// The cores inside, in the gate's lowest bits.
const INSIDE: usize = OPEN - 1;

/// Cores may enter.
const OPEN: usize = 1 << 8;

/// One job more; the count starts anew at its end, and a core that has slept through all of it may miss one.
const EPOCH: usize = OPEN << 1;

/// Work for up to 255 other cores (or threads), each of which calls [`help_for_good`](Self::help_for_good).
pub struct Pool {
    /// Whether a core has work here: one at a time.
    busy: AtomicBool,
    /// The number of the job, whether it is open, and how many cores are inside.
    gate: AtomicUsize,
    job: UnsafeCell<Job>,
    /// Wakes the other cores.
    wake: fn(),
}

// SAFETY: `job` is written only by the core that is `busy`, while the gate is closed and nobody inside; others read
// it only inside, which they enter through the gate that was opened after the write.
unsafe impl Sync for Pool {}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    /// `wake` is called when there is work, to end the other cores' sleep, once they see what was written before:
    /// on Arm, `dsb` and `sev`. One that does not see it yet sleeps on, and is done without.
    pub const fn new(wake: fn()) -> Self {
        Self {
            busy: AtomicBool::new(false),
            gate: AtomicUsize::new(0),
            job: UnsafeCell::new(&|_| ()),
            wake,
        }
    }

    /// For a core that has nothing else to do: helps, and sleeps by `sleep` until it is woken (on Arm, `wfe`).
    pub fn help_for_good(&self, sleep: fn()) -> ! {
        let mut seen = 0;
        loop {
            if !self.help(&mut seen) {
                sleep();
            }
        }
    }

    /// Does its share of the open job, unless it is the one `seen`; whether there was any.
    fn help(&self, seen: &mut usize) -> bool {
        let gate = self.gate.load(Ordering::Relaxed);
        if gate & OPEN == 0 || gate / EPOCH == *seen {
            return false;
        }
        let entered =
            self.gate.compare_exchange(gate, gate + 1, Ordering::Acquire, Ordering::Relaxed);
        if entered.is_ok() {
            *seen = gate / EPOCH;
            // SAFETY: this core is inside.
            let job = unsafe { *self.job.get() };
            job(1);
            self.gate.fetch_sub(1, Ordering::Release);
        }
        true // or else the gate has just changed: look again
    }
}

impl Workers for Pool {
    /// The other cores are all number 1 to the job.
    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.busy.swap(true, Ordering::Acquire) {
            // Another engine's work: this one does its own alone.
            return job(0);
        }
        // SAFETY: only the lifetime changes; `Close` keeps this call from ending while a core is inside.
        let lent = unsafe { core::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: the gate is closed, nobody is inside, and this core is the busy one.
        unsafe { *self.job.get() = lent };
        let close = Close(self);
        // The gate is closed and nobody inside: its lower bits are 0.
        self.gate.fetch_add(EPOCH | OPEN, Ordering::Release);
        (self.wake)();
        job(0);
        drop(close);
    }
}

/// The end of a job: closes the gate, and waits until nobody is inside.
struct Close<'a>(&'a Pool);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_and(!OPEN, Ordering::Relaxed);
        while self.0.gate.load(Ordering::Acquire) & INSIDE != 0 {
            spin_loop();
        }
        self.0.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::thread;

    use super::*;

    /// A pool with `helpers` threads that help until the program ends.
    fn pool(helpers: usize) -> &'static Pool {
        let pool: &'static Pool = std::boxed::Box::leak(std::boxed::Box::new(Pool::new(|| ())));
        for _ in 0..helpers {
            thread::spawn(|| pool.help_for_good(thread::yield_now));
        }
        pool
    }

    #[test]
    fn a_job_is_done_by_the_caller_and_at_most_once_by_each_other_and_is_over_when_run_returns() {
        for helpers in 0..4 {
            let pool = pool(helpers);
            let running = AtomicUsize::new(0);
            for _ in 0..1000 {
                let (calls, pieces) = (AtomicUsize::new(0), AtomicUsize::new(0));
                pool.run(&|_| {
                    running.fetch_add(1, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                    while pieces.fetch_add(1, Ordering::Relaxed) < 100 {}
                    running.fetch_sub(1, Ordering::Relaxed);
                });
                assert_eq!(running.load(Ordering::Relaxed), 0, "nobody is at it any more");
                assert!((1..=helpers + 1).contains(&calls.into_inner()));
                assert!(pieces.into_inner() >= 100);
            }
        }
    }

    #[test]
    fn all_come_to_a_long_job() {
        let pool = pool(3);
        for _ in 0..20 {
            let inside = AtomicUsize::new(0);
            pool.run(&|_| {
                inside.fetch_add(1, Ordering::Relaxed);
                while inside.load(Ordering::Relaxed) < 4 {
                    thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn the_count_of_jobs_may_start_anew() {
        let pool = pool(2);
        pool.gate.store(usize::MAX / EPOCH * EPOCH, Ordering::Relaxed);
        for _ in 0..100 {
            let calls = AtomicUsize::new(0);
            pool.run(&|_| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
            assert!((1..=3).contains(&calls.into_inner()));
        }
    }

    #[test]
    fn work_within_work_is_done() {
        let (pool, calls) = (pool(0), AtomicUsize::new(0));
        pool.run(&|_| pool.run(&|_| _ = calls.fetch_add(1, Ordering::Relaxed)));
        assert_eq!(calls.into_inner(), 1);
    }
}
