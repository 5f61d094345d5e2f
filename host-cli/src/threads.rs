//! Threads that an engine borrows: they wait for the next job by spinning a while, then sleep.
//!
//! A token is some hundreds of jobs of a few microseconds each. Waking a sleeping thread would take
//! longer than many of them; spinning for ever would take the processor from others.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{hint, io, mem};

use acorn_core::Workers;

/// How often a thread looks for a job before it sleeps: some 100 µs.
const SPINS: u32 = 5_000;

/// A job on loan: [`Threads::run`] does not return before all threads are done with it.
type Job = &'static (dyn Fn() + Sync);

/// A fixed number of threads, the caller's included.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    /// One job at a time.
    turn: Mutex<()>,
    handles: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Counts the jobs. Threads that have seen this one wait for the next.
    epoch: AtomicU64,
    job: UnsafeCell<Job>,
    /// Threads that still have the job.
    busy: AtomicUsize,
    /// A thread's job panicked.
    panicked: AtomicBool,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

// SAFETY: `job` is written only while no thread is busy, by the holder of `turn`, before `epoch` tells of
// it; threads read it only after they have seen that, and before `busy` tells that they are done.
unsafe impl Sync for Shared {}

impl Threads {
    /// Starts `count - 1` threads.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(count: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            job: UnsafeCell::new(&|| ()),
            busy: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut threads = Self { shared, turn: Mutex::new(()), handles: Vec::new() };
        for index in 1..count {
            let shared = Arc::clone(&threads.shared);
            let builder = thread::Builder::new().name(format!("acorn-{index}"));
            threads.handles.push(builder.spawn(move || shared.work())?);
        }
        Ok(threads)
    }
}

impl Shared {
    /// What a thread does until it is told to stop.
    fn work(&self) {
        let mut seen = 0;
        while let Some(epoch) = self.next(seen) {
            seen = epoch;
            // SAFETY: the epoch has changed, so the job was written before (see `Sync`).
            let job = unsafe { *self.job.get() };
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for an epoch other than `seen`; `None` when there will be none.
    fn next(&self, seen: u64) -> Option<u64> {
        for _ in 0..SPINS {
            let epoch = self.epoch.load(Ordering::Acquire);
            if epoch != seen {
                return Some(epoch);
            }
            hint::spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Sequentially consistent, as in `announce`: either this sees the new epoch, or that sees the
        // sleeper and waits for the lock to wake it.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let found = loop {
            let epoch = self.epoch.load(Ordering::SeqCst);
            if self.stop.load(Ordering::SeqCst) {
                break None;
            }
            if epoch != seen {
                break Some(epoch);
            }
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        found
    }

    /// Tells all threads of a new epoch.
    fn announce(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// Waits, when dropped, until no thread has the job any more: also when the caller's own call panics.
struct Wait<'s>(&'s Shared);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut spins = 0u32;
        while self.0.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins < SPINS { hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Workers for Threads {
    fn run(&self, job: &(dyn Fn() + Sync)) {
        if self.handles.is_empty() {
            return job();
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        {
            // SAFETY: only the lifetime changes; `Wait` keeps this call from ending, by return or panic,
            // while a thread has the job.
            let job: Job = unsafe { mem::transmute::<&(dyn Fn() + Sync), Job>(job) };
            shared.panicked.store(false, Ordering::Relaxed);
            shared.busy.store(self.handles.len(), Ordering::Relaxed);
            // SAFETY: no thread is busy, and this call has the turn.
            unsafe { *shared.job.get() = job };
        }
        let wait = Wait(shared);
        shared.announce();
        job();
        drop(wait);
        if shared.panicked.load(Ordering::Relaxed) {
            resume_unwind(Box::new("a thread's share of a job panicked"));
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for handle in self.handles.drain(..) {
            // A thread catches its panics.
            _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_does_every_job_once() {
        for count in 1..5 {
            let threads = Threads::new(count).expect("threads");
            for round in 0..2_000 {
                let calls = AtomicUsize::new(0);
                threads.run(&|| _ = calls.fetch_add(1, Ordering::Relaxed));
                assert_eq!(calls.into_inner(), count, "round {round}");
                if round % 500 == 0 {
                    thread::sleep(std::time::Duration::from_millis(5)); // long enough to fall asleep
                }
            }
        }
    }

    #[test]
    fn a_panic_comes_back_after_all_are_done() {
        let threads = Threads::new(3).expect("threads");
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| threads.run(&|| panic!("on purpose"))));
            assert!(result.is_err());
        }
        let calls = AtomicUsize::new(0);
        threads.run(&|| _ = calls.fetch_add(1, Ordering::Relaxed));
        assert_eq!(calls.into_inner(), 3);
    }
}
