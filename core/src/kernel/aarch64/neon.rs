//! The NEON of every AArch64 processor (Cortex-A53, A72): 8-bit products are added up in 16 bits as long
//! as they fit, since one multiplying instruction makes eight of them.
//!
//! ```text
//! x4 = a token's 4 activations, four times
//! q8, per two groups and token, four times (two rows each):
//!   smull, smlal(w, x4)   → i16, four per row         at most 2 · 127 · 127 < 2¹⁵
//!   sadalp                → i32, two per row; added up
//! q4, per block and token, four times:
//!   Σ smlal(n, x4)        → i16, four per row         at most 8 · 15 · 127 < 2¹⁵
//! then for all rows:
//!   addp, addp            → i16, one per row: Σ n·x modulo 2¹⁶
//!   less 8 · Σx           → Σ (n - 8)·x               at most 32 · 8 · 127 < 2¹⁵: exact again
//!   smlal(·, 4·s)         → i32, one per row; added up
//!   smlal(s·z, Σx)        → the same for the zeros
//! q8_wide, per group and token: w widened to i16
//!   smlal(w, x4)          → i32, four per row; added up
//! ```

use core::arch::aarch64::*;
use core::arch::asm;

use super::{Scales, blocks_for, float, load, nibbles, store, tiles, wide_tiles};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::elementwise::Elementwise;
use crate::kernel::{Group, Ints, Kernel, Sums, Wide, gemv};

/// The kernel: every AArch64 processor has NEON.
pub(super) static KERNEL: Kernel = Kernel {
    name: "aarch64-neon",
    f32: float::f32,
    q8: |groups, x, sums| {
        // SAFETY: every AArch64 processor has NEON.
        unsafe { q8(groups, x, sums) }
    },
    q4: |groups, pairs, x, sums| {
        // SAFETY: as above.
        unsafe { q4(groups, pairs, x, sums) }
    },
    gemv_q8: |bands, x, scale, out| gemv::q8(KERNEL.q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(KERNEL.q4, bands, x, scale, out),
    q8_wide: |weights, x, tokens, sums| {
        // SAFETY: as above.
        unsafe { q8_wide(weights, x, tokens, sums) }
    },
    elementwise: Elementwise::PORTABLE,
};

/// The `LANE`-th 4 bytes, four times. (Assembler, lest a compiler that knows the halves to be equal makes
/// only one of them, and then moves weights to where that one is.)
#[inline]
#[target_feature(enable = "neon")]
fn broadcast<const LANE: usize>(x: int8x16_t) -> int8x16_t {
    let result;
    // SAFETY: registers only.
    unsafe {
        asm!(
            "dup {:v}.4s, {:v}.s[{lane}]", out(vreg) result, in(vreg) x, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// Sums of neighbours. (The intrinsic becomes `uzp1`, `uzp2` and `add`.)
#[inline]
#[target_feature(enable = "neon")]
fn add_pairs(a: int16x8_t, b: int16x8_t) -> int16x8_t {
    let result;
    // SAFETY: registers only.
    unsafe {
        asm!(
            "addp {:v}.8h, {:v}.8h, {:v}.8h", out(vreg) result, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// Adds products of a register, rows 2·i and 2·i + 1 in the i-th result.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add([first, second]: [int16x8_t; 2], w: int8x16_t, x: int8x16_t) -> [int16x8_t; 2] {
    [vmlal_s8(first, vget_low_s8(w), vget_low_s8(x)), vmlal_high_s8(second, w, x)]
}

#[target_feature(enable = "neon")]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [2] [1] q8_tile(groups));
}

#[inline]
#[target_feature(enable = "neon")]
fn q8_tile<const T: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let (fours, rest) = groups.get(..x.cols / 4).unwrap_or(groups).as_chunks::<4>();
    let mut totals = [[vdupq_n_s32(0); 4]; T];
    let mut add = |i: usize, groups: [&Group; 4]| {
        let groups = groups.map(load);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols > 16·i columns, a multiple of 32.
            let x = unsafe { vld1q_s8(x.values.as_ptr().add(t * x.cols + 16 * i)) };
            let x =
                [[broadcast::<0>(x), broadcast::<1>(x)], [broadcast::<2>(x), broadcast::<3>(x)]];
            for (w, x) in groups.as_chunks::<2>().0.iter().zip(x) {
                for (half, totals) in totals.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                    let dots = multiply_add([vdupq_n_s16(0); 2], w[0][half], x[0]);
                    let [first, second] = multiply_add(dots, w[1][half], x[1]);
                    *totals = [vpadalq_s16(totals[0], first), vpadalq_s16(totals[1], second)];
                }
            }
        }
    };
    for (i, groups) in fours.iter().enumerate() {
        add(i, groups.each_ref());
    }
    if !rest.is_empty() {
        add(fours.len(), filled_up(rest));
    }
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(totals) {
        store(sums, [vpaddq_s32(a, b), vpaddq_s32(c, d)]);
    }
}

/// Groups of zeros behind the last ones, fewer than 4.
#[inline]
fn filled_up(rest: &[Group]) -> [&Group; 4] {
    let mut groups = [&[0; 32]; 4];
    groups.iter_mut().zip(rest).for_each(|(group, last)| *group = last);
    groups
}

#[target_feature(enable = "neon")]
fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [2] [1] q4_tile((groups, pairs)));
}

