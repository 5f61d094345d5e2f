//! Nibbles. One token goes over a band's blocks in assembler, two at a time; several take the detour of
//! [`expand`].
//!
//! ```text
//! a block of one token:       instructions   of 51, with its half of what two blocks share
//!   loads                     5              weights 4, activations 1
//!   nibbles                   16
//!   sdot                      16
//!   -8 · Σx, uzp1             3
//!   smlal                     4
//! two blocks:
//!   parameters, sums, loop    14
//! ```

use core::arch::aarch64::*;
use core::arch::asm;

use super::super::expand::{self, WORTH_EXPANDING};
use super::super::{blocks_for, gemv::gemv, store};
use super::q8::Sdot;
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Sums};

/// See [`crate::kernel::DotQ4`].
#[target_feature(enable = "dotprod")]
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let tokens = x.tokens().min(sums.len());
    if tokens >= WORTH_EXPANDING {
        // SAFETY: this function's processors have SDOT.
        return unsafe { expand::q4::<Sdot>(groups, pairs, x, sums) };
    }
    let blocks = blocks_for(tokens, groups, pairs, x).len();
    let groups = groups.as_ptr().cast();
    let inputs = x
        .values
        .chunks_exact(x.cols.max(1))
        .zip(x.block_sums.chunks_exact((x.cols / BLOCK).max(1)));
    for ((x, block_sums), sums) in inputs.zip(sums) {
        // SAFETY: by `blocks_for`.
        store(sums, unsafe { one_token(blocks, groups, pairs.as_ptr(), x, block_sums) });
    }
}

/// See [`crate::kernel::Gemv`].
#[target_feature(enable = "dotprod")]
pub(super) fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let blocks = x.cols / BLOCK;
    let pairs_at = blocks * size_of::<[Group; 4]>();
    let there = x.values.len() >= blocks * BLOCK && x.block_sums.len() >= blocks;
    if !there || bands.len < pairs_at + blocks.div_ceil(2) * size_of::<Pair>() {
        return; // out of contract: nothing may be read that is not there
    }
    gemv(bands, scale, out, |bytes| {
        // SAFETY: a band's bytes are blocks and, behind them, half as many pairs.
        unsafe {
            let (groups, pairs) = (bytes.as_ptr(), bytes.as_ptr().add(pairs_at));
            one_token(blocks, groups, pairs.cast(), x.values, x.block_sums)
        }
    });
}

/// The sums of one token.
///
/// # Safety
/// There are as many blocks and half as many pairs, and activations and sums for as many.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn one_token(
    blocks: usize,
    groups: *const u8,
    pairs: *const Pair,
    x: &[i8],
    block_sums: &[i16],
) -> [int32x4_t; 2] {
    // SAFETY: by this function's contract.
    unsafe {
        let mut totals = [vdupq_n_s32(0); 2];
        two_blocks(blocks / 2, groups, pairs, x.as_ptr(), block_sums.as_ptr(), &mut totals);
        if blocks % 2 == 1 {
            let last = blocks - 1;
            let block = &*groups.cast::<[Group; 4]>().add(last);
            let pair = &*pairs.add(last / 2);
            last_block(block, pair, &x[last * BLOCK..], block_sums[last], &mut totals);
        }
        totals
    }
}

/// Adds to the totals what a block without a second one is worth: with a block of zeros behind it.
#[target_feature(enable = "dotprod")]
#[cold]
fn last_block(
    block: &[Group; 4],
    pair: &Pair,
    x: &[i8],
    block_sum: i16,
    totals: &mut [int32x4_t; 2],
) {
    let both = [*block, [[0; 32]; 4]];
    let mut columns = [0; 2 * BLOCK];
    columns.iter_mut().zip(x).take(BLOCK).for_each(|(column, x)| *column = *x);
    let sums = [block_sum, 0];
    // SAFETY: two blocks, their parameters, and of a token as many activations and sums.
    unsafe {
        two_blocks(1, both.as_ptr().cast(), pair, columns.as_ptr(), sums.as_ptr(), totals);
    }
}

