//! A row of 4-bit weights: `w = R · s · (4·(n - 8) + z)`, see [`acorn_core::format::encoding::q4`].
//!
//! With the row's scale R given, each block's sub-scale s and zero z are found by trying those near the
//! ones that just cover the block's range, and the nibbles for them by rounding. R itself is searched
//! around the value at which the widest block has the largest sub-scale.

use acorn_core::format::encoding::{BLOCK, q4, short};

use super::{absolute_max, usable};

/// Row scales tried, as parts of the one at which nothing is clipped.
const FACTORS: [f32; 5] = [0.82, 0.91, 1.0, 1.12, 1.43];

/// Sub-scales tried, as parts of the one that just covers the block's range.
const WIDTHS: [f32; 5] = [0.82, 0.9, 0.98, 1.06, 1.4];

/// The largest integer that a weight can be.
const REACH: f32 = 640.0;

/// A quantized row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) nibbles: Vec<u8>,
    pub(super) sub_scales: Vec<u8>,
    pub(super) zeros: Vec<i8>,
    pub(super) scale: f32,
}

impl Row {
    /// A row of zeros.
    pub(super) fn zero(len: usize) -> Self {
        Self {
            nibbles: vec![8; len],
            sub_scales: vec![1; len / BLOCK],
            zeros: vec![0; len / BLOCK],
            scale: 0.0,
        }
    }

    /// Quantizes a row whose length is a multiple of [`BLOCK`].
    pub(super) fn new(row: &[f32]) -> Self {
        let mut best = Self::zero(row.len());
        let blocks = row.as_chunks::<BLOCK>().0;
        let largest = absolute_max(row);
        // In units of the largest weight no square overflows.
        let unit = usable(largest, REACH);
        if unit == 0.0 {
            return best;
        }
        let scaled: Vec<[f32; BLOCK]> =
            blocks.iter().map(|block| block.map(|w| w / unit)).collect();
        let widest = scaled.iter().map(|block| span(block) / 15.0).fold(0.0, f32::max);
        let mut least = f32::INFINITY;
        for factor in FACTORS {
            let scale = usable(short(widest * factor / 64.0 * unit), REACH);
            if scale == 0.0 {
                continue;
            }
            let relative = scale / unit;
            let fits: Vec<Fit> = scaled.iter().map(|block| Fit::best(block, relative)).collect();
            let error = fits.iter().map(|fit| fit.error).sum();
            if error < least {
                least = error;
                best.scale = scale;
                best.take(&scaled, &fits, relative);
            }
        }
        best
    }

    fn take(&mut self, blocks: &[[f32; BLOCK]], fits: &[Fit], scale: f32) {
        let nibbles = self.nibbles.as_chunks_mut::<BLOCK>().0;
        let parameters = self.sub_scales.iter_mut().zip(&mut self.zeros);
        for ((block, fit), (nibbles, (s, z))) in
            blocks.iter().zip(fits).zip(nibbles.iter_mut().zip(parameters))
        {
            (*s, *z) = (fit.sub_scale, fit.zero);
            let step = 4.0 * scale * f32::from(fit.sub_scale);
            for (nibble, w) in nibbles.iter_mut().zip(block) {
                *nibble = nearest(w / step - f32::from(fit.zero) / 4.0 + 8.0) as u8;
            }
        }
    }

    /// What the weights stand for.
    pub(super) fn floats(&self) -> impl Iterator<Item = f32> {
        let blocks = self.sub_scales.iter().zip(&self.zeros);
        let blocks = blocks.flat_map(|(&s, &z)| [(s, z); BLOCK]);
        let weights = self.nibbles.iter().zip(blocks);
        weights.map(|(&n, (s, z))| f32::from(q4::weight(n, s, z)) * self.scale)
    }

    pub(super) fn as_packed(&self) -> q4::Row<'_> {
        q4::Row {
            nibbles: &self.nibbles,
            sub_scales: &self.sub_scales,
            zeros: &self.zeros,
            scale: self.scale,
        }
    }
}

/// A block's parameters, and their squared error.
#[derive(Clone, Copy, Debug)]
struct Fit {
    sub_scale: u8,
    zero: i8,
    error: f32,
}

impl Fit {
    fn best(block: &[f32; BLOCK], scale: f32) -> Self {
        let (low, high) = ends(block);
        let covering = span(block) / 15.0 / (4.0 * scale);
        let mut best = Self { sub_scale: 0, zero: 0, error: f32::INFINITY };
        for width in WIDTHS {
            let sub_scale = (width * covering).round().clamp(1.0, 16.0) as u8;
            if sub_scale == best.sub_scale {
                continue;
            }
            let step = 4.0 * scale * f32::from(sub_scale);
            // The middle of the nibbles, 7.5, at the middle of the range; or zero kept exact.
            let middle =
                (4.0 * (f32::midpoint(low, high) / step + 0.5)).round().clamp(-8.0, 7.0) as i8;
            for zero in [0, middle - 1, middle, middle + 1] {
                if q4::ZEROS.contains(&zero) {
                    let error = squared_error(block, step, f32::from(zero) / 4.0 - 8.0);
                    if error < best.error {
                        best = Self { sub_scale, zero, error };
                    }
                }
            }
        }
        best
    }
}

/// The least and the largest weight; zero is between.
fn ends(block: &[f32; BLOCK]) -> (f32, f32) {
    block.iter().fold((0.0, 0.0), |(low, high): (f32, f32), &w| (low.min(w), high.max(w)))
}

/// The width that a block's nibbles have to cover, given how far the zero can move: 15 steps, of
/// which at most 8 + 2 lie on one side.
fn span(block: &[f32; BLOCK]) -> f32 {
    let (low, high) = ends(block);
    (high - low).max(1.5 * high.max(-low))
}

/// Squared error of a block in steps of `step` from `offset` steps on, in eight sums so that the
/// compiler can use vectors without changing their order.
fn squared_error(block: &[f32; BLOCK], step: f32, offset: f32) -> f32 {
    let inverse = 1.0 / step;
    let mut sums = [0.0; 8];
    for eight in block.as_chunks::<8>().0 {
        for (sum, w) in sums.iter_mut().zip(eight) {
            let error = w - (nearest(w * inverse - offset) + offset) * step;
            *sum += error * error;
        }
    }
    sums.iter().sum()
}

/// The nearest of 0, …, 15 (ties to even): adding and taking away 1.5 · 2²³ rounds, in two vector
/// instructions on every machine.
fn nearest(n: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    (n.clamp(0.0, 15.0) + ROUND) - ROUND
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
        assert!(row.floats().take(32).all(|stored| stored == 0.0), "{row:?}");
        assert!(row.floats().zip(&weights).all(|(stored, w)| (stored - w).abs() < 2e-3), "{row:?}");
    }

    #[test]
    fn what_fits_is_exact() {
        // Two blocks with sub-scales 16 and 4, and zeros of a quarter and minus a half step.
        let weights: Vec<f32> = (0..64i16)
            .map(|i| {
                let n = (i % 16) as u8;
                f32::from(if i < 32 { q4::weight(n, 16, 1) } else { q4::weight(n, 4, -2) })
            })
            .collect();
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
