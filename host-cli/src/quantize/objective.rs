//! What a calibrated row is measured by: the squared error of its products with typical inputs.
//!
//! ```text
//! min over q of  Σ_t (w·x_t - q·x̂_t)²   =   (w' - q)·H·(w' - q)ᵀ + const
//! H = E[x̂ᵀx̂] + λ·1        w' = w·(E[xᵀx̂] + λ·1)·H⁻¹
//! ```
//!
//! x̂ are the inputs as the quantized matrices before this one make them, x those of the original
//! model: aiming at w' instead of w also makes up for what went wrong before (GPTAQ, arXiv 2504.02692).

use acorn_core::format::encoding::BLOCK;

use super::linalg::Square;

/// λ as a part of H's mean diagonal (GPTQ, arXiv 2210.17323, §3.3).
const DAMPING: f64 = 0.01;

/// λ of padding columns: their inputs are zero, so that their weights do not matter.
const PADDING: f64 = 1e-3;

/// The columns of a block among themselves.
#[derive(Clone, Debug)]
pub(super) struct BlockFactor {
    /// The inverse of H's part [32, 32].
    pub(super) inverse: [[f32; BLOCK]; BLOCK],
    /// Its factor, see [`Square::inverse_factor`].
    pub(super) upper: [[f32; BLOCK]; BLOCK],
}

/// The quadratic form of a matrix's rows, and the way from the original rows to what is aimed at.
#[derive(Clone, Debug)]
pub(super) struct Objective {
    /// Columns, and the same padded to a multiple of [`BLOCK`].
    pub(super) cols: usize,
    pub(super) padded: usize,
    /// H [padded, padded].
    pub(super) hessian: Vec<f32>,
    /// Its inverse's upper factor.
    pub(super) upper: Vec<f32>,
    pub(super) blocks: Vec<BlockFactor>,
    /// (E[xᵀx̂] + λ·1)·H⁻¹ [cols, cols].
    aim: Option<Square>,
}

impl Objective {
    /// From E[x̂ᵀx̂], and E[xᵀx̂] where the inputs are not the original ones.
    pub(super) fn new(mut inputs: Square, cross: Option<Square>) -> Self {
        let cols = inputs.n;
        let mean = inputs.diagonal_mean();
        // Inputs that are all zero, or so large that squares overflow, teach nothing.
        let (mean, taught) =
            if mean > 0.0 && mean.is_finite() { (mean, true) } else { (1.0, false) };
        if !taught {
            inputs = Square::identity(cols);
        }
        let mut damping = DAMPING * mean;
        inputs.add_to_diagonal(damping);
        let mut padded = pad(&inputs, PADDING * mean);
        let upper = loop {
            match padded.inverse_factor() {
                Some(upper) => break upper,
                None => {
                    // Only rounding can make it indefinite.
                    padded.add_to_diagonal(damping);
                    inputs.add_to_diagonal(damping);
                    damping *= 2.0;
                }
            }
        };
        let aim = cross.filter(|_| taught).and_then(|mut cross| {
            cross.add_to_diagonal(DAMPING * mean);
            let upper = inputs.inverse_factor()?;
            Some(cross.times_transposed(&upper).times(&upper))
        });
        let block = |index: usize| BlockFactor::new(&padded, index * BLOCK);
        let blocks = (0..padded.n / BLOCK).map(block).collect();
        let short = |square: &Square| square.values.iter().map(|x| *x as f32).collect();
        Self { cols, padded: padded.n, hessian: short(&padded), upper: short(&upper), blocks, aim }
    }

