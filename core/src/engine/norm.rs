//! The norms: RMSNorm (arXiv 1910.07467) and LayerNorm (arXiv 1607.06450).

use crate::kernel::Kernel;
use crate::model::Vector;

/// A norm with its parameters.
#[derive(Clone, Copy)]
pub(super) struct Normalizer<'a> {
    pub(super) gain: Vector<'a>,
    /// LayerNorm's; RMSNorm has none.
    pub(super) bias: Option<Vector<'a>>,
    pub(super) epsilon: f32,
}

impl Normalizer<'_> {
    /// Normalizes one token's `x` [hidden] into `out`; the columns beyond become zero.
    pub(super) fn apply(&self, kernel: &Kernel, x: &[f32], out: &mut [f32]) {
        let (out, padding) = out.split_at_mut_checked(x.len()).unwrap_or_default();
        padding.fill(0.0);
        let (gain, epsilon) = (self.gain.raw(), self.epsilon);
        match self.bias {
            Some(bias) => (kernel.elementwise.layer_norm)(x, gain, bias.raw(), epsilon, out),
            None => (kernel.elementwise.rms_norm)(x, gain, epsilon, out),
        }
    }
}
