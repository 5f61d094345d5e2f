//! The feed-forward's middle: gated (arXiv 2002.05202) or plain.

use crate::format::recipe::Activation;
use crate::kernel::Kernel;

/// `out = f(gate) · up` for each token, or `out = f(up)` without a gate; [tokens, ffn] each. Rows of
/// `out` have `out_cols` ≥ ffn columns; the rest is zero.
pub(super) fn activate(
    kernel: &Kernel,
    f: Activation,
    gate: Option<&[f32]>,
    up: &[f32],
    ffn: usize,
    out: &mut [f32],
    out_cols: usize,
) {
    let ffn = ffn.max(1);
    let tokens = up.chunks_exact(ffn).zip(out.chunks_exact_mut(out_cols.max(1)));
    for (token, (up, out)) in tokens.enumerate() {
        let (head, tail) = out.split_at_mut_checked(ffn).unwrap_or_default();
        let gate = gate.map(|gate| gate.get(token * ffn..(token + 1) * ffn).unwrap_or_default());
        (kernel.elementwise.activate)(f, gate, up, head);
        tail.fill(0.0);
    }
}
