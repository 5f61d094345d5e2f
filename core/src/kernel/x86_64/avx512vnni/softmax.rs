//! [`elementwise::softmax`](crate::kernel::elementwise::softmax) with AVX-512: two bands, 16 positions, at a time.

use core::arch::x86_64::*;

use crate::format::BAND_ROWS;
use crate::kernel::Sums;
use crate::kernel::elementwise::{self, Scores, Softmax, TINY};
use crate::math::EXP2_FIXED;

/// See [`elementwise::Elementwise::softmax`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let bands = x.len();
    let there = scores.sums.len().div_ceil(scores.step.max(1)).min(scores.scales.len());
    if bands > there.min(scales.len()).min(q.len()) {
        return elementwise::softmax(scores, scales, limit, x, q);
    }
    let Scores { sums, step, scales: keys, scale, count, max } = scores;
    let step = step.max(1);
    let scale = _mm512_set1_ps(scale);
    let mut largest = _mm512_set1_epi32(max);
    let twos = sums.chunks_mut(2 * step).zip(keys[..bands].chunks(2));
    for (first, (sums, keys)) in (0..).step_by(2 * BAND_ROWS).zip(twos) {
        let factor = _mm512_mul_ps(long(keys), scale);
        let score = to_int(_mm512_mul_ps(_mm512_cvtepi32_ps(load(sums, step)), factor));
        let left = count.saturating_sub(first).min(2 * BAND_ROWS);
        let there = lanes(keys.len()) & ((1u32 << left) - 1) as __mmask16;
        let score = _mm512_mask_mov_epi32(_mm512_set1_epi32(i32::MIN), there, score);
        largest = _mm512_max_epi32(largest, score);
        store(sums, step, keys.len(), score);
    }
    let max = _mm512_reduce_max_epi32(largest);
    let largest = _mm512_set1_epi32(max);
    let (mut total, mut most) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    let twos = sums.chunks_mut(2 * step).zip(scales.chunks(2)).zip(x.chunks_mut(2));
    for ((sums, scales), x) in twos {
        let weight = exp2_fixed(_mm512_sub_epi32(largest, load(sums, step)));
        let weight = _mm512_maskz_mov_epi32(lanes(x.len()), weight);
        total = _mm512_add_epi32(total, weight);
        store(sums, step, x.len(), weight);
        let value = _mm512_mul_ps(_mm512_cvtepi32_ps(weight), long(scales));
        most = _mm512_max_epu32(most, _mm512_slli_epi32::<1>(_mm512_castps_si512(value)));
        // SAFETY: as many numbers as lanes.
        unsafe { _mm512_mask_storeu_ps(x.as_mut_ptr().cast(), lanes(x.len()), value) }
    }
    let sum = _mm512_reduce_add_epi32(total);
    // As `math::max_abs`, of numbers that are not negative.
    let most = f32::from_bits(_mm512_reduce_max_epu32(most) >> 1);
    if !(TINY..f32::INFINITY).contains(&most) {
        let scale = elementwise::quantize_wide(x.as_flattened(), limit, q.as_flattened_mut());
        return Softmax { max, sum, scale };
    }
    let inverse = _mm512_set1_ps(limit / most);
    for (x, q) in x.chunks(2).zip(q.chunks_mut(2)) {
        // SAFETY: as many numbers as lanes.
        unsafe {
            let there = lanes(x.len());
            let x = _mm512_maskz_loadu_ps(there, x.as_ptr().cast());
            let nearest = _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse));
            let nearest = _mm512_cvtepi32_epi16(nearest);
            _mm256_mask_storeu_epi16(q.as_mut_ptr().cast(), there, nearest);
        }
    }
    Softmax { max, sum, scale: most / limit }
}

/// A bit for each number of one or two bands.
#[inline]
fn lanes(bands: usize) -> __mmask16 {
    if bands < 2 { 0xFF } else { 0xFFFF }
}

/// The first of `step` bands' sums, and, if it is there, the first of the next ones.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(sums: &[Sums<i32>], step: usize) -> __m512i {
    let band = |sums: &Sums<i32>| {
        // SAFETY: 8 × 4 bytes.
        unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
    };
    let zero = _mm512_setzero_si512();
    let first = sums.first().map_or(zero, |sums| _mm512_castsi256_si512(band(sums)));
    sums.get(step).map_or(first, |sums| _mm512_inserti64x4::<1>(first, band(sums)))
}

/// The opposite, of one or two bands.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &mut [Sums<i32>], step: usize, bands: usize, values: __m512i) {
    let values = [_mm512_castsi512_si256(values), _mm512_extracti64x4_epi64::<1>(values)];
    for (sums, values) in sums.iter_mut().step_by(step).take(bands).zip(values) {
        super::super::registers::store(sums, values);
    }
}

/// Floats of which only the upper halves are kept, of one or two bands.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn long(halves: &[Sums<u16>]) -> __m512 {
    // SAFETY: as many numbers as lanes.
    let halves = unsafe { _mm256_maskz_loadu_epi16(lanes(halves.len()), halves.as_ptr().cast()) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}

/// `x as i32`: cut, saturating, 0 for NaN.
#[inline]
#[target_feature(enable = "avx512f")]
fn to_int(x: __m512) -> __m512i {
    // What does not fit becomes -2³¹; that is right for what is too small.
    let cut = _mm512_cvttps_epi32(x);
    let too_large = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, _mm512_set1_ps(2_147_483_648.0));
    let cut = _mm512_mask_mov_epi32(cut, too_large, _mm512_set1_epi32(i32::MAX));
    _mm512_maskz_mov_epi32(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x), cut)
}

/// [`crate::math::exp2_fixed`].
#[inline]
#[target_feature(enable = "avx512f")]
fn exp2_fixed(x: __m512i) -> __m512i {
    let x = _mm512_min_epu32(x, _mm512_set1_epi32(0x7F_FFFF));
    let rest = _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(x));
    let [p, others @ ..] = EXP2_FIXED;
    let mut p = _mm512_set1_epi32(p);
    for coefficient in others {
        let product = _mm512_srai_epi32::<16>(_mm512_mullo_epi32(p, rest));
        p = _mm512_add_epi32(_mm512_set1_epi32(coefficient), product);
    }
    // A shift by 32 or more gives 0.
    _mm512_srlv_epi32(p, _mm512_srli_epi32::<16>(_mm512_add_epi32(x, _mm512_set1_epi32(0x8000))))
}
