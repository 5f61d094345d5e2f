//! A row of 4-bit weights: `w = R · s · (n - 8)`, see [`acorn_core::format::encoding::q4`].
//!
//! With the row's scale R given, each block's best sub-scale s is found by trying all 16, and the
//! best nibbles for it by rounding. R itself is searched around the value that just lets the row's
//! widest block reach its extreme weight with s = ±8, then refitted by least squares.

use acorn_core::format::encoding::{BLOCK, q4};

use super::{absolute_max, usable};

/// Row scales tried, as parts of the one at which nothing is clipped.
const FACTORS: [f32; 12] = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.04, 1.08, 1.14];

/// The extreme weight that a block reaches: sub-scale 8 times nibble weight -8.
const REACH: f32 = 64.0;

/// A quantized row.
#[derive(Debug)]
pub(super) struct Row {
    nibbles: Vec<u8>,
    sub_scales: Vec<i8>,
    scale: f32,
}

impl Row {
    /// Quantizes a row whose length is a multiple of [`BLOCK`].
    pub(super) fn new(row: &[f32]) -> Self {
        let unit = usable(absolute_max(row) / REACH, REACH);
        let mut zero = Self {
            nibbles: vec![q4::ZERO_POINT; row.len()],
            sub_scales: vec![1; row.len() / BLOCK],
            scale: 0.0,
        };
        if unit == 0.0 {
            return zero;
        }
        // In units of the first scale, all weights are within ±64 and no square overflows.
        let weights: Vec<f32> = row.iter().map(|w| w / unit).collect();
        let blocks = weights.as_chunks::<BLOCK>().0;
        let total = |factor: f32| -> f32 {
            blocks.iter().map(|block| best_sub_scale(block, factor).1).sum()
        };
        let mut best = (f32::INFINITY, 1.0);
        for factor in FACTORS {
            let error = total(factor);
            if error < best.0 {
                best = (error, factor);
            }
        }
        let factor = best.1;
        for ((block, sub), nibbles) in
            blocks.iter().zip(&mut zero.sub_scales).zip(zero.nibbles.as_chunks_mut::<BLOCK>().0)
        {
            *sub = best_sub_scale(block, factor).0;
            let inverse = 1.0 / (factor * f32::from(*sub));
            for (nibble, w) in nibbles.iter_mut().zip(block) {
                *nibble = (nearest(w * inverse) + f32::from(q4::ZERO_POINT)) as u8;
            }
        }
        zero.scale = usable(zero.refit(&weights, factor) * unit, REACH);
        zero
    }

    /// The scale at which the chosen integers are nearest to the weights (least squares).
    fn refit(&self, weights: &[f32], otherwise: f32) -> f32 {
        let (mut along, mut square) = (0.0, 0.0);
        for (q, w) in self.integers().zip(weights) {
            along += f64::from(q) * f64::from(*w);
            square += f64::from(q).powi(2);
        }
        if along > 0.0 { (along / square) as f32 } else { otherwise }
    }

    /// `s · (n - 8)` of each weight.
    fn integers(&self) -> impl Iterator<Item = f32> {
        let subs = self.sub_scales.iter().flat_map(|&sub| [sub; BLOCK]);
        let nibbles = self.nibbles.iter().map(|&nibble| q4::centred(nibble));
        nibbles.zip(subs).map(|(n, sub)| f32::from(n * i16::from(sub)))
    }

    /// What the weights stand for.
    pub(super) fn floats(&self) -> impl Iterator<Item = f32> {
        self.integers().map(|q| q * self.scale)
    }

    pub(super) fn as_packed(&self) -> q4::Row<'_> {
        q4::Row { nibbles: &self.nibbles, sub_scales: &self.sub_scales, scale: self.scale }
    }
}

/// The sub-scale with the least squared error, and that error.
fn best_sub_scale(block: &[f32; BLOCK], factor: f32) -> (i8, f32) {
    // The sub-scale that just reaches the extreme weight. Much smaller ones clip too much, larger
    // ones are only coarser: neither can be the best, and leaving them out halves the time.
    let reaching = absolute_max(block) / (8.0 * factor);
    let least = (0.6 * reaching).clamp(1.0, 8.0) as i8;
    let most = (1.3 * reaching).ceil().clamp(1.0, 8.0) as i8;
    let mut best = (1, f32::INFINITY);
    for magnitude in least..=most {
        for sub in [magnitude, -magnitude] {
            let error = squared_error(block, factor * f32::from(sub));
            if error < best.1 {
                best = (sub, error);
            }
        }
    }
    best
}

/// Squared error of a block in steps of `step`, in eight sums so that the compiler can use vectors
/// without changing their order.
fn squared_error(block: &[f32; BLOCK], step: f32) -> f32 {
    let inverse = 1.0 / step;
    let mut sums = [0.0; 8];
    for eight in block.as_chunks::<8>().0 {
        for (sum, w) in sums.iter_mut().zip(eight) {
            let error = w - nearest(w * inverse) * step;
            *sum += error * error;
        }
    }
    sums.iter().sum()
}

/// The nearest of -8, …, 7 (ties to even): adding and taking away 1.5 · 2²³ rounds, in two vector
/// instructions on every machine.
fn nearest(w: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    (w.clamp(-8.0, 7.0) + ROUND) - ROUND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_exact() {
        let row = Row::new(&[0.0; 64]);
        assert_eq!(row.scale, 0.0);
        assert!(row.floats().all(|w| w == 0.0));
    }

    #[test]
    fn a_zero_block_in_a_row_is_exact() {
        let mut weights = [0.0; 64];
        weights[40] = 0.3;
        let row = Row::new(&weights);
        assert!(row.floats().zip(&weights).all(|(stored, w)| (stored - w).abs() < 1e-7));
    }

    #[test]
    fn what_fits_is_exact() {
        let weights: Vec<f32> =
            (0..64).map(|i| if i < 32 { (i % 16) - 8 } else { 8 * (8 - i % 16) } as f32).collect();
        let row = Row::new(&weights);
        assert!(row.floats().eq(weights), "{row:?}");
    }

    #[test]
    fn extremes_stay_finite() {
        for extreme in [f32::MAX, f32::MIN_POSITIVE, 1e-44, 1e-37] {
            let row = Row::new(&[extreme, -extreme].repeat(16));
            assert!(row.scale.is_finite() && row.floats().all(f32::is_finite));
        }
    }
}
