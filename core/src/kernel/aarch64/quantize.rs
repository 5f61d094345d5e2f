//! Activations to int8: FCVTNS rounds to the nearest, ties to even, and makes 0 of NaN, as
//! [`crate::math::nearest`] does in four steps.

use core::arch::aarch64::*;

use super::softmax::softmax;
use crate::format::BLOCK;
use crate::kernel::elementwise::{self, Elementwise, TINY};
use crate::math::max_abs;

/// The loops.
pub(super) const ELEMENTWISE: Elementwise =
    Elementwise { quantize, softmax, ..Elementwise::PORTABLE };

/// See [`Elementwise::quantize`].
fn quantize(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32 {
    let largest = max_abs(x);
    if !(TINY..f32::INFINITY).contains(&largest) {
        return elementwise::quantize(x, q, block_sums);
    }
    let inverse = 127.0 / largest;
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(q.as_chunks_mut::<BLOCK>().0);
    for ((x, q), block_sum) in blocks.zip(block_sums) {
        *block_sum = quantize_block(x, inverse, q);
    }
    largest / 127.0
}

/// Numbers whose products with `inverse` are within ±127, or NaN; returns their sum.
#[inline(always)]
fn quantize_block(x: &[f32; BLOCK], inverse: f32, q: &mut [i8; BLOCK]) -> i16 {
    // SAFETY: every AArch64 processor has NEON; 16 numbers of each half.
    unsafe {
        let mut sum = vdupq_n_s16(0);
        for (x, q) in x.as_chunks::<16>().0.iter().zip(q.as_chunks_mut::<16>().0) {
            let four =
                |i: usize| vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x.as_ptr().add(4 * i)), inverse));
            let eight = |i: usize| {
                vuzp1q_s16(vreinterpretq_s16_s32(four(i)), vreinterpretq_s16_s32(four(i + 1)))
            };
            let (low, high) = (eight(0), eight(2));
            sum = vaddq_s16(sum, vaddq_s16(low, high));
            let bytes = vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high));
            vst1q_s8(q.as_mut_ptr(), bytes);
        }
        vaddvq_s16(sum)
    }
}
