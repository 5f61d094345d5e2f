//! The feed-forward's middle: gated (arXiv 2002.05202) or plain.

use crate::format::recipe::Activation;
use crate::kernel::Kernel;

/// `out = f(gate) · up` of one token, or `out = f(up)` without a gate; [ffn] each. Columns of `out`
/// beyond become zero.
pub(super) fn activate(
    kernel: &Kernel,
    f: Activation,
    gate: Option<&[f32]>,
    up: &[f32],
    out: &mut [f32],
) {
    let (out, padding) = out.split_at_mut_checked(up.len()).unwrap_or_default();
    padding.fill(0.0);
    (kernel.elementwise.activate)(f, gate, up, out);
}
