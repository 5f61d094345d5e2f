//! AArch64: the NEON that all of them have, and the dot products of later ones.
//!
//! A group's 32 bytes are two registers, rows 0 to 3 and rows 4 to 7, four bytes of each. NEON is what the
//! elementwise loops are compiled for; two of them gain by instructions that compilers do not find.
#![allow(unsafe_code)]

mod detect;
mod dotprod;
mod expand;
mod float;
mod gemv;
mod i8mm;
mod neon;
mod quantize;
mod softmax;
mod widen;

use core::arch::aarch64::*;

pub(super) use widen::widen;

use super::tiles::{blocks, tiles, wide_tiles};
use super::{Group, Ints, Kernel};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;

/// The kernels of this folder that this machine can run, the best one first.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    [i8mm::kernel(), dotprod::kernel(), Some(&neon::KERNEL)].into_iter().flatten()
}

/// The low nibbles of a register of bytes.
const NIBBLE: u8 = 0xF;

/// Rows 0 to 3, then rows 4 to 7 of a group.
#[inline]
fn load(group: &Group) -> [int8x16_t; 2] {
    // SAFETY: a group has 32 bytes; every AArch64 processor has NEON.
    unsafe { [vld1q_s8(group.as_ptr().cast()), vld1q_s8(group.as_ptr().add(16).cast())] }
}

/// The low and the high nibbles of a register.
#[inline]
fn nibbles(bytes: int8x16_t) -> [int8x16_t; 2] {
    // SAFETY: every AArch64 processor has NEON.
    unsafe {
        let bytes = vreinterpretq_u8_s8(bytes);
        let (low, high) = (vandq_u8(bytes, vdupq_n_u8(NIBBLE)), vshrq_n_u8::<4>(bytes));
        [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(high)]
    }
}

/// The i32 of each row.
#[inline]
fn store(sums: &mut super::Sums<i32>, [low, high]: [int32x4_t; 2]) {
    // SAFETY: 2 · 4 of 8 numbers; every AArch64 processor has NEON.
    unsafe {
        vst1q_s32(sums.as_mut_ptr(), low);
        vst1q_s32(sums.as_mut_ptr().add(4), high);
    }
}

/// The blocks of nibbles for which there are columns, parameters and, for each of the tokens, activations
/// and sums.
#[inline]
fn blocks_for<'a>(
    tokens: usize,
    groups: &'a [Group],
    pairs: &[Pair],
    x: Ints<'_>,
) -> &'a [[Group; 4]] {
    let blocks = blocks(groups, x);
    let enough =
        x.values.len() >= tokens * x.cols && x.block_sums.len() >= tokens * (x.cols / BLOCK);
    let count = if enough { blocks.len().min(2 * pairs.len()) } else { 0 };
    blocks.get(..count).unwrap_or(blocks)
}
