//! The norms: RMSNorm (arXiv 1910.07467) and LayerNorm (arXiv 1607.06450).

use crate::math::{sqrt, sum, sum_squared_differences, sum_squares};
use crate::model::Vector;

/// Tokens to normalize, and where the results go.
pub(super) struct Rows<'a> {
    /// [tokens, hidden]
    pub(super) x: &'a [f32],
    pub(super) hidden: usize,
    /// [tokens, out_cols], out_cols ≥ hidden; the columns beyond become zero.
    pub(super) out: &'a mut [f32],
    pub(super) out_cols: usize,
}

impl<'a> Rows<'a> {
    /// Each token with its place, cut to `hidden`.
    fn each(self) -> impl Iterator<Item = (&'a [f32], &'a mut [f32])> {
        let Self { x, hidden, out, out_cols } = self;
        x.chunks_exact(hidden.max(1)).zip(out.chunks_exact_mut(out_cols.max(1))).map(
            move |(x, out)| {
                let (head, tail) = out.split_at_mut_checked(hidden).unwrap_or_default();
                tail.fill(0.0);
                (x, head)
            },
        )
    }
}

/// `out = x / sqrt(mean(x²) + epsilon) · gain` for each token.
pub(super) fn rms_norm(rows: Rows<'_>, gain: Vector<'_>, epsilon: f32) {
    let count = rows.hidden as f32;
    for (x, out) in rows.each() {
        let inverse = 1.0 / sqrt(sum_squares(x) / count + epsilon);
        for ((out, x), gain) in out.iter_mut().zip(x).zip(gain.floats()) {
            *out = x * inverse * gain;
        }
    }
}

/// `out = (x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon) · gain + bias` for each token.
pub(super) fn layer_norm(rows: Rows<'_>, gain: Vector<'_>, bias: Vector<'_>, epsilon: f32) {
    let count = rows.hidden as f32;
    for (x, out) in rows.each() {
        let mean = sum(x) / count;
        let inverse = 1.0 / sqrt(sum_squared_differences(x, mean) / count + epsilon);
        for (((out, x), gain), bias) in out.iter_mut().zip(x).zip(gain.floats()).zip(bias.floats())
        {
            *out = (x - mean) * inverse * gain + bias;
        }
    }
}
