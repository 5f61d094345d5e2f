//! Nibbles by several tokens: a block's weights less their zeros are int8, s·(n - 8) in -128..=112, so they are
//! made once for all the tokens, and what remains is a dot product of int8 that no sub-scale interrupts.
//!
//! ```text
//! Σ_k w·x = 4 · Σ_k s·(n - 8)·x + Σ_b s·z · Σ_{k in b} x       s·z in -128..=112
//! ```

use core::arch::aarch64::*;
use core::mem::MaybeUninit;

use super::{blocks_for, load, nibbles};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums};

/// Tokens from which on this is cheaper than one after another.
pub(super) const WORTH_EXPANDING: usize = 4;

/// Blocks that are made at a time, by fours; they lie on the stack.
const TOGETHER: usize = 24;

/// A block's int8 weights: 8 groups of 4 columns, four by four.
pub(super) type Wide = [[Group; 4]; 2];

/// A block's s·z, row by row.
pub(super) type Offsets = [i8; 8];

/// Some columns of the activations of some tokens, or bytes that stand for sums of blocks.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// The first token's.
    pub(super) x: *const i8,
    /// From a token's to the next one's.
    pub(super) stride: usize,
}

impl Columns {
    /// The ones so many bytes behind.
    fn go_on(self, bytes: usize) -> Self {
        Self { x: self.x.wrapping_add(bytes), ..self }
    }

    /// Those of later tokens.
    pub(super) fn skip(self, tokens: usize) -> Self {
        Self { x: self.x.wrapping_add(tokens * self.stride), ..self }
    }
}

/// Sums of T tokens: rows 0 to 3, rows 4 to 7.
pub(super) type Totals<const T: usize> = [[int32x4_t; 2]; T];

/// What is done with blocks that have been made, for one instruction set.
pub(super) trait Dot {
    /// Lays out four blocks' s·z as [`Self::add`] wants them.
    fn arrange(_offsets: &mut [Offsets; 4]) {}

    /// Adds to the tokens' sums 4 · Σ w·x, and what the blocks' zeros are worth.
    ///
    /// # Safety
    /// Each token has the blocks' columns, and two bytes per block that say its sum of activations; 8 bytes per four
    /// blocks, begun or whole, if `arrange` does anything. The processor has what this is made for.
    unsafe fn add(
        sums: &mut [Sums<i32>],
        blocks: &[Wide],
        x: Columns,
        offsets: &[Offsets],
        block_sums: Columns,
    );
}

/// Does something with tiles of so many tokens, `$done` behind the first.
macro_rules! by_tiles {
    ($sums:expr, $done:ident, [$($size:literal)+], |$tile:ident| $body:expr) => {
        $(while let Some($tile) = $sums.get_mut($done..).and_then(<[_]>::first_chunk_mut::<$size>)
        {
            $body;
            $done += $size;
        })+
    };
}
pub(super) use by_tiles;

/// See [`crate::kernel::DotQ4`]; what stands for sums of blocks as [`Dot::add`] wants it.
///
/// # Safety
/// There are as many of these; the processor has what `D` is made for.
#[inline(always)]
pub(super) unsafe fn q4<D: Dot>(
    groups: &[Group],
    pairs: &[Pair],
    x: Ints<'_>,
    block_sums: Columns,
    sums: &mut [Sums<i32>],
) {
    let tokens = x.tokens().min(sums.len());
    let sums = &mut sums[..tokens];
    sums.fill(Sums::default());
    let blocks = blocks_for(tokens, groups, pairs, x);
    let mut weights = [const { MaybeUninit::<Wide>::uninit() }; TOGETHER];
    let mut offsets = [Offsets::default(); TOGETHER];
    let columns = Columns { x: x.values.as_ptr(), stride: x.cols };
    for (i, (blocks, pairs)) in blocks.chunks(TOGETHER).zip(pairs.chunks(TOGETHER / 2)).enumerate()
    {
        let made = weights.chunks_mut(2).zip(offsets.chunks_mut(2));
        for ((blocks, pair), (weights, offsets)) in blocks.chunks(2).zip(pairs).zip(made) {
            let made = weights.iter_mut().zip(offsets);
            for ((block, parameters), (weights, offsets)) in
                blocks.iter().zip(parameters(pair)).zip(made)
            {
                *offsets = expand(block, parameters, weights);
            }
        }
        offsets.as_chunks_mut().0.iter_mut().for_each(D::arrange);
        // SAFETY: as many have been written.
        let weights = unsafe { weights[..blocks.len()].assume_init_ref() };
        let x = columns.go_on(i * TOGETHER * BLOCK);
        let block_sums = block_sums.go_on(i * TOGETHER * size_of::<i16>());
        // SAFETY: tokens of `blocks_for` have these blocks' columns; by this function's contract.
        unsafe { D::add(sums, weights, x, &offsets[..blocks.len()], block_sums) };
    }
}

/// s and z of the first block of a pair, a byte per row, then those of the second one.
#[inline(always)]
fn parameters(pair: &Pair) -> [int8x16_t; 2] {
    // SAFETY: every AArch64 processor has NEON; a pair has 16 bytes.
    unsafe {
        let less = vcombine_s8(vdup_n_s8(1), vdup_n_s8(-8));
        nibbles(vld1q_s8(pair.as_ptr().cast())).map(|n| vaddq_s8(n, less))
    }
}

/// Writes the weights of a block; returns its s·z.
#[inline(always)]
fn expand(block: &[Group; 4], parameters: int8x16_t, out: &mut MaybeUninit<Wide>) -> Offsets {
    // SAFETY: every AArch64 processor has NEON; 16 bytes of each half of each group are written.
    unsafe {
        let out = out.as_mut_ptr().cast::<Group>();
        let rows = vreinterpretq_u8_u32(vcombine_u32(
            vcreate_u32(0x0101_0101_0000_0000),
            vcreate_u32(0x0303_0303_0202_0202),
        ));
        let halves = [rows, vaddq_u8(rows, vdupq_n_u8(4))].map(|rows| {
            let s = vreinterpretq_u8_s8(vqtbl1q_s8(parameters, rows));
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
        let mut offsets = Offsets::default();
        vst1_s8(offsets.as_mut_ptr(), vmul_s8(vget_low_s8(parameters), vget_high_s8(parameters)));
        offsets
    }
}
