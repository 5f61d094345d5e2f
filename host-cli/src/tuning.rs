//! How many threads decode fastest: found out by decoding.
//!
//! A token reads all weights once; often fewer threads than there are processors take all that the memory (or
//! a disk) gives, and more are in each other's way. Their number never changes a bit, so the first tokens of a
//! text are the measurement: none is fed twice, and the text is the same whatever is found.
//!
//! ```text
//! 4 threads: 3 tokens → 2 threads: 3 tokens → 1 thread: 3 tokens (or: clearly slower, no fewer are tried) → the best
//! ```

/// Tokens at each number of threads; the fastest counts, so that what else the machine does counts little.
const TOKENS: u32 = 3;

/// How much slower than the best is clearly slower.
const CLEARLY: f64 = 1.1;

/// How much slower than the best is as fast.
const AS_FAST: f64 = 1.02;

/// A choice under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Threads of the next token.
    count: u32,
    /// Tokens decoded with as many, and the least seconds one took.
    tokens: u32,
    least: f64,
    /// What was tried before: threads, and seconds per token.
    tried: Vec<(u32, f64)>,
    settled: bool,
}

impl Tuning {
    /// A choice among up to `most` threads.
    pub fn new(most: u32) -> Self {
        let settled = most <= 1;
        Self { count: most.max(1), tokens: 0, least: f64::INFINITY, tried: Vec::new(), settled }
    }

    /// Threads for the next token.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether the choice is made.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Told that a token took `seconds` with [`Tuning::count`] threads.
    pub fn took(&mut self, seconds: f64) {
        if self.settled {
            return;
        }
        self.tokens += 1;
        self.least = self.least.min(seconds);
        if self.tokens < TOKENS {
            return;
        }
        self.tried.push((self.count, self.least));
        let best = self.tried.iter().map(|&(_, seconds)| seconds).fold(f64::INFINITY, f64::min);
        if self.count > 1 && self.least <= best * CLEARLY {
            (self.tokens, self.least) = (0, f64::INFINITY);
            // The next power of two below.
            self.count = 1 << (self.count - 1).ilog2();
            return;
        }
        // The fewest that are as fast: the others may sleep.
        let fewest = self.tried.iter().rev().find(|&&(_, seconds)| seconds <= best * AS_FAST);
        self.count = fewest.map_or(self.count, |&(count, _)| count);
        self.settled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts tried, a token each, and the one chosen, where a token takes `seconds(threads)`.
    fn choose(most: u32, seconds: impl Fn(u32) -> f64) -> (Vec<u32>, u32) {
        let mut tuning = Tuning::new(most);
        let mut tried = Vec::new();
        while !tuning.is_settled() {
            tried.push(tuning.count());
            tuning.took(seconds(tuning.count()));
            assert!(tried.len() < 100);
        }
        tried.dedup();
        (tried, tuning.count())
    }

    #[test]
    fn the_fastest_count_is_chosen() {
        // A bus that two threads fill; more are in each other's way.
        assert_eq!(choose(4, |n| [0.0, 1.8, 1.0, 1.05, 1.1][n as usize]), (vec![4, 2, 1], 2));
        // Work that scales: the first step down tells.
        assert_eq!(choose(8, |n| 1.0 / f64::from(n)), (vec![8, 4], 8));
        // A disk: one is as fast as any.
        assert_eq!(choose(6, |_| 1.0), (vec![6, 4, 2, 1], 1));
        assert_eq!(choose(3, f64::from), (vec![3, 2, 1], 1));
        assert_eq!(choose(1, |_| 1.0), (vec![], 1));
        assert_eq!(choose(0, |_| 1.0), (vec![], 1));
    }

    #[test]
    fn a_token_that_was_held_up_does_not_count() {
        let mut tuning = Tuning::new(2);
        for seconds in [9.0, 1.0, 9.0, 2.0, 1.5, 9.0] {
            tuning.took(seconds);
        }
        assert!(tuning.is_settled());
        assert_eq!(tuning.count(), 2);
        tuning.took(0.1);
        assert_eq!(tuning.count(), 2);
    }
}
