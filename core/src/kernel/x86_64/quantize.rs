//! Activations to int8: VCVTPS2DQ rounds to the nearest, ties to even, as [`crate::math::nearest`] does in four steps.

use core::arch::x86_64::*;

use super::registers::sum_of;
use crate::format::BLOCK;
use crate::kernel::elementwise::{self, TINY};
use crate::math::max_abs_bits;

/// See [`crate::kernel::elementwise::Elementwise::quantize`]; only for tables that are handed out where AVX2 has been seen.
pub(super) fn quantize(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32 {
    // SAFETY: by this function's contract.
    unsafe { quantize_avx2(x, q, block_sums) }
}

#[target_feature(enable = "avx2")]
fn quantize_avx2(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32 {
    let largest = f32::from_bits(max_abs_bits(x));
    // Infinity, NaN, or nearly nothing.
    if !(TINY..f32::INFINITY).contains(&largest) {
        return elementwise::quantize(x, q, block_sums);
    }
    let inverse = _mm256_set1_ps(127.0 / largest);
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(q.as_chunks_mut::<BLOCK>().0);
    for ((x, q), block_sum) in blocks.zip(block_sums) {
        *block_sum = quantize_block(x, inverse, q);
    }
    largest / 127.0
}

/// Numbers whose products with `inverse` are within ±127; returns their sum.
#[inline]
#[target_feature(enable = "avx2")]
fn quantize_block(x: &[f32; BLOCK], inverse: __m256, q: &mut [i8; BLOCK]) -> i16 {
    let eight = |i: usize| {
        // SAFETY: the block has 4 times 8 numbers.
        let x = unsafe { _mm256_loadu_ps(x.as_ptr().add(8 * i)) };
        _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse))
    };
    // Halves of each in turn: 0..4, 8..12 | 4..8, 12..16.
    let low = _mm256_packs_epi32(eight(0), eight(1));
    let high = _mm256_packs_epi32(eight(2), eight(3));
    let bytes = _mm256_packs_epi16(low, high);
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let bytes = _mm256_permutevar8x32_epi32(bytes, order);
    // SAFETY: 32 bytes.
    unsafe { _mm256_storeu_si256(q.as_mut_ptr().cast(), bytes) }
    let sums = _mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1));
    sum_of(sums) as i16
}