#[inline]
#[target_feature(enable = "neon")]
fn q4_tile<const T: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let mut totals = [[vdupq_n_s32(0); 2]; T];
    let mut add = |b: usize, block: &[Group; 4], scales: Scales| {
        let mut dots = [[vdupq_n_s16(0); 4]; T];
        for (i, [first, second]) in block.as_chunks::<2>().0.iter().enumerate() {
            let [first, second] = [first, second].map(|group| load(group).map(nibbles));
            for (t, dots) in dots.iter_mut().enumerate() {
                // SAFETY: token t < T of at least 32·b + 32 columns (`blocks_for`).
                let x = unsafe { vld1q_s8(x.values.as_ptr().add(t * x.cols + BLOCK * b + 16 * i)) };
                let x = [
                    [broadcast::<0>(x), broadcast::<1>(x)],
                    [broadcast::<2>(x), broadcast::<3>(x)],
                ];
                for (group, x) in [first, second].into_iter().zip(x) {
                    for (dots, w) in dots.as_chunks_mut::<2>().0.iter_mut().zip(group) {
                        *dots = multiply_add(multiply_add(*dots, w[0], x[0]), w[1], x[1]);
                    }
                }
            }
        }
        for (t, (totals, [p, q, r, s])) in totals.iter_mut().zip(dots).enumerate() {
            // SAFETY: token t < T of more than b blocks (`blocks_for`).
            let block_sum = unsafe { *x.block_sums.as_ptr().add(t * (x.cols / BLOCK) + b) };
            let dots = add_pairs(add_pairs(p, q), add_pairs(r, s));
            let dots = vsubq_s16(dots, vdupq_n_s16(block_sum << 3));
            let block_sum = vdup_n_s16(block_sum);
            let [low, high] = totals;
            *low = vmlal_s16(*low, vget_low_s16(dots), vget_low_s16(scales.steps));
            *high = vmlal_high_s16(*high, dots, scales.steps);
            *low = vmlal_lane_s16::<0>(*low, vget_low_s16(scales.offsets), block_sum);
            *high = vmlal_high_lane_s16::<0>(*high, scales.offsets, block_sum);
        }
    };
    let (twos, rest) = blocks_for::<T>(groups, pairs, x).as_chunks::<2>();
    for (i, ([first, second], pair)) in twos.iter().zip(pairs).enumerate() {
        add(2 * i, first, Scales::of_block(pair, 0));
        add(2 * i + 1, second, Scales::of_block(pair, 1));
    }
    if let (Some(last), Some(pair)) = (rest.first(), pairs.get(twos.len())) {
        add(2 * twos.len(), last, Scales::of_block(pair, 0));
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        store(sums, totals);
    }
}

#[target_feature(enable = "neon")]
fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
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
