//! The gated feed-forward's middle: SwiGLU (arXiv 2002.05202).

use crate::math::silu;

/// `out = silu(gate) · up` for each token, [tokens, ffn] each; rows of `out` have `out_cols` ≥ ffn
/// columns; the rest is zero.
pub(super) fn swiglu(gate: &[f32], up: &[f32], ffn: usize, out: &mut [f32], out_cols: usize) {
    let ffn = ffn.max(1);
    let tokens = gate.chunks_exact(ffn).zip(up.chunks_exact(ffn));
    for ((gate, up), out) in tokens.zip(out.chunks_exact_mut(out_cols.max(1))) {
        let (head, tail) = out.split_at_mut_checked(ffn).unwrap_or_default();
        for ((out, gate), up) in head.iter_mut().zip(gate).zip(up) {
            *out = silu(*gate) * up;
        }
        tail.fill(0.0);
    }
}
