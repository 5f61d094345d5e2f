//! [`elementwise::softmax`] by hand, two bands at a time. Compilers make no vectors of conversions that saturate, and do
//! not see that the polynomial of [`crate::math::exp2_fixed`] fits 16 bits, but for its last sum, which has no sign.

use core::arch::x86_64::*;

use super::registers::{store, sum_of};
use crate::format::BAND_ROWS;
use crate::kernel::Sums;
use crate::kernel::elementwise::{self, Scores, Softmax, TINY};
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
    let (bands, step) = (x.len(), scores.step.max(1));
    let there = scores.sums.len().div_ceil(step).min(scores.scales.len());
    if bands > there.min(scales.len()).min(q.len()) {
        return elementwise::softmax(scores, scales, limit, x, q);
    }
    // SAFETY: by the above.
    let Some(max) = (unsafe { to_scores(&scores, step, x) }) else {
        return elementwise::softmax(scores, scales, limit, x, q);
    };
    // SAFETY: as above.
    let (sum, largest) = unsafe { to_values(scores.sums, step, max, scales, x) };
    if !(TINY..f32::INFINITY).contains(&largest) {
        let scale = elementwise::quantize_wide(x.as_flattened(), limit, q.as_flattened_mut());
        return Softmax { max, sum, scale };
    }
    let inverse = _mm256_set1_ps(limit / largest);
    let nearest = |x: &Sums<f32>| _mm256_cvtps_epi32(_mm256_mul_ps(load_floats(x), inverse));
    let (twos, last) = x.as_chunks::<2>();
    let (twos_of_q, last_of_q) = q[..bands].as_chunks_mut::<2>();
    for (q, x) in twos_of_q.iter_mut().zip(twos) {
        // Halves of each in turn.
        let both = _mm256_packs_epi32(nearest(&x[0]), nearest(&x[1]));
        let both = _mm256_permute4x64_epi64::<0b11_01_10_00>(both);
        // SAFETY: 16 × 2 bytes.
        unsafe { _mm256_storeu_si256(q.as_mut_ptr().cast(), both) }
    }
    for (q, x) in last_of_q.iter_mut().zip(last) {
        let nearest = nearest(x);
        let halves = [_mm256_castsi256_si128(nearest), _mm256_extracti128_si256::<1>(nearest)];
        // SAFETY: 8 × 2 bytes.
        unsafe { _mm_storeu_si128(q.as_mut_ptr().cast(), _mm_packs_epi32(halves[0], halves[1])) }
    }
    Softmax { max, sum, scale: largest / limit }
}

/// Scores as integers, in place of as many floats, and the largest one; none if one does not fit 32 bits.
///
/// # Safety
/// There are sums and scales for all.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn to_scores(scores: &Scores<'_>, step: usize, x: &mut [Sums<f32>]) -> Option<i32> {
    let scale = _mm256_set1_ps(scores.scale);
    let rows = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mut largest = _mm256_set1_epi32(scores.max);
    let mut least = _mm256_setzero_si256();
    for (band, x) in x.iter_mut().enumerate() {
        // SAFETY: by this function's contract.
        let [sums, keys] = unsafe {
            let sums = load(scores.sums.get_unchecked(band * step));
            [_mm256_cvtepi32_ps(sums), long(scores.scales.get_unchecked(band))]
        };
        // What does not fit becomes -2³¹.
        let mut score = _mm256_cvttps_epi32(_mm256_mul_ps(sums, _mm256_mul_ps(keys, scale)));
        let left = scores.count.saturating_sub(band * BAND_ROWS);
        if left < BAND_ROWS {
            let there = _mm256_cmpgt_epi32(_mm256_set1_epi32(left as i32), rows);
            least = _mm256_min_epi32(least, _mm256_and_si256(score, there));
            score = _mm256_blendv_epi8(_mm256_set1_epi32(i32::MIN), score, there);
        } else {
            least = _mm256_min_epi32(least, score);
        }
        largest = _mm256_max_epi32(largest, score);
        // SAFETY: 8 × 4 bytes.
        unsafe { _mm256_storeu_ps(x.as_mut_ptr(), _mm256_castsi256_ps(score)) }
    }
    let fit = _mm256_cmpeq_epi32(least, _mm256_set1_epi32(i32::MIN));
    (_mm256_movemask_epi8(fit) == 0).then(|| largest_of(largest))
}

