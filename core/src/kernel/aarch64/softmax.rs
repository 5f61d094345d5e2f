//! [`crate::kernel::elementwise::softmax`] by hand: compilers make no vectors of shifts whose distances differ.

use core::arch::aarch64::*;

use super::store;
use crate::format::BAND_ROWS;
use crate::kernel::Sums;
use crate::kernel::elementwise::{Scores, Softmax, TINY};
use crate::math::{EXP2_FIXED, max_abs};

/// Rows 0 to 3, then rows 4 to 7.
type Halves<T> = [T; 2];

/// See [`crate::kernel::elementwise::Elementwise::softmax`].
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let Scores { sums, step, scales: keys, scale, count, max } = scores;
    let (step, most) = (step.max(1), x.len());
    // SAFETY: every AArch64 processor has NEON.
    unsafe {
        let mut largest = [vdupq_n_s32(max); 2];
        for (band, (sums, keys)) in sums.iter_mut().step_by(step).take(most).zip(keys).enumerate() {
            let (sum, key) = (load(sums), long(keys));
            let score = |half: usize| {
                let product = vmulq_f32(vcvtq_f32_s32(sum[half]), vmulq_n_f32(key[half], scale));
                vcvtq_s32_f32(product)
            };
            let mut score = [score(0), score(1)];
            store(sums, score);
            if count < (band + 1) * BAND_ROWS {
                let counts = count.saturating_sub(band * BAND_ROWS);
                sums.iter_mut().skip(counts).for_each(|sum| *sum = i32::MIN);
                score = load(sums);
            }
            largest = [vmaxq_s32(largest[0], score[0]), vmaxq_s32(largest[1], score[1])];
        }
        let max = vmaxvq_s32(vmaxq_s32(largest[0], largest[1]));
        let mut total = [vdupq_n_s32(0); 2];
        let mut largest = [vdupq_n_f32(0.0); 2];
        let mut rest = x.iter_mut();
        for ((sums, scales), x) in sums.iter_mut().step_by(step).zip(scales).zip(&mut rest) {
            let weights = load(sums).map(|score| exp2_fixed(vsubq_s32(vdupq_n_s32(max), score)));
            store(sums, weights);
            let scales = long(scales);
            for half in 0..2 {
                total[half] = vaddq_s32(total[half], weights[half]);
                let value = vmulq_f32(vcvtq_f32_s32(weights[half]), scales[half]);
                // A NaN, which a product never gives but quiet, counts as nothing.
                largest[half] = vmaxnmq_f32(largest[half], vabsq_f32(value));
                vst1q_f32(x.as_mut_ptr().add(4 * half), value);
            }
        }
        let sum = vaddvq_s32(vaddq_s32(total[0], total[1]));
        let largest = vmaxnmvq_f32(vmaxnmq_f32(largest[0], largest[1]));
        // What has no sums stays, and counts.
        let largest = largest.max(max_abs(rest.into_slice().as_flattened()));
        Softmax { max, sum, scale: quantize(x, largest, limit, q) }
    }
}

/// See [`crate::kernel::elementwise::Elementwise::quantize_wide`]; `largest` is max|x|.
#[inline(always)]
fn quantize(x: &[Sums<f32>], largest: f32, limit: f32, q: &mut [Sums<i16>]) -> f32 {
    if !(TINY..f32::INFINITY).contains(&largest) {
        q.as_flattened_mut().fill(0);
        return 0.0;
    }
    let inverse = limit / largest;
    for (q, x) in q.iter_mut().zip(x) {
        // SAFETY: every AArch64 processor has NEON; 8 numbers each.
        unsafe {
            let nearest = |half: usize| {
                let x = vmulq_n_f32(vld1q_f32(x.as_ptr().add(4 * half)), inverse);
                vreinterpretq_s16_s32(vcvtnq_s32_f32(x))
            };
            vst1q_s16(q.as_mut_ptr(), vuzp1q_s16(nearest(0), nearest(1)));
        }
    }
    largest / limit
}

#[inline(always)]
fn load(sums: &Sums<i32>) -> Halves<int32x4_t> {
    // SAFETY: every AArch64 processor has NEON; 2 · 4 of 8 numbers.
    unsafe { [vld1q_s32(sums.as_ptr()), vld1q_s32(sums.as_ptr().add(4))] }
}

/// Floats of which only the upper halves are kept.
#[inline(always)]
fn long(halves: &Sums<u16>) -> Halves<float32x4_t> {
    // SAFETY: every AArch64 processor has NEON; 8 numbers.
    unsafe {
        let halves = vld1q_u16(halves.as_ptr());
        [vshll_n_u16::<16>(vget_low_u16(halves)), vshll_high_n_u16::<16>(halves)]
            .map(|long| vreinterpretq_f32_u32(long))
    }
}

/// [`crate::math::exp2_fixed`].
#[inline(always)]
fn exp2_fixed(x: int32x4_t) -> int32x4_t {
    // SAFETY: every AArch64 processor has NEON.
    unsafe {
        let x = vminq_u32(vreinterpretq_u32_s32(x), vdupq_n_u32(0x7F_FFFF));
        // 2¹⁵ · the lower 16 bits, with their sign: what SQDMULH keeps of a product is then its sixteenth bit and up.
        let rest = vshrq_n_s32::<1>(vreinterpretq_s32_u32(vshlq_n_u32::<16>(x)));
        let [p, others @ ..] = EXP2_FIXED;
        let mut p = vdupq_n_s32(p);
        for coefficient in others {
            p = vaddq_s32(vdupq_n_s32(coefficient), vqdmulhq_s32(p, rest));
        }
        // To the right; by 32 or more gives 0.
        let distance = vnegq_s32(vreinterpretq_s32_u32(vrshrq_n_u32::<16>(x)));
        vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(p), distance))
    }
}
