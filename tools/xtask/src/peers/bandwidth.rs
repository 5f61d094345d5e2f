//! How fast this machine reads memory: the roof under which decoding stays, as each token reads all
//! weights once.

use std::hint::black_box;
use std::time::Instant;

/// Larger than any cache that a small machine has.
const BYTES: usize = 256 << 20;
/// Passes that are timed together, so that starting threads does not count.
const PASSES: usize = 4;
const TRIALS: usize = 5;

/// Bytes per second that so many threads read together: the best of several trials.
pub(super) fn measure(threads: u32) -> f64 {
    // Not zeros: those need no memory before they are written.
    let buffer = vec![1u64; BYTES / size_of::<u64>()];
    let share = buffer.len().div_ceil(threads.max(1) as usize);
    let trial = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in buffer.chunks(share) {
                scope.spawn(move || {
                    for _ in 0..PASSES {
                        black_box(
                            black_box(part).iter().fold(0, |sum: u64, n| sum.wrapping_add(*n)),
                        );
                    }
                });
            }
        });
        (PASSES * BYTES) as f64 / start.elapsed().as_secs_f64()
    };
    (0..TRIALS).map(|_| trial()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_that_of_memory_not_of_an_empty_loop() {
        let bandwidth = measure(1);
        assert!((1e8..1e12).contains(&bandwidth), "{bandwidth}");
    }
}