/// Weights of the scores that stand in `x`, into every `step`th of the sums, and by the scales, in place of the scores;
/// the weights' sum and the largest magnitude of what is there then, which may be NaN.
///
/// # Safety
/// There are sums and scales for all.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn to_values(
    sums: &mut [Sums<i32>],
    step: usize,
    max: i32,
    scales: &[Sums<u16>],
    x: &mut [Sums<f32>],
) -> (i32, f32) {
    let max = _mm256_set1_epi32(max);
    let (mut total, mut largest) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let distance = |x: &Sums<f32>| _mm256_sub_epi32(max, _mm256_castps_si256(load_floats(x)));
    let mut put = |weight, band: usize, x: &mut Sums<f32>| {
        total = _mm256_add_epi32(total, weight);
        // SAFETY: by this function's contract.
        let scales = unsafe {
            store(sums.get_unchecked_mut(band * step), weight);
            long(scales.get_unchecked(band))
        };
        let value = _mm256_mul_ps(_mm256_cvtepi32_ps(weight), scales);
        // As `math::max_abs_bits`.
        let bits = _mm256_and_si256(_mm256_castps_si256(value), _mm256_set1_epi32(i32::MAX));
        largest = _mm256_max_epi32(largest, bits);
        // SAFETY: 8 × 4 bytes.
        unsafe { _mm256_storeu_ps(x.as_mut_ptr(), value) }
    };
    let (twos, last) = x.as_chunks_mut::<2>();
    for (i, [x0, x1]) in twos.iter_mut().enumerate() {
        let [first, second] = exp2_fixed([distance(x0), distance(x1)]);
        put(first, 2 * i, x0);
        put(second, 2 * i + 1, x1);
    }
    let before = 2 * twos.len();
    for x in last {
        let [weight, _] = exp2_fixed([distance(x); 2]);
        put(weight, before, x);
    }
    let bits = largest_of(largest).cast_unsigned();
    (sum_of(total), f32::from_bits(bits))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(sums: &Sums<i32>) -> __m256i {
    // SAFETY: 8 × 4 bytes.
    unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_floats(x: &Sums<f32>) -> __m256 {
    // SAFETY: 8 × 4 bytes.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

/// The largest of a register's integers.
#[inline]
#[target_feature(enable = "avx2")]
fn largest_of(x: __m256i) -> i32 {
    let x = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let x = _mm_max_epi32(x, _mm_shuffle_epi32::<0b11_10>(x));
    _mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32::<1>(x)))
}

/// Floats of which only the upper halves are kept.
#[inline]
#[target_feature(enable = "avx2")]
fn long(halves: &Sums<u16>) -> __m256 {
    // SAFETY: 8 × 2 bytes.
    let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
}

/// [`crate::math::exp2_fixed`] of two: the polynomials side by side, in 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn exp2_fixed(x: [__m256i; 2]) -> [__m256i; 2] {
    let [first, second] = x.map(|x| _mm256_min_epu32(x, _mm256_set1_epi32(0x7F_FFFF)));
    let rest = _mm256_blend_epi16::<0xAA>(first, _mm256_slli_epi32::<16>(second));
    let [p, others @ ..] = EXP2_FIXED;
    let mut p = _mm256_set1_epi16(p as i16);
    for coefficient in others {
        let product = _mm256_mulhi_epi16(p, rest);
        // The last one, 2¹⁵, and what it gives, have no sign.
        p = _mm256_add_epi16(_mm256_set1_epi16(coefficient as i16), product);
    }
    let [first, second] = [first, second].map(|x| {
        // A shift by 32 or more gives 0.
        _mm256_srli_epi32::<16>(_mm256_add_epi32(x, _mm256_set1_epi32(0x8000)))
    });
    let low = _mm256_blend_epi16::<0xAA>(p, _mm256_setzero_si256());
    [_mm256_srlv_epi32(low, first), _mm256_srlv_epi32(_mm256_srli_epi32::<16>(p), second)]
}
