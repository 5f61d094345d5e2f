//! Threads that an engine borrows: they wait for the next job by spinning a while, then sleep.
//!
//! A token is some hundreds of jobs of a few microseconds each. Waking a sleeping thread would take
//! longer than many of them; spinning for ever would take the processor from others.
//!
//! A thread enters a job through its gate, and the caller, when it finds nothing left to do, closes the
//! gate and waits for those inside only: a thread that the system keeps from running holds up nobody.
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
type Job = &'static (dyn Fn(usize) + Sync);

/// A fixed number of threads, the caller's included.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    /// One job at a time.
    turn: Mutex<()>,
    handles: Vec<JoinHandle<()>>,
}

/// In [`Shared::gate`]: threads may enter the job.
const OPEN: u64 = 1 << 31;

/// One job more; the bits below [`OPEN`] count the threads inside.
const EPOCH: u64 = 1 << 32;

/// The threads inside.
const INSIDE: u64 = OPEN - 1;

struct Shared {
    /// The number of the job, whether it is open, and how many threads are inside.
    gate: AtomicU64,
    job: UnsafeCell<Job>,
    /// A thread's job panicked.
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Threads that take part, the caller included.
    most: AtomicUsize,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    /// There is a job.
    wake: Condvar,
    /// More threads take part.
    admit: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

// SAFETY: `job` is written only by the holder of `turn`, while the gate is closed and no thread inside;
// threads read it only inside, which they enter through the gate that was opened after the write.
unsafe impl Sync for Shared {}

impl Threads {
    /// Starts `count - 1` threads.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(count: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: UnsafeCell::new(&|_| ()),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            most: AtomicUsize::new(count),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            admit: Condvar::new(),
        });
        let mut threads = Self { shared, turn: Mutex::new(()), handles: Vec::new() };
        for index in 1..count {
            let shared = Arc::clone(&threads.shared);
            let builder = thread::Builder::new().name(format!("acorn-{index}"));
            threads.handles.push(builder.spawn(move || shared.work(index))?);
        }
        Ok(threads)
    }

    /// Has at most `count` threads take part in the jobs from now on, the caller included. The others sleep; one
    /// that is looking for a job just now may still come to the next.
    pub fn limit(&self, count: usize) {
        let _guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.most.store(count.max(1), Ordering::Relaxed);
        self.shared.admit.notify_all();
    }
}