    /// The row to aim at in place of `row` [padded].
    pub(super) fn aim(&self, row: &[f32]) -> Vec<f32> {
        let Some(aim) = &self.aim else { return row.to_vec() };
        let mut sums = vec![0.0; self.cols];
        for (w, factors) in row.iter().zip(aim.values.chunks(self.cols)) {
            sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += f64::from(*w) * factor);
        }
        sums.resize(self.padded, 0.0);
        sums.iter().map(|sum| *sum as f32).collect()
    }

    pub(super) fn hessian_row(&self, row: usize) -> &[f32] {
        &self.hessian[row * self.padded..(row + 1) * self.padded]
    }

    pub(super) fn upper_row(&self, row: usize) -> &[f32] {
        &self.upper[row * self.padded..(row + 1) * self.padded]
    }

    /// `error`·H.
    pub(super) fn gradient(&self, error: &[f32]) -> Vec<f32> {
        let mut sum = vec![0.0; self.padded];
        for (row, error) in error.iter().enumerate() {
            add_scaled(&mut sum, *error, self.hessian_row(row));
        }
        sum
    }

    /// `error`·H·`error`ᵀ.
    pub(super) fn cost(&self, error: &[f32]) -> f64 {
        let gradient = self.gradient(error);
        gradient.iter().zip(error).map(|(g, e)| f64::from(*g) * f64::from(*e)).sum()
    }
}

impl BlockFactor {
    fn new(hessian: &Square, first: usize) -> Self {
        let mut part = Square::zero(BLOCK);
        for (i, row) in part.values.chunks_mut(BLOCK).enumerate() {
            row.copy_from_slice(&hessian.row(first + i)[first..first + BLOCK]);
        }
        // A part of a positive definite matrix is one.
        let upper = part.inverse_factor().unwrap_or_else(|| Square::identity(BLOCK));
        let mut inverse = Square::zero(BLOCK);
        for row in upper.values.chunks(BLOCK) {
            for (out, left) in inverse.values.chunks_mut(BLOCK).zip(row) {
                out.iter_mut().zip(row).for_each(|(out, right)| *out += left * right);
            }
        }
        let short = |square: &Square| {
            let mut rows = [[0.0; BLOCK]; BLOCK];
            for (out, x) in rows.as_flattened_mut().iter_mut().zip(&square.values) {
                *out = *x as f32;
            }
            rows
        };
        Self { inverse: short(&inverse), upper: short(&upper) }
    }
}

pub(super) fn add_scaled(row: &mut [f32], factor: f32, other: &[f32]) {
    row.iter_mut().zip(other).for_each(|(x, y)| *x += factor * y);
}

fn pad(square: &Square, diagonal: f64) -> Square {
    let mut padded = Square::zero(square.n.next_multiple_of(BLOCK));
    let n = padded.n;
    for (from, to) in square.values.chunks(square.n).zip(padded.values.chunks_mut(n)) {
        to[..square.n].copy_from_slice(from);
    }
    (square.n..n).for_each(|i| padded.values[i * n + i] = diagonal);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aim_makes_up_for_other_inputs() {
        // Inputs that came out twice as large: half the weights give the same products.
        let inputs: Vec<f32> =
            (0..40 * 300).map(|i| ((i * 7919) % 1009) as f32 / 504.0 - 1.0).collect();
        let doubled: Vec<f32> = inputs.iter().map(|x| 2.0 * x).collect();
        let (mut square, mut cross) = (Square::zero(40), Square::zero(40));
        square.add_products(&doubled, &doubled, 40);
        cross.add_products(&inputs, &doubled, 40);
        let objective = Objective::new(square, Some(cross));
        let row: Vec<f32> = (0..64).map(|i| if i < 40 { i as f32 - 20.0 } else { 0.0 }).collect();
        let aim = objective.aim(&row);
        let (mut error, mut size) = (0.0, 0.0);
        for (x, doubled) in inputs.chunks(40).zip(doubled.chunks(40)) {
            let product = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
            let (wanted, found) = (product(&row, x), product(&aim, doubled));
            error += (wanted - found).powi(2);
            size += wanted.powi(2);
        }
        // The damping alone is in the way; without the aim the error would be as large as the products.
        assert!(error < 0.01 * size, "{error} of {size}");
    }

    #[test]
    fn inputs_that_teach_nothing_are_all_alike() {
        for value in [0.0, f64::INFINITY, f64::NAN] {
            let inputs = Square { n: 33, values: vec![value; 33 * 33] };
            let objective = Objective::new(inputs.clone(), Some(inputs));
            assert_eq!(objective.padded, 64);
            assert!(objective.cost(&[1.0; 64]).is_finite());
            assert_eq!(objective.aim(&[1.0; 64]), [1.0; 64]);
        }
    }
}
