//! Nibbles. One token takes all rows at a time; several take four rows at a time, since there are not
//! registers enough for the sums of more.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::super::{Scales, blocks_for, load, nibbles, store, sub_scales, tiles, zeros};
use super::{activations, broadcast, dot16};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums};

#[target_feature(enable = "dotprod")]
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [8] [4] [2] [1] q4_tile((groups, pairs)));
}

#[inline]
#[target_feature(enable = "dotprod")]
fn q4_tile<const T: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let blocks = blocks_for::<T>(groups, pairs, x);
    if let (1, [sums]) = (T, &mut *sums) {
        return store(sums, q4_one(blocks, pairs, x));
    }
    let low = q4_half::<T, 0>(blocks, pairs, x);
    let high = q4_half::<T, 1>(blocks, pairs, x);
    for ((sums, low), high) in sums.iter_mut().zip(low).zip(high) {
        store(sums, [low, high]);
    }
}

/// [`dot16`] with the activations at `x`, which goes on to the next 16. One piece of assembler: a
/// compiler would load the activations of all tokens first, and run out of registers.
///
/// # Safety
/// 16 bytes at `x` can be read.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn dot16_at([a, b, c, d]: [int8x16_t; 4], x: &mut *const i8, sums: &mut int32x4_t) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "ldr {x:q}, [{at}], #16",
            "sdot {sums:v}.4s, {a:v}.16b, {x:v}.4b[0]",
            "sdot {sums:v}.4s, {b:v}.16b, {x:v}.4b[1]",
            "sdot {sums:v}.4s, {c:v}.16b, {x:v}.4b[2]",
            "sdot {sums:v}.4s, {d:v}.16b, {x:v}.4b[3]",
            at = inout(reg) *x, sums = inout(vreg) *sums, x = out(vreg) _,
            a = in(vreg) a, b = in(vreg) b, c = in(vreg) c, d = in(vreg) d,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// One token, all rows.
#[inline]
#[target_feature(enable = "dotprod")]
fn q4_one(blocks: &[[Group; 4]], pairs: &[Pair], x: Ints<'_>) -> [int32x4_t; 2] {
    let mut totals = [vdupq_n_s32(0); 2];
    let mut add = |b: usize, [g0, g1, g2, g3]: &[Group; 4], scales: Scales| {
        // SAFETY: there are at least b + 1 blocks (`blocks_for`).
        let (x0, x1, sum, block_sum) = unsafe {
            let x0 = x.values.as_ptr().add(BLOCK * b);
            let sum = x.block_sums.as_ptr().add(b);
            (activations(x0), activations(x0.add(16)), first_lane(sum), *sum)
        };
        let mut dots = [zero_point(block_sum), zero_point(block_sum)];
        for ([g0, g1], x) in [([g0, g1], x0), ([g2, g3], x1)] {
            for ((g0, g1), dots) in load(g0).into_iter().zip(load(g1)).zip(&mut dots) {
                let ([a, b], [c, d]) = (nibbles(g0), nibbles(g1));
                *dots = dot16([a, b, c, d], x, *dots);
            }
        }
        let dots = vuzp1q_s16(vreinterpretq_s16_s32(dots[0]), vreinterpretq_s16_s32(dots[1]));
        let [low, high] = &mut totals;
        *low = vmlal_s16(*low, vget_low_s16(dots), vget_low_s16(scales.steps));
        *high = vmlal_high_s16(*high, dots, scales.steps);
        *low = vmlal_lane_s16::<0>(*low, vget_low_s16(scales.offsets), sum);
        *high = vmlal_high_lane_s16::<0>(*high, scales.offsets, sum);
    };
    let (twos, rest) = blocks.as_chunks::<2>();
    for (i, ([first, second], pair)) in twos.iter().zip(pairs).enumerate() {
        add(2 * i, first, Scales::of_block(pair, 0));
        add(2 * i + 1, second, Scales::of_block(pair, 1));
    }
    if let (Some(last), Some(pair)) = (rest.first(), pairs.get(twos.len())) {
        add(2 * twos.len(), last, Scales::of_block(pair, 0));
    }
    totals
}

/// T tokens, an even number, and four rows.
#[inline]
#[target_feature(enable = "dotprod")]
fn q4_half<const T: usize, const HALF: usize>(
    blocks: &[[Group; 4]],
    pairs: &[Pair],
    x: Ints<'_>,
) -> [int32x4_t; T] {
    let mut totals = [vdupq_n_s32(0); T];
    let (values, block_sums) = (x.values.as_ptr(), x.block_sums.as_ptr());
    let mut x_at: [_; T] = from_fn(|t| values.wrapping_add(t * x.cols));
    let sums_at: [_; T] = from_fn(|t| block_sums.wrapping_add(t * (x.cols / BLOCK)));
    for (b, [g0, g1, g2, g3]) in blocks.iter().enumerate() {
        // SAFETY: there are at least half as many pairs as blocks (`blocks_for`).
        let pair = unsafe { &*pairs.as_ptr().add(b / 2) };
        // Twice the same four rows: a register holds the sums of two tokens.
        let rows = |bytes: u64| {
            vget_low_u8(vreinterpretq_u8_s32(broadcast((bytes >> (32 * HALF)) as i32)))
        };
        let scales = Scales::of(rows(sub_scales(pair, b % 2)), rows(zeros(pair, b % 2)));
        // SAFETY: each token has more than b blocks (`blocks_for`).
        let mut dots = sums_at.map(|sums| zero_point(unsafe { *sums.add(b) }));
        for [g0, g1] in [[g0, g1], [g2, g3]] {
            let ([a, b], [c, d]) = (nibbles(load(g0)[HALF]), nibbles(load(g1)[HALF]));
            for (dots, x) in dots.iter_mut().zip(&mut x_at) {
                // SAFETY: so far they went on by 16 columns twice per block; as above.
                unsafe { dot16_at([a, b, c, d], x, dots) };
            }
        }
        for ([first, second], [p, q]) in
            totals.as_chunks_mut::<2>().0.iter_mut().zip(dots.as_chunks::<2>().0)
        {
            let dots = vuzp1q_s16(vreinterpretq_s16_s32(*p), vreinterpretq_s16_s32(*q));
            *first = vmlal_s16(*first, vget_low_s16(dots), vget_low_s16(scales.steps));
            *second = vmlal_high_s16(*second, dots, scales.steps);
        }
        for (total, sums) in totals.iter_mut().zip(sums_at) {
            // SAFETY: as above.
            let sum = unsafe { first_lane(sums.add(b)) };
            *total = vmlal_lane_s16::<0>(*total, vget_low_s16(scales.offsets), sum);
        }
    }
    totals
}

/// -8 · Σx, four times: what the nibbles' zero point takes away.
#[inline]
#[target_feature(enable = "neon")]
fn zero_point(block_sum: i16) -> int32x4_t {
    broadcast(i32::from(block_sum) * -8)
}

/// The i16 at `sum`, in the first lane.
///
/// # Safety
/// It can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn first_lane(sum: *const i16) -> int16x4_t {
    let result;
    // SAFETY: by this function's contract. (`ldr h` keeps the vector units free; `ld1` does not.)
    unsafe {
        asm!(
            "ldr {:h}, [{}]", out(vreg) result, in(reg) sum,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    result
}