impl Shared {
    /// What the thread of that index does until it is told to stop.
    fn work(&self, index: usize) {
        let mut seen = 0;
        while let Some(gate) = self.next(seen, index) {
            if self.enter(gate) {
                seen = gate / EPOCH;
                // SAFETY: this thread is inside.
                let job = unsafe { *self.job.get() };
                if catch_unwind(AssertUnwindSafe(|| job(index))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                self.gate.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Enters the job that `gate` told of, unless anything has changed since.
    fn enter(&self, gate: u64) -> bool {
        self.gate.compare_exchange(gate, gate + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Waits until a job later than `seen` is open for that thread; `None` when there will be none.
    fn next(&self, seen: u64, index: usize) -> Option<u64> {
        loop {
            let mut gate = 0;
            for _ in 0..SPINS {
                gate = self.gate.load(Ordering::Relaxed);
                if gate & OPEN != 0 && gate / EPOCH != seen {
                    if self.takes_part(index) {
                        return Some(gate);
                    }
                    break;
                }
                hint::spin_loop();
            }
            if !self.takes_part(index) {
                if !self.rest(index) {
                    return None;
                }
                continue;
            }
            if !self.sleep(gate / EPOCH) {
                return None;
            }
            // By now that job may be over, but more will follow it: look again.
        }
    }

    /// Whether the thread of that index is one of those that [`Threads::limit`] lets work.
    fn takes_part(&self, index: usize) -> bool {
        index < self.most.load(Ordering::Relaxed)
    }

    /// Sleeps until that thread takes part again; no job wakes it. Returns false when there will be none.
    fn rest(&self, index: usize) -> bool {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.takes_part(index) {
            if self.stop.load(Ordering::SeqCst) {
                return false;
            }
            guard = self.admit.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Sleeps until there is another job than `last`. Returns false when there will be none.
    fn sleep(&self, last: u64) -> bool {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Sequentially consistent, as in `open`: either this sees the new job, or that sees the sleeper
        // and waits for the lock to wake it.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let more = loop {
            if self.stop.load(Ordering::SeqCst) {
                break false;
            }
            if self.gate.load(Ordering::SeqCst) / EPOCH != last {
                break true;
            }
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        more
    }

    /// Opens the gate to the next job.
    fn open(&self) {
        // No thread is inside and the gate is closed: the lower half is 0.
        self.gate.fetch_add(EPOCH | OPEN, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// Closes the gate when dropped, and waits until no thread is inside: also when the caller's own call
/// panics.
struct Close<'s>(&'s Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_and(!OPEN, Ordering::Relaxed);
        let mut spins = 0u32;
        while self.0.gate.load(Ordering::Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < SPINS { hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Workers for Threads {
    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.handles.is_empty() || !self.shared.takes_part(1) {
            return job(0);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        {
            // SAFETY: only the lifetime changes; `Close` keeps this call from ending, by return or panic,
            // while a thread is inside.
            let job: Job = unsafe { mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
            shared.panicked.store(false, Ordering::Relaxed);
            // SAFETY: the gate is closed, no thread is inside, and this call has the turn.
            unsafe { *shared.job.get() = job };
        }
        let close = Close(shared);
        shared.open();
        job(0);
        drop(close);
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
        self.shared.admit.notify_all();
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
    fn a_job_is_done_by_the_caller_and_at_most_once_by_each_other_thread() {
        for count in 1..5 {
            let threads = Threads::new(count).expect("threads");
            for round in 0..2_000 {
                let (calls, pieces) = (AtomicUsize::new(0), AtomicUsize::new(0));
                threads.run(&|_| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    while pieces.fetch_add(1, Ordering::Relaxed) < 100 {}
                });
                assert!((1..=count).contains(&calls.into_inner()), "round {round}");
                assert!(pieces.into_inner() >= 100);
                if round % 500 == 0 {
                    thread::sleep(std::time::Duration::from_millis(5)); // long enough to fall asleep
                }
            }
        }
    }

    #[test]
    fn all_threads_come_to_a_long_job_with_a_number_each() {
        let threads = Threads::new(3).expect("threads");
        for _ in 0..20 {
            let inside = AtomicUsize::new(0);
            let numbers = AtomicUsize::new(0);
            threads.run(&|number| {
                inside.fetch_add(1, Ordering::Relaxed);
                numbers.fetch_or(1 << number, Ordering::Relaxed);
                while inside.load(Ordering::Relaxed) < 3 {
                    thread::yield_now();
                }
            });
            assert_eq!(numbers.into_inner(), 0b111);
            thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn a_limit_keeps_threads_out_until_it_is_lifted() {
        let threads = Threads::new(4).expect("threads");
        for round in 0..30 {
            for limit in [3, 1, 4, 2] {
                threads.limit(limit);
                // One that was looking for a job when the limit was set may still come to one.
                thread::sleep(std::time::Duration::from_millis(1));
                threads.run(&|_| ());
                let inside = AtomicUsize::new(0);
                threads.run(&|_| {
                    inside.fetch_add(1, Ordering::Relaxed);
                    // All that may come do come.
                    while inside.load(Ordering::Relaxed) < limit {
                        thread::yield_now();
                    }
                });
                assert_eq!(inside.into_inner(), limit, "round {round}");
            }
        }
    }

    #[test]
    fn a_panic_comes_back_after_all_are_done() {
        let threads = Threads::new(3).expect("threads");
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| threads.run(&|_| panic!("on purpose"))));
            assert!(result.is_err());
        }
        let calls = AtomicUsize::new(0);
        threads.run(&|_| _ = calls.fetch_add(1, Ordering::Relaxed));
        assert!(calls.into_inner() >= 1);
    }
}
