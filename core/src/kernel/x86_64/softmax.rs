//! [`elementwise::softmax`] by hand: compilers make no vectors of conversions that saturate.

use core::arch::x86_64::*;

use super::registers::store;
use crate::format::BAND_ROWS;
use crate::kernel::Sums;
use crate::kernel::elementwise::{self, Scores, Softmax};
use crate::math::EXP2_FIXED;

/// See [`elementwise::Elementwise::softmax`]; only for tables that are handed out where AVX2 has been seen.
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    // SAFETY: by this function's contract.
    unsafe { softmax_avx2(scores, scales, limit, x, q) }
}

#[target_feature(enable = "avx2")]
fn softmax_avx2(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let Scores { sums, step, scales: keys, scale, count, max } = scores;
    let (step, most) = (step.max(1), x.len());
    let scale = _mm256_set1_ps(scale);
    let rows = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mut largest = _mm256_set1_epi32(max);
    for (band, (sums, keys)) in sums.iter_mut().step_by(step).take(most).zip(keys).enumerate() {
        let factor = _mm256_mul_ps(long(keys), scale);
        let score = to_int(_mm256_mul_ps(_mm256_cvtepi32_ps(load(sums)), factor));
        let left = count.saturating_sub(band * BAND_ROWS).min(BAND_ROWS) as i32;
        let counts = _mm256_cmpgt_epi32(_mm256_set1_epi32(left), rows);
        let score = _mm256_blendv_epi8(_mm256_set1_epi32(i32::MIN), score, counts);
        largest = _mm256_max_epi32(largest, score);
        store(sums, score);
    }
    let max = lanes(largest).into_iter().fold(max, i32::max);
    let largest = _mm256_set1_epi32(max);
    let mut total = _mm256_setzero_si256();
    for ((x, sums), scales) in x.iter_mut().zip(sums.iter_mut().step_by(step)).zip(scales) {
        let weight = exp2_fixed(_mm256_sub_epi32(largest, load(sums)));
        total = _mm256_add_epi32(total, weight);
        store(sums, weight);
        let value = _mm256_mul_ps(_mm256_cvtepi32_ps(weight), long(scales));
        // SAFETY: 8 × 4 bytes.
        unsafe { _mm256_storeu_ps(x.as_mut_ptr(), value) }
    }
    let scale = elementwise::quantize_wide(x.as_flattened(), limit, q.as_flattened_mut());
    Softmax { max, sum: lanes(total).into_iter().sum(), scale }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(sums: &Sums<i32>) -> __m256i {
    // SAFETY: 8 × 4 bytes.
    unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(values: __m256i) -> Sums<i32> {
    let mut lanes = [0; BAND_ROWS];
    store(&mut lanes, values);
    lanes
}

/// Floats of which only the upper halves are kept.
#[inline]
#[target_feature(enable = "avx2")]
fn long(halves: &Sums<u16>) -> __m256 {
    // SAFETY: 8 × 2 bytes.
    let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
}

/// `x as i32`: cut, saturating, 0 for NaN.
#[inline]
#[target_feature(enable = "avx2")]
fn to_int(x: __m256) -> __m256i {
    // What does not fit becomes -2³¹; that is right for what is too small.
    let cut = _mm256_cvttps_epi32(x);
    let too_large = _mm256_cmp_ps::<_CMP_GE_OQ>(x, _mm256_set1_ps(2_147_483_648.0));
    let cut = _mm256_blendv_epi8(cut, _mm256_set1_epi32(i32::MAX), _mm256_castps_si256(too_large));
    _mm256_and_si256(cut, _mm256_castps_si256(_mm256_cmp_ps::<_CMP_ORD_Q>(x, x)))
}

/// [`crate::math::exp2_fixed`].
#[inline]
#[target_feature(enable = "avx2")]
fn exp2_fixed(x: __m256i) -> __m256i {
    let x = _mm256_min_epu32(x, _mm256_set1_epi32(0x7F_FFFF));
    let rest = _mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(x));
    let [p, others @ ..] = EXP2_FIXED;
    let mut p = _mm256_set1_epi32(p);
    for coefficient in others {
        let product = _mm256_srai_epi32::<16>(_mm256_mullo_epi32(p, rest));
        p = _mm256_add_epi32(_mm256_set1_epi32(coefficient), product);
    }
    // A shift by 32 or more gives 0.
    _mm256_srlv_epi32(p, _mm256_srli_epi32::<16>(_mm256_add_epi32(x, _mm256_set1_epi32(0x8000))))
}
