//! Nibbles by several tokens: a block's weights less their zeros are int8, s·(n - 8) in -128..=112, so they are
//! made once for all the tokens, and what remains is a dot product of int8 that no sub-scale interrupts.
//!
//! ```text
//! Σ_k w·x = 4 · Σ_k s·(n - 8)·x + Σ_b s·z · Σ_{k in b} x
//! ```

use core::arch::aarch64::*;
use core::mem::MaybeUninit;

use super::{blocks_for, load, nibbles, store, sub_scales, zeros};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums};

/// Tokens from which on this is cheaper than one after another.
pub(super) const WORTH_EXPANDING: usize = 4;

/// Blocks that are made at a time; they lie on the stack.
const TOGETHER: usize = 24;

/// A block's int8 weights: 8 groups of 4 columns, four by four.
type Wide = [[Group; 4]; 2];

/// Some columns of the activations of some tokens.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// The first token's.
    pub(super) x: *const i8,
    /// From a token's to the next one's.
    pub(super) stride: usize,
}

impl Columns {
    /// Those of later tokens.
    pub(super) fn skip(self, tokens: usize) -> Self {
        Self { x: self.x.wrapping_add(tokens * self.stride), ..self }
    }
}

/// Sums of T tokens: rows 0 to 3, rows 4 to 7.
pub(super) type Totals<const T: usize> = [[int32x4_t; 2]; T];

/// Σ w·x over groups, four by four, of which each token has the columns.
pub(super) trait Dot {
    /// # Safety
    /// For each of T tokens 16 columns per four groups can be read; the processor has what this is made for.
    unsafe fn dot<const T: usize>(fours: &[[Group; 4]], x: Columns) -> Totals<T>;
}

/// See [`crate::kernel::DotQ4`].
///
/// # Safety
/// The processor has what `D` is made for.
#[inline(always)]
pub(super) unsafe fn q4<D: Dot>(
    groups: &[Group],
    pairs: &[Pair],
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    let tokens = x.tokens().min(sums.len());
    let sums = &mut sums[..tokens];
    sums.fill(Sums::default());
    let mut blocks = blocks_for(tokens, groups, pairs, x);
    let per_token = x.cols / BLOCK;
    let mut weights = [const { MaybeUninit::<Wide>::uninit() }; TOGETHER];
    let mut offsets = [[0; 8]; TOGETHER];
    for first in (0..blocks.len()).step_by(TOGETHER) {
        let (now, later) = blocks.split_at(TOGETHER.min(blocks.len()));
        blocks = later;
        for (b, block) in now.iter().enumerate() {
            let Some(pair) = pairs.get((first + b) / 2) else { return };
            offsets[b] = expand(block, pair, (first + b) % 2, &mut weights[b]);
        }
        // SAFETY: as many have been written.
        let weights = unsafe { weights[..now.len()].assume_init_ref() };
        let (fours, offsets) = (weights.as_flattened(), &offsets[..now.len()]);
        let values = x.values.as_ptr().wrapping_add(first * BLOCK);
        let mut x_at = Columns { x: values, stride: x.cols };
        let mut block_sums = x.block_sums.as_ptr().wrapping_add(first);
        let mut done = 0;
        macro_rules! tiles {
            ($($size:literal)+) => {
                $(while let Some(sums) =
                    sums.get_mut(done..).and_then(<[_]>::first_chunk_mut::<$size>)
                {
                    // SAFETY: tokens of `blocks_for` have these blocks' columns and sums.
                    unsafe {
                        let dots = D::dot::<$size>(fours, x_at);
                        add(sums, dots, offsets, block_sums, per_token);
                    }
                    x_at = x_at.skip($size);
                    block_sums = block_sums.wrapping_add($size * per_token);
                    done += $size;
                })+
            };
        }
        tiles!(8 4 2 1);
    }
}

/// Writes the weights of a block; returns its s·z.
#[inline(always)]
fn expand(block: &[Group; 4], pair: &Pair, which: usize, out: &mut MaybeUninit<Wide>) -> [i16; 8] {
    // SAFETY: every AArch64 processor has NEON; 16 bytes of each half of each group are written.
    unsafe {
        let out = out.as_mut_ptr().cast::<Group>();
        let s = vcreate_u8(sub_scales(pair, which));
        let s = vcombine_u8(s, s);
        let rows = vreinterpretq_u8_u32(vcombine_u32(
            vcreate_u32(0x0101_0101_0000_0000),
            vcreate_u32(0x0303_0303_0202_0202),
        ));
        let halves = [rows, vaddq_u8(rows, vdupq_n_u8(4))].map(|rows| {
            let s = vqtbl1q_u8(s, rows);
            (s, vshlq_n_u8::<3>(s))
        });
        for (g, group) in block.iter().enumerate() {
            for ((half, bytes), (s, eights)) in load(group).into_iter().enumerate().zip(halves) {
                for (which, n) in nibbles(bytes).into_iter().enumerate() {
                    // Modulo 2⁸; the difference is within int8.
                    let w = vsubq_u8(vmulq_u8(vreinterpretq_u8_s8(n), s), eights);
                    vst1q_u8(out.add(2 * g + which).cast::<u8>().add(16 * half), w);
                }
            }
        }
        let mut offsets = [0; 8];
        let z = vreinterpret_s8_u8(vcreate_u8(zeros(pair, which)));
        vst1q_s16(offsets.as_mut_ptr(), vmull_s8(vreinterpret_s8_u8(vget_low_u8(s)), z));
        offsets
    }
}

/// Adds to the sums of T tokens 4 · `dots`, and what the blocks' zeros are worth.
///
/// # Safety
/// Each token has a sum per block, `stride` from the one before.
#[inline(always)]
unsafe fn add<const T: usize>(
    sums: &mut [Sums<i32>; T],
    dots: Totals<T>,
    offsets: &[[i16; 8]],
    block_sums: *const i16,
    stride: usize,
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
            let [a, b, c, d] = offsets.each_ref().map(|offsets| vld1q_s16(offsets.as_ptr()));
            for (t, [low, high]) in totals.iter_mut().enumerate() {
                let x = vld1_s16(block_sums.add(t * stride + 4 * i));
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
            let offsets = vld1q_s16(offsets.as_ptr());
            for (t, [low, high]) in totals.iter_mut().enumerate() {
                let x = *block_sums.add(t * stride + 4 * fours.len() + b);
                *low = vmlal_n_s16(*low, vget_low_s16(offsets), x);
                *high = vmlal_high_n_s16(*high, offsets, x);
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            store(sums, totals);
        }
    }
}
