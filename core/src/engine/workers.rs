//! The one door to threads: the core has none, a caller may lend some.

/// Threads that do one job together.
pub trait Workers: Sync {
    /// Calls `job` once on each thread (this one included) and returns when all calls have
    /// returned. The job hands itself out in pieces, so any number of calls does it, one too.
    fn run(&self, job: &(dyn Fn() + Sync));
}

/// No threads but this one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl Workers for Inline {
    fn run(&self, job: &(dyn Fn() + Sync)) {
        job();
    }
}
