//! Two cores that share the engine's work.
// A job lives on one core's stack and is called on the other: the lifetime in between is this file's to keep.
#![allow(unsafe_code)]

use core::hint::spin_loop;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use acorn_core::Workers;

/// A job, as one core leaves it for the other.
type Job<'a> = &'a (dyn Fn() + Sync);

/// Work for a second core (or thread), which calls [`help`](Self::help) again and again.
///
/// The core that has work leaves a pointer to it, does what it can, and takes the pointer back. If it is
/// gone, the other core is at it, and is waited for. A core that never helps is never waited for.
#[derive(Debug)]
pub struct TwoCores {
    /// Whether a core has work here: one at a time.
    busy: AtomicBool,
    /// A job that nobody has taken.
    job: AtomicPtr<Job<'static>>,
    /// Whether the one that was taken has been done.
    done: AtomicBool,
    /// Wakes the other core.
    wake: fn(),
}

impl TwoCores {
    /// `wake` is called when there is work, to end the other core's sleep: on Arm, `cortex_m::asm::sev`.
    pub const fn new(wake: fn()) -> Self {
        Self {
            busy: AtomicBool::new(false),
            job: AtomicPtr::new(null_mut()),
            done: AtomicBool::new(false),
            wake,
        }
    }

    /// For a second core that has nothing else to do: helps, and sleeps by `sleep` until it is woken (on Arm,
    /// `cortex_m::asm::wfe`).
    pub fn help_for_good(&self, sleep: fn()) -> ! {
        loop {
            self.help();
            sleep();
        }
    }

    /// For the second core: does the job that is waiting, if any.
    pub fn help(&self) {
        if self.job.load(Ordering::Relaxed).is_null() {
            return;
        }
        let job = self.job.swap(null_mut(), Ordering::Acquire);
        if !job.is_null() {
            // SAFETY: `run` put it there (Release), one at a time, and, finding it gone, does not return before `done` is
            // set below: the job and the reference to it live until then.
            let job = unsafe { *job };
            job();
            self.done.store(true, Ordering::Release);
        }
    }
}

impl Workers for TwoCores {
    fn run(&self, job: Job<'_>) {
        if self.busy.swap(true, Ordering::Acquire) {
            // Another engine's work: this one does its own alone.
            return job();
        }
        // SAFETY: the same type but for the lifetime, which `End` keeps: whoever took the job is waited for
        // before this function ends, in whatever way.
        let mut job: Job<'static> = unsafe { core::mem::transmute::<Job<'_>, Job<'static>>(job) };
        self.done.store(false, Ordering::Relaxed);
        self.job.store(&raw mut job, Ordering::Release);
        let end = End(self);
        (self.wake)();
        job();
        drop(end);
    }
}

/// The end of a job: takes it back, or waits until it is done.
struct End<'a>(&'a TwoCores);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.0.job.swap(null_mut(), Ordering::Relaxed).is_null() {
            while !self.0.done.load(Ordering::Acquire) {
                spin_loop();
            }
        }
        self.0.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[test]
    fn a_job_is_done_by_both_and_is_over_when_run_returns() {
        let cores = TwoCores::new(|| ());
        let stop = AtomicBool::new(false);
        let (calls, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let both = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    cores.help();
                }
            });
            for _ in 0..1000 {
                calls.store(0, Ordering::Relaxed);
                cores.run(&|| {
                    running.fetch_add(1, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::Relaxed);
                });
                assert_eq!(running.load(Ordering::Relaxed), 0, "nobody is at it any more");
                let calls = calls.load(Ordering::Relaxed);
                assert!((1..=2).contains(&calls), "{calls} calls");
                both.fetch_add(calls - 1, Ordering::Relaxed);
            }
            // The other core takes part sooner or later, however busy this machine is.
            while both.load(Ordering::Relaxed) == 0 {
                let calls = AtomicUsize::new(0);
                cores.run(&|| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                });
                both.fetch_add(calls.into_inner() - 1, Ordering::Relaxed);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_core_that_never_helps_is_not_waited_for_and_work_within_work_is_done() {
        let cores = TwoCores::new(|| ());
        let calls = AtomicUsize::new(0);
        cores.run(&|| {
            cores.run(&|| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(calls.into_inner(), 1);
    }
}
