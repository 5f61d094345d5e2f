//! int8 weights by activations of 16 bits: keys and values of the cache.

use core::arch::aarch64::*;

use super::super::{load, store, wide_tiles};
use crate::kernel::{Group, Sums, Wide};

/// See [`crate::kernel::DotQ8Wide`].
#[target_feature(enable = "neon")]
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    wide_tiles!(weights, x, tokens, sums, [2] [1] q8_wide_tile);
}

#[inline]
#[target_feature(enable = "neon")]
fn q8_wide_tile<const T: usize>(groups: &[Group], x: &[i16], sums: &mut [Sums<i32>]) {
    let cols = groups.len() * 4;
    debug_assert!(x.len() >= T * cols);
    let mut totals = [[vdupq_n_s32(0); 8]; T];
    for (g, group) in groups.iter().enumerate() {
        let w = load(group);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 4·g + 4 columns.
            let x = unsafe { vld1_s16(x.as_ptr().add(t * cols + 4 * g)) };
            let twice = vcombine_s16(x, x);
            for (w, totals) in w.into_iter().zip(totals.as_chunks_mut::<4>().0) {
                let (first, second) = (vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w));
                let [a, b, c, d] = totals;
                *a = vmlal_s16(*a, vget_low_s16(first), x);
                *b = vmlal_high_s16(*b, first, twice);
                *c = vmlal_s16(*c, vget_low_s16(second), x);
                *d = vmlal_high_s16(*d, second, twice);
            }
        }
    }
    for (sums, [a, b, c, d, e, f, g, h]) in sums.iter_mut().zip(totals) {
        let low = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
        let high = vpaddq_s32(vpaddq_s32(e, f), vpaddq_s32(g, h));
        store(sums, [low, high]);
    }
}
