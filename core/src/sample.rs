//! From logits to a token: greedy, or drawn from a cut-down distribution.
//!
//! ```text
//! repeat penalty → temperature → top-k → top-p → min-p → draw
//! ```
//!
//! Works in place on the logits, without a list of candidates or a sort: the cuts of top-k and
//! top-p are thresholds, found by halving the range of float bits, 32 passes at most. Equal logits
//! are kept lowest token first, so the same seed gives the same tokens everywhere.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt;

use crate::math::{exp, max, sum};

/// How to choose. The default is greedy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions {
    /// Logits are divided by this; 0 is greedy. Finite, not negative.
    pub temperature: f32,
    /// Only this many most likely tokens; 0 for all.
    pub top_k: u32,
    /// Only the most likely tokens that together reach this probability (arXiv 1904.09751);
    /// above 0, at most 1 (all).
    pub top_p: f32,
    /// Only tokens at least this probable relative to the most likely one (arXiv 2407.01082);
    /// 0 (all) to 1.
    pub min_p: f32,
    /// Logits of recent tokens are divided by this if positive, else multiplied (arXiv
    /// 1909.05858); 1 for no penalty. Finite, above 0.
    pub repeat_penalty: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, repeat_penalty: 1.0, seed: 0 }
    }
}

/// An option out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerError {
    /// The option.
    pub option: &'static str,
    /// Its value.
    pub found: f32,
    /// What it must be.
    pub expected: &'static str,
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} but must be {}", self.option, self.found, self.expected)
    }
}

impl core::error::Error for SamplerError {}

/// Chooses tokens, with its own stream of random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    options: SamplerOptions,
    random: SplitMix64,
}

impl Sampler {
    /// A sampler with these options.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn new(options: SamplerOptions) -> Result<Self, SamplerError> {
        let SamplerOptions { temperature, top_p, min_p, repeat_penalty, .. } = options;
        let check = |ok: bool, option, found, expected| match ok {
            true => Ok(()),
            false => Err(SamplerError { option, found, expected }),
        };
        let finite = temperature.is_finite() && temperature >= 0.0;
        check(finite, "temperature", temperature, "a number from 0 (greedy) on")?;
        check(top_p > 0.0 && top_p <= 1.0, "top-p", top_p, "above 0 and at most 1")?;
        check((0.0..=1.0).contains(&min_p), "min-p", min_p, "from 0 to 1")?;
        let positive = repeat_penalty.is_finite() && repeat_penalty > 0.0;
        check(positive, "repeat penalty", repeat_penalty, "a number above 0")?;
        Ok(Self { options, random: SplitMix64(options.seed) })
    }

    /// Chooses a token by `logits` `[vocab_size]`, which are changed. `recent` are the tokens that the
    /// repeat penalty looks at, in any order. A NaN counts as impossible.
    pub fn sample(&mut self, logits: &mut [f32], recent: &[u32]) -> u32 {
        penalize(logits, recent, self.options.repeat_penalty);
        let largest = max(logits);
        if self.options.temperature == 0.0 || !largest.is_finite() {
            return greedy(logits);
        }
        let inverse = 1.0 / self.options.temperature;
        for logit in logits.iter_mut() {
            let weight = exp((*logit - largest) * inverse);
            *logit = if weight.is_nan() { 0.0 } else { weight };
        }
        let weights = logits;
        if self.options.top_k > 0 {
            let k = usize::try_from(self.options.top_k).unwrap_or(usize::MAX);
            keep(weights, &|kept| kept.count >= k);
        }
        if self.options.top_p < 1.0 {
            let mass = sum(weights) * self.options.top_p;
            keep(weights, &|kept| kept.mass >= mass);
        }
        for weight in weights.iter_mut() {
            // The most likely token's weight is 1.
            if *weight < self.options.min_p {
                *weight = 0.0;
            }
        }
        draw(weights, self.random.unit())
    }
}

