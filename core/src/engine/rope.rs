//! Rotary positions (RoFormer, arXiv 2104.09864), half-split: dimension i turns with i + d/2.

use crate::math::sin_cos;
use crate::model::Vector;

/// Cosines, then sines, of each rotated pair at `position`, into `out` [rotary_dims].
///
/// The file stores angles per position in turns / 2³², so whole turns vanish in the wrapping
/// product and no position loses precision.
pub(super) fn rotations(turns: Vector<'_>, position: u32, out: &mut [f32]) {
    let (cosines, sines) = out.split_at_mut_checked(out.len() / 2).unwrap_or_default();
    for ((cosine, sine), turns) in cosines.iter_mut().zip(sines).zip(turns.turns()) {
        (*sine, *cosine) = sin_cos(turns.wrapping_mul(position));
    }
}

/// Rotates the first dimensions of each head of `x` [heads, head_dim] by `rotations`.
pub(super) fn rotate(x: &mut [f32], head_dim: usize, rotations: &[f32]) {
    let half = rotations.len() / 2;
    let (cosines, sines) = rotations.split_at_checked(half).unwrap_or_default();
    for head in x.chunks_exact_mut(head_dim.max(1)) {
        let (low, high) = head.split_at_mut_checked(half).unwrap_or_default();
        for (((a, b), cosine), sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
        }
    }
}
