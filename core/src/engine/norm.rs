//! The norms: RMSNorm (arXiv 1910.07467) and LayerNorm (arXiv 1607.06450).

use crate::kernel::Kernel;
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
        // Tokens are counted only so that `zip` does not compute their number, which could divide by
        // zero for all that the compiler knows where it optimises for size.
        let tokens = (0usize..).zip(x.chunks_exact(hidden.max(1)));
        tokens.zip(out.chunks_exact_mut(out_cols.max(1))).map(move |((_, x), out)| {
            let (head, tail) = out.split_at_mut_checked(hidden).unwrap_or_default();
            tail.fill(0.0);
            (x, head)
        })
    }
}

/// RMSNorm of each token.
pub(super) fn rms_norm(kernel: &Kernel, rows: Rows<'_>, gain: Vector<'_>, epsilon: f32) {
    for (x, out) in rows.each() {
        (kernel.elementwise.rms_norm)(x, gain.raw(), epsilon, out);
    }
}

/// LayerNorm of each token.
pub(super) fn layer_norm(
    kernel: &Kernel,
    rows: Rows<'_>,
    gain: Vector<'_>,
    bias: Vector<'_>,
    epsilon: f32,
) {
    for (x, out) in rows.each() {
        (kernel.elementwise.layer_norm)(x, gain.raw(), bias.raw(), epsilon, out);
    }
}
