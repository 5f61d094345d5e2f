//! Independent pieces of work on all cores. Which thread does which piece changes no result.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use acorn_core::Plan;
use acorn_core::plan::ALIGNMENT;

/// Does `job` for each of `items`, on as many threads as there are processors.
pub(super) fn each<T: Send>(items: impl Iterator<Item = T> + Send, job: impl Fn(T) + Sync) {
    each_with(items, || (), |(), item| job(item));
}

/// The same with something that each thread has of its own: memory that is dear to take anew for each item.
pub(super) fn each_with<T: Send, Own>(
    items: impl Iterator<Item = T> + Send,
    own: impl Fn() -> Own + Sync,
    job: impl Fn(&mut Own, T) + Sync,
) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let queue = Mutex::new(items);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut own = own();
                while let Some(item) = next() {
                    job(&mut own, item);
                }
            });
        }
    });
}

/// The memory of a plan's arena.
pub(super) struct Arena(Vec<u8>);

impl Arena {
    /// Enough for `plan`.
    pub(super) fn new(plan: &Plan) -> Self {
        Self(vec![0; plan.arena_bytes() + ALIGNMENT])
    }

    /// The bytes, aligned.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(ALIGNMENT);
        let len = self.0.len() - ALIGNMENT;
        &mut self.0[start..start + len]
    }
}
