//! The float edge of a matrix times a vector, in the registers that the sums are in.

use core::arch::aarch64::*;

use crate::kernel::{Bands, Sums};

/// The bfloat16 scales at the end of a band.
pub(super) type Scales = [u8; 16];

/// Band by band, `out` = sums · (row's scale · `scale`), as [`crate::kernel::rescale`]; `dot` gives the sums of a
/// band's rows.
#[inline(always)]
pub(super) fn gemv(
    bands: Bands<'_>,
    scale: f32,
    out: &mut [Sums<f32>],
    dot: impl Fn(&[u8]) -> [int32x4_t; 2],
) {
    for (bytes, out) in bands.iter().zip(out) {
        let Some(scales) = bytes.last_chunk() else { return };
        rescale(dot(bytes), scales, scale, out);
    }
}

/// A band's sums, times its rows' scales and `scale`.
#[inline(always)]
pub(super) fn rescale(
    [low, high]: [int32x4_t; 2],
    scales: &Scales,
    scale: f32,
    out: &mut Sums<f32>,
) {
    // SAFETY: every AArch64 processor has NEON; 8 scales are read, and 2 · 4 of 8 numbers written.
    unsafe {
        let scales = vld1q_u16(scales.as_ptr().cast());
        // A bfloat16 is the upper half of a float.
        let rows = [vshll_n_u16::<16>(vget_low_u16(scales)), vshll_high_n_u16::<16>(scales)];
        let [rows, others] = rows.map(|rows| vmulq_n_f32(vreinterpretq_f32_u32(rows), scale));
        vst1q_f32(out.as_mut_ptr(), vmulq_f32(vcvtq_f32_s32(low), rows));
        vst1q_f32(out.as_mut_ptr().add(4), vmulq_f32(vcvtq_f32_s32(high), others));
    }
}
