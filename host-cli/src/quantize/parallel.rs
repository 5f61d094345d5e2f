//! Independent pieces of work on all cores. Which thread does which piece changes no result.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `job` for each of `items`, on as many threads as there are processors.
pub(super) fn each<T: Send>(items: impl Iterator<Item = T> + Send, job: impl Fn(T) + Sync) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let queue = Mutex::new(items);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(item) = next() {
                    job(item);
                }
            });
        }
    });
}
