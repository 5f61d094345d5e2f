//! Nibbles made int8, by several tokens.

use core::arch::aarch64::*;

use super::super::expand::{Columns, Dot, Offsets, Totals, Wide, by_tiles};
use super::super::store;
use super::q8::{by_four, by_one};
use crate::kernel::{Group, Sums};

/// Plain NEON, for nibbles made int8.
pub(super) struct Neon;

impl Dot for Neon {
    // SAFETY: asks for what the trait does.
    #[inline(always)]
    unsafe fn add(
        sums: &mut [Sums<i32>],
        blocks: &[Wide],
        x: Columns,
        offsets: &[Offsets],
        block_sums: Columns,
    ) {
        let mut done = 0;
        // SAFETY: by this function's contract.
        unsafe {
            by_tiles!(sums, done, [8 4 2 1], |tile| {
                let dots = dot(blocks.as_flattened(), x.skip(done));
                add(tile, dots, offsets, block_sums.skip(done));
            });
        }
    }
}

/// Σ w·x of T tokens.
///
/// # Safety
/// Each has 16 columns per four groups.
#[inline(always)]
unsafe fn dot<const T: usize>(fours: &[[Group; 4]], x: Columns) -> Totals<T> {
    // SAFETY: every AArch64 processor has NEON; by this function's contract.
    unsafe {
        let mut totals = [[vdupq_n_s32(0); 2]; T];
        let (tiles, singles) = totals.as_chunks_mut::<4>();
        for (i, totals) in tiles.iter_mut().enumerate() {
            *totals = by_four(fours, x.skip(4 * i));
        }
        for (i, totals) in singles.iter_mut().enumerate() {
            *totals = by_one(fours, x.skip(4 * tiles.len() + i).x);
        }
        totals
    }
}

/// Adds to the sums of T tokens 4 · `dots`, and what the blocks' zeros are worth.
///
/// # Safety
/// Each token has a sum per block.
#[inline(always)]
unsafe fn add<const T: usize>(
    sums: &mut [Sums<i32>; T],
    dots: Totals<T>,
    offsets: &[Offsets],
    block_sums: Columns,
) {
    // SAFETY: every AArch64 processor has NEON; 8 numbers per token and block; by this function's contract.
    unsafe {
        let mut totals = dots;
        for (totals, sums) in totals.iter_mut().zip(&*sums) {
            for (half, total) in totals.iter_mut().enumerate() {
                *total =
                    vaddq_s32(vshlq_n_s32::<2>(*total), vld1q_s32(sums.as_ptr().add(4 * half)));
            }
        }
        let (fours, rest) = offsets.as_chunks::<4>();
        for (i, offsets) in fours.iter().enumerate() {
            let [a, b, c, d] =
                offsets.each_ref().map(|offsets| vmovl_s8(vld1_s8(offsets.as_ptr())));
            for (t, [low, high]) in totals.iter_mut().enumerate() {
                let x = vld1_s16(block_sums.skip(t).x.cast::<i16>().add(4 * i));
                *low = vmlal_lane_s16::<0>(*low, vget_low_s16(a), x);
                *high = vmlal_high_lane_s16::<0>(*high, a, x);
                *low = vmlal_lane_s16::<1>(*low, vget_low_s16(b), x);
                *high = vmlal_high_lane_s16::<1>(*high, b, x);
                *low = vmlal_lane_s16::<2>(*low, vget_low_s16(c), x);
                *high = vmlal_high_lane_s16::<2>(*high, c, x);
                *low = vmlal_lane_s16::<3>(*low, vget_low_s16(d), x);
                *high = vmlal_high_lane_s16::<3>(*high, d, x);
            }
        }
        for (b, offsets) in rest.iter().enumerate() {
            let offsets = vmovl_s8(vld1_s8(offsets.as_ptr()));
            for (t, [low, high]) in totals.iter_mut().enumerate() {
                let x = *block_sums.skip(t).x.cast::<i16>().add(4 * fours.len() + b);
                *low = vmlal_n_s16(*low, vget_low_s16(offsets), x);
                *high = vmlal_high_n_s16(*high, offsets, x);
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            store(sums, totals);
        }
    }
}
