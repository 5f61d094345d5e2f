//! The feed-forward's middle: gated (arXiv 2002.05202) or plain.

use crate::format::recipe::Activation;
use crate::math::{gelu_erf, gelu_tanh, silu};

/// `out = f(gate) · up` for each token, or `out = f(up)` without a gate; [tokens, ffn] each. Rows of
/// `out` have `out_cols` ≥ ffn columns; the rest is zero.
pub(super) fn activate(
    activation: Activation,
    gate: Option<&[f32]>,
    up: &[f32],
    ffn: usize,
    out: &mut [f32],
    out_cols: usize,
) {
    match activation {
        Activation::Silu => rows(silu, gate, up, ffn, out, out_cols),
        Activation::GeluErf => rows(gelu_erf, gate, up, ffn, out, out_cols),
        Activation::GeluTanh => rows(gelu_tanh, gate, up, ffn, out, out_cols),
    }
}

fn rows(
    f: impl Fn(f32) -> f32,
    gate: Option<&[f32]>,
    up: &[f32],
    ffn: usize,
    out: &mut [f32],
    out_cols: usize,
) {
    let ffn = ffn.max(1);
    let tokens = gate.unwrap_or(up).chunks_exact(ffn).zip(up.chunks_exact(ffn));
    for ((gated, up), out) in tokens.zip(out.chunks_exact_mut(out_cols.max(1))) {
        let (head, tail) = out.split_at_mut_checked(ffn).unwrap_or_default();
        if gate.is_some() {
            for ((out, gate), up) in head.iter_mut().zip(gated).zip(up) {
                *out = f(*gate) * up;
            }
        } else {
            for (out, up) in head.iter_mut().zip(up) {
                *out = f(*up);
            }
        }
        tail.fill(0.0);
    }
}
