//! int8 weights.

use core::arch::aarch64::*;

use super::super::{load, store, tiles, wide_tiles};
use super::{activations, broadcast, dot16, sdot};
use crate::kernel::{Group, Ints, Sums, Wide};

#[target_feature(enable = "dotprod")]
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [4, 1] [2, 1] [1, 2] q8_tile(groups));
}

/// T tokens, with U sums in flight for each half of their rows.
#[inline]
#[target_feature(enable = "dotprod")]
fn q8_tile<const T: usize, const U: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let (fours, rest) = groups.get(..x.cols / 4).unwrap_or(groups).as_chunks::<4>();
    let mut totals = [[[vdupq_n_s32(0); 2]; U]; T];
    for (i, groups) in fours.iter().enumerate() {
        let [a, b, c, d] = groups.each_ref().map(load);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ 16·i + 16 columns.
            let x = unsafe { activations(x.values.as_ptr().add(t * x.cols + 16 * i)) };
            for half in 0..2 {
                let total = &mut totals[0][half];
                *total = sdot::<1>(sdot::<0>(*total, a[half], x), b[half], x);
                let total = &mut totals[U - 1][half];
                *total = sdot::<3>(sdot::<2>(*total, c[half], x), d[half], x);
            }
        }
    }
    for (t, totals) in totals.iter_mut().enumerate() {
        for (g, group) in rest.iter().enumerate() {
            let column = 16 * fours.len() + 4 * g;
            // SAFETY: token t < T of x.cols ≥ column + 4 columns.
            let x = unsafe {
                x.values.as_ptr().add(t * x.cols + column).cast::<i32>().read_unaligned()
            };
            dot4(&mut totals[0], group, vreinterpretq_s8_s32(broadcast(x)));
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        let total = |half: usize| add_up(totals.map(|totals| totals[half]));
        store(sums, [total(0), total(1)]);
    }
}

/// The sum of the sums in flight.
#[inline]
#[target_feature(enable = "neon")]
fn add_up<const U: usize>(totals: [int32x4_t; U]) -> int32x4_t {
    totals.into_iter().fold(vdupq_n_s32(0), |sum, total| vaddq_s32(sum, total))
}

/// Adds the products of a group and the first 4 of `x`.
#[inline]
#[target_feature(enable = "dotprod")]
fn dot4(sums: &mut [int32x4_t; 2], group: &Group, x: int8x16_t) {
    for (sum, w) in sums.iter_mut().zip(load(group)) {
        *sum = sdot::<0>(*sum, w, x);
    }
}

#[target_feature(enable = "dotprod")]
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    wide_tiles!(weights, x, tokens, sums, [2] [1] q8_wide_tile);
}

#[inline]
#[target_feature(enable = "dotprod")]
fn q8_wide_tile<const T: usize>(groups: &[Group], x: &[i16], sums: &mut [Sums<i32>]) {
    let cols = groups.len() * 4;
    debug_assert!(x.len() >= T * cols);
    let (fours, rest) = groups.as_chunks::<4>();
    let mut totals = [[[vdupq_n_s32(0); 2]; 2]; T];
    for (i, groups) in fours.iter().enumerate() {
        let [a, b, c, d] = groups.each_ref().map(load);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 16·i + 16 columns.
            let digits = unsafe {
                let x = x.as_ptr().add(t * cols + 16 * i);
                digits(vld1q_s16(x), vld1q_s16(x.add(8)))
            };
            for (x, totals) in digits.into_iter().zip(totals) {
                for (half, total) in totals.iter_mut().enumerate() {
                    *total = dot16([a[half], b[half], c[half], d[half]], x, *total);
                }
            }
        }
    }
    for (t, totals) in totals.iter_mut().enumerate() {
        for (g, group) in rest.iter().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 16·fours + 4·g + 4 columns.
            let x = unsafe { vld1_s16(x.as_ptr().add(t * cols + 16 * fours.len() + 4 * g)) };
            let x = vcombine_s16(x, x);
            for (x, totals) in digits(x, x).into_iter().zip(totals.iter_mut()) {
                dot4(totals, group, x);
            }
        }
    }
    for (sums, [h, l]) in sums.iter_mut().zip(totals) {
        let total = |half: usize| vaddq_s32(vshlq_n_s32::<7>(h[half]), l[half]);
        store(sums, [total(0), total(1)]);
    }
}

/// h and l of x = 128·h + l, for |x| < 2¹⁴.
#[inline]
#[target_feature(enable = "neon")]
fn digits(first: int16x8_t, second: int16x8_t) -> [int8x16_t; 2] {
    let high = vshrn_high_n_s16::<7>(vshrn_n_s16::<7>(first), second);
    let low = vuzp1q_s8(vreinterpretq_s8_s16(first), vreinterpretq_s8_s16(second));
    [high, vandq_s8(low, vdupq_n_s8(127))]
}
