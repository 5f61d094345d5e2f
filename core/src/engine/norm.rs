//! RMSNorm (arXiv 1910.07467).

use crate::math::{sqrt, sum_squares};
use crate::model::Vector;

/// `out = x / sqrt(mean(x²) + epsilon) · gain` for each token of `x` [tokens, hidden]. Rows of `out`
/// have `out_cols` ≥ hidden columns; the rest is zero.
pub(super) fn rms_norm(
    x: &[f32],
    hidden: usize,
    gain: Vector<'_>,
    epsilon: f32,
    out: &mut [f32],
    out_cols: usize,
) {
    for (x, out) in x.chunks_exact(hidden.max(1)).zip(out.chunks_exact_mut(out_cols.max(1))) {
        let mean = sum_squares(x) / hidden as f32;
        let inverse = 1.0 / sqrt(mean + epsilon);
        let (head, tail) = out.split_at_mut_checked(hidden).unwrap_or_default();
        for ((out, x), gain) in head.iter_mut().zip(x).zip(gain.floats()) {
            *out = x * inverse * gain;
        }
        tail.fill(0.0);
    }
}
