//! The one door to threads: the core has none, a caller may lend some.

/// Threads that do one job together. Where the processor cannot hand out work safely, having no
/// compare-and-swap (Armv6-M: Cortex-M0+), the engine works on the caller's thread alone.
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

/// Has `job` done by all the workers.
#[cfg(target_has_atomic = "ptr")]
pub(super) fn share(workers: &dyn Workers, job: impl Fn() + Sync) {
    workers.run(&job);
}

/// Does `job` on this thread.
#[cfg(not(target_has_atomic = "ptr"))]
pub(super) fn share(_workers: &dyn Workers, job: impl Fn()) {
    job();
}