/// Divides (or multiplies, where negative) the logits of recent tokens, each once.
fn penalize(logits: &mut [f32], recent: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    for (i, &token) in recent.iter().enumerate() {
        let seen = recent.iter().take(i).any(|&other| other == token);
        let logit = usize::try_from(token).ok().and_then(|token| logits.get_mut(token));
        if let (false, Some(logit)) = (seen, logit) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

/// The most likely token: the lowest index of the largest of `logits` `[vocab_size]`. NaN is never
/// the largest; 0 where there is none. What a [`Sampler`] of temperature 0 does, without its code.
pub fn greedy(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &value) in (0..).zip(logits) {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

/// So few weights are looked through apart from the others; microcontrollers have no stack for them, and
/// small vocabularies.
const FEW: usize = if cfg!(acorn_mcu) { 0 } else { 256 };

/// Weights at or above a threshold: how many, and their sum.
#[derive(Clone, Copy)]
struct Kept {
    count: usize,
    mass: f32,
}

/// Sets to zero all but the largest weights: the fewest that are `enough`, or all. Among weights
/// equal to the smallest kept, the first ones stay, while what is kept before them is not.
fn keep(weights: &mut [f32], enough: &dyn Fn(Kept) -> bool) {
    let above = |weights: &[f32], least: f32| {
        let mut kept = Kept { count: 0, mass: 0.0 };
        for &weight in weights {
            if weight >= least {
                kept = Kept { count: kept.count + 1, mass: kept.mass + weight };
            }
        }
        kept
    };
    // Weights are 0 to 1, and the bits of such floats are ordered as they are. The largest
    // threshold that keeps enough lies in low..high.
    let (mut low, mut high) = (0, 1.0f32.to_bits() + 1);
    let (mut few, mut count) = ([0.0; FEW], None);
    while high - low > 1 {
        let middle = low.midpoint(high);
        let least = f32::from_bits(middle);
        let rest = count.and_then(|count| few.get(..count)).unwrap_or(weights);
        let kept = above(rest, least);
        if !enough(kept) {
            high = middle;
            continue;
        }
        low = middle;
        if !cfg!(acorn_mcu)
            && count.is_none()
            && let Some(few) = few.get_mut(..kept.count)
        {
            // What is below can be forgotten.
            let largest = weights.iter().filter(|weight| **weight >= least);
            few.iter_mut().zip(largest).for_each(|(few, weight)| *few = *weight);
            count = Some(kept.count);
        }
    }
    let threshold = f32::from_bits(low);
    let mut kept = above(weights, f32::from_bits(high));
    for weight in weights {
        if *weight < threshold {
            *weight = 0.0;
        } else if *weight == threshold {
            match enough(kept) {
                true => *weight = 0.0,
                false => kept = Kept { count: kept.count + 1, mass: kept.mass + *weight },
            }
        }
    }
}

/// The index where the running sum of `weights` passes `unit` (0 to 1) of the whole.
fn draw(weights: &[f32], unit: f32) -> u32 {
    let target = weights.iter().fold(0.0, |sum, weight| sum + weight) * unit;
    let (mut running, mut last) = (0.0, 0);
    for (index, &weight) in (0..).zip(weights) {
        if weight > 0.0 {
            (running, last) = (running + weight, index);
            if running > target {
                break;
            }
        }
    }
    last
}

/// Random numbers (G. Steele et al., "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Copy, Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A float in 0..1, a multiple of 2⁻²⁴.
    fn unit(&mut self) -> f32 {
        let bits = (self.next() >> 40) as u32;
        bits as f32 * (1.0 / 16_777_216.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn kept(weights: &[f32]) -> Vec<usize> {
        (0..weights.len()).filter(|&i| weights[i] > 0.0).collect()
    }

    #[test]
    fn top_k_keeps_the_largest_lowest_first() {
        let mut weights = [0.5, 1.0, 0.25, 0.5, 0.5, 0.1];
        keep(&mut weights, &|kept| kept.count >= 3);
        assert_eq!(kept(&weights), [0, 1, 3]);
    }

    #[test]
    fn top_k_beyond_all_keeps_all() {
        let mut weights = [0.5, 1.0, 0.25];
        keep(&mut weights, &|kept| kept.count >= 9);
        assert_eq!(kept(&weights), [0, 1, 2]);
    }

    #[test]
    fn top_p_keeps_the_fewest_that_reach_it() {
        let mut weights = [0.2, 1.0, 0.5, 0.3];
        keep(&mut weights, &|kept| kept.mass >= 1.4);
        assert_eq!(kept(&weights), [1, 2]);
    }

    #[test]
    fn of_many_weights_the_same_are_kept_as_by_sorting() {
        // Few different ones, so that some are equal where the line is drawn.
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 4096.0;
        let weights: Vec<f32> = (0..20_000).map(|i| noise(i).powi(3)).chain([1.0]).collect();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        for k in [1, 2, 40, 255, 256, 257, 5_000] {
            let mut expected = order[..k].to_vec();
            expected.sort_unstable();
            let mut found = weights.clone();
            keep(&mut found, &|kept| kept.count >= k);
            assert_eq!(kept(&found), expected, "{k}");
            // What is left, cut again by its sum: never more than enough.
            let mass = sum(&found) * 0.9;
            keep(&mut found, &|kept| kept.mass >= mass);
            let least = found.iter().filter(|w| **w > 0.0).fold(1.0, |least: f32, w| least.min(*w));
            let left: f32 = found.iter().sum();
            assert!(left >= mass * 0.9999 && left - least < mass * 1.0001, "{k}: {left} of {mass}");
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let options = SamplerOptions { temperature: 1.0, seed: 7, ..Default::default() };
        let mut sampler = Sampler::new(options).unwrap();
        let mut counts = [0u32; 3];
        for _ in 0..30_000 {
            let mut logits = [0.0, libm::logf(2.0), libm::logf(3.0)];
            let token = sampler.sample(&mut logits, &[]);
            counts[token as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([5_000.0, 10_000.0, 15_000.0]) {
            assert!((f64::from(count) - expected).abs() < 300.0, "{counts:?}");
        }
    }

    #[test]
    fn greedy_ignores_nan_and_takes_the_first_of_equals() {
        let mut sampler = Sampler::new(SamplerOptions::default()).unwrap();
        assert_eq!(sampler.sample(&mut [f32::NAN, 1.0, 2.0, 2.0], &[]), 2);
        assert_eq!(sampler.sample(&mut [f32::NAN; 4], &[]), 0);
    }

    #[test]
    fn the_repeat_penalty_counts_a_token_once() {
        let mut logits = [2.0, -2.0, 1.0];
        penalize(&mut logits, &[0, 1, 0, 9], 2.0);
        assert_eq!(logits, [1.0, -4.0, 1.0]);
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let refused = |options| Sampler::new(options).err().map(|error| error.option);
        let default = SamplerOptions::default();
        let bad = [
            (SamplerOptions { temperature: -1.0, ..default }, "temperature"),
            (SamplerOptions { top_p: 0.0, ..default }, "top-p"),
            (SamplerOptions { min_p: 1.5, ..default }, "min-p"),
            (SamplerOptions { repeat_penalty: f32::NAN, ..default }, "repeat penalty"),
        ];
        for (options, name) in bad {
            assert_eq!(refused(options), Some(name));
        }
    }
}
