//! The one door to threads: the core has none, a caller may lend some.

use crate::plan::Items;

/// Numbers that a job goes through one by one before it is worth asking threads for help.
const WORTH_ASKING: usize = 1 << 13;

/// Threads that do one job together. Where the processor cannot hand out work safely, having no
/// compare-and-swap (Armv6-M: Cortex-M0+), the engine works on the caller's thread alone.
pub trait Workers: Sync {
    /// Calls `job` once on this thread and at most once on each of the others, and returns when all
    /// calls have returned. The job hands itself out in pieces, so that one call does it all if need be:
    /// a thread that comes late need not be waited for.
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

/// Has `work` done with each of the `items`, which go through `numbers` numbers in all.
pub(super) fn share_items<I>(
    workers: &dyn Workers,
    numbers: usize,
    items: I,
    work: impl Fn(I::Item) + Sync,
) where
    I: Iterator<Item: Send> + Send,
{
    let workers = if numbers < WORTH_ASKING { &Inline } else { workers };
    let items = Items::new(items);
    share(workers, || {
        while let Some(item) = items.next() {
            work(item);
        }
    });
}
