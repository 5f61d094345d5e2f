//! Threads that an engine borrows.

use std::io;

use acorn_core::Workers;
use rayon::ThreadPool;

/// A fixed number of threads.
#[derive(Debug)]
pub struct Threads(ThreadPool);

impl Threads {
    /// Starts `count` threads (at least one).
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(count: usize) -> io::Result<Self> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(count.max(1));
        builder.build().map(Self).map_err(io::Error::other)
    }
}

impl Workers for Threads {
    fn run(&self, job: &(dyn Fn() + Sync)) {
        self.0.broadcast(|_| job());
    }
}
