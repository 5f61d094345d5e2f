//! The one door to threads: the core has none, a caller may lend some.

use core::ops::Range;

use crate::plan::{End, Items};

/// Numbers that a job goes through one by one before it is worth asking threads for help.
const WORTH_ASKING: usize = 1 << 13;

/// Tokens whose halves are worth working on apart: then weights that are laid out serve 32 of them.
const WORTH_HALVING: usize = 64;

/// On microcontrollers there is nothing to win.
const HALVES: usize = if cfg!(acorn_mcu) { 1 } else { 2 };

/// Tokens that a thread asks for at a time, at most: the threads' way to a common lock is long.
const MOST_ITEMS: usize = 8;

/// Threads that do one job together. Where the processor cannot hand out work safely, having no
/// compare-and-swap (Armv6-M: Cortex-M0+), the engine works on the caller's thread alone.
pub trait Workers: Sync {
    /// Calls `job` once on this thread and at most once on each of the others, and returns when all
    /// calls have returned. The job hands itself out in pieces, so that one call does it all if need be:
    /// a thread that comes late need not be waited for. It is told the thread's number: one that has the same
    /// in every job finds in its caches what it wrote in the last.
    fn run(&self, job: &(dyn Fn(usize) + Sync));
}

/// No threads but this one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl Workers for Inline {
    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        job(0);
    }
}

/// Has `job` done by all the workers.
#[cfg(target_has_atomic = "ptr")]
pub(super) fn share(workers: &dyn Workers, job: impl Fn(End) + Sync) {
    workers.run(&|thread| job(End::of(thread)));
}

/// Does `job` on this thread.
#[cfg(not(target_has_atomic = "ptr"))]
pub(super) fn share(_workers: &dyn Workers, job: impl Fn(End)) {
    job(End::First);
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
    share(workers, |_| {
        while let Some(item) = items.next() {
            work(item);
        }
    });
}

/// The same for tokens, of which each thread takes those at its [`End`]. (Microcontrollers, which take one token at a time, have nothing
/// to share.)
pub(super) fn share_tokens<I>(
    workers: &dyn Workers,
    numbers: usize,
    items: I,
    work: impl Fn(I::Item) + Sync,
) where
    I: DoubleEndedIterator<Item: Send> + ExactSizeIterator + Send,
{
    if cfg!(acorn_mcu) {
        return items.for_each(work);
    }
    let workers = if numbers < WORTH_ASKING { &Inline } else { workers };
    let items = Items::new(items);
    share(workers, |end| {
        loop {
            let some = items.some::<MOST_ITEMS>(end);
            if some[0].is_none() {
                return;
            }
            some.into_iter().flatten().for_each(&work);
        }
    });
}

/// Makes something of each half of the tokens, with their rows of `stride` values: threads each have one half before they help with the
/// other, so that what a thread works on stays in its caches from product to product. One half is empty where that is not worth it.
///
/// (A prompt of 128, SmolLM2's shape, two threads of a Granite Rapids, AVX2: 4 bits 1,527 tokens per second without, 1,713 with halves; 8 bits
/// 1,189 and 1,301.)
pub(super) fn halves<'v, T>(
    values: &'v mut [f32],
    stride: usize,
    tokens: usize,
    threads: usize,
    mut half: impl FnMut(Range<usize>, &'v mut [f32]) -> T,
) -> [T; HALVES] {
    let count = if threads > 1 && tokens >= WORTH_HALVING { HALVES } else { 1 };
    let mut rest = values;
    core::array::from_fn(|index| {
        let values = core::mem::take(&mut rest);
        if HALVES == 1 {
            return half(0..tokens, values);
        }
        let [start, end] = [index, index + 1].map(|index| (index * tokens / count).min(tokens));
        let (values, others) =
            values.split_at_mut_checked((end - start) * stride).unwrap_or_default();
        rest = others;
        half(start..end, values)
    })
}