/// Two nibbles' registers and eight SDOTs: a group, the activations for its low nibbles, those for its high ones.
#[rustfmt::skip]
macro_rules! group {
    ($x:literal, $low:literal, $high:literal, [$a:literal, $b:literal, $c:literal, $d:literal]) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [{w}], #32\n",
            "and v", $c, ".16b, v", $a, ".16b, v2.16b\n",
            "and v", $d, ".16b, v", $b, ".16b, v2.16b\n",
            "ushr v", $a, ".16b, v", $a, ".16b, #4\n",
            "ushr v", $b, ".16b, v", $b, ".16b, #4\n",
            "sdot v24.4s, v", $c, ".16b, v", $x, ".4b[", $low, "]\n",
            "sdot v25.4s, v", $d, ".16b, v", $x, ".4b[", $low, "]\n",
            "sdot v24.4s, v", $a, ".16b, v", $x, ".4b[", $high, "]\n",
            "sdot v25.4s, v", $b, ".16b, v", $x, ".4b[", $high, "]\n",
        )
    };
}

/// A block, by its sum of activations, 4·s and s·z.
#[rustfmt::skip]
macro_rules! block {
    ($sum:literal, $steps:literal, $offsets:literal) => {
        concat!(
            "smull v24.4s, v", $sum, ".4h, v3.4h\n",
            "smull v25.4s, v", $sum, ".4h, v3.4h\n",
            "ldp q26, q27, [{x}], #32\n",
            group!("26", "0", "1", ["28", "29", "30", "31"]),
            group!("26", "2", "3", ["16", "17", "18", "19"]),
            group!("27", "0", "1", ["28", "29", "30", "31"]),
            group!("27", "2", "3", ["16", "17", "18", "19"]),
            "smlal v0.4s, v", $offsets, ".4h, v", $sum, ".4h\n",
            "smlal2 v1.4s, v", $offsets, ".8h, v", $sum, ".8h\n",
            "uzp1 v24.8h, v24.8h, v25.8h\n",
            "smlal v0.4s, v24.4h, v", $steps, ".4h\n",
            "smlal2 v1.4s, v24.8h, v", $steps, ".8h\n",
        )
    };
}

/// Adds to the totals what twice `count` blocks are worth.
///
/// # Safety
/// There are as many, `count` pairs of parameters and, of one token, activations and sums of blocks.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn two_blocks(
    count: usize,
    groups: *const u8,
    pairs: *const Pair,
    x: *const i8,
    sums: *const i16,
    [low, high]: &mut [int32x4_t; 2],
) {
    if count == 0 {
        return;
    }
    // v2 15, v3 -8, v4 1, v5 -8 as bytes; v6, v7 sums of activations; v20, v21 4·s; v22, v23 s·z; v24, v25 sums;
    // v26, v27 activations; v16 to v19 and v28 to v31 weights
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "movi v2.16b, #15",
            "mvni v3.8h, #7",
            "movi v4.16b, #1",
            "movi v5.16b, #0xF8",
            "2:",
            "ldr q16, [{pairs}], #16",
            "ld2r {{v6.8h, v7.8h}}, [{sums}], #4",
            "and v17.16b, v16.16b, v2.16b",
            "ushr v16.16b, v16.16b, #4",
            "trn1 v18.2d, v17.2d, v16.2d",
            "trn2 v19.2d, v17.2d, v16.2d",
            "add v18.16b, v18.16b, v4.16b",
            "add v19.16b, v19.16b, v5.16b",
            "ushll v20.8h, v18.8b, #2",
            "ushll2 v21.8h, v18.16b, #2",
            "smull v22.8h, v18.8b, v19.8b",
            "smull2 v23.8h, v18.16b, v19.16b",
            block!("6", "20", "22"),
            block!("7", "21", "23"),
            "subs {count}, {count}, #1",
            "b.ne 2b",
            count = inout(reg) count => _,
            w = inout(reg) groups => _,
            pairs = inout(reg) pairs => _,
            x = inout(reg) x => _,
            sums = inout(reg) sums => _,
            inout("v0") *low, inout("v1") *high,
            out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _,
            out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack),
        );
    }
}
