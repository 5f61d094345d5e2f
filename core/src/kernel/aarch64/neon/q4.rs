//! Nibbles. One token goes over a band's blocks in assembler, two at a time; several take the detour of
//! [`expand`].
//!
//! ```text
//! a block of one token:       instructions   of 69, with its half of what two blocks share
//!   loads                     6              weights 4, activations 2
//!   nibbles                   16
//!   smull, smlal              32
//!   addp, mls                 4
//!   smlal                     4
//! two blocks:
//!   parameters, sums, loop    14
//! ```

use core::arch::aarch64::*;
use core::arch::asm;

use super::super::expand::{self, Columns, WORTH_EXPANDING};
use super::super::{blocks_for, gemv::gemv, store};
use super::several::Neon;
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Sums};

/// See [`crate::kernel::DotQ4`].
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let tokens = x.tokens().min(sums.len());
    if tokens >= WORTH_EXPANDING {
        let block_sums = Columns { x: x.block_sums.as_ptr().cast(), stride: 2 * (x.cols / BLOCK) };
        // SAFETY: every AArch64 processor has NEON; `blocks_for` sees to it that there are enough sums.
        return unsafe { expand::q4::<Neon>(groups, pairs, x, block_sums, sums) };
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
unsafe fn one_token(
    blocks: usize,
    groups: *const u8,
    pairs: *const Pair,
    x: &[i8],
    block_sums: &[i16],
) -> [int32x4_t; 2] {
    // SAFETY: every AArch64 processor has NEON; by this function's contract.
    unsafe {
        let mut totals = [vdupq_n_s32(0); 2];
        two_blocks(blocks / 2, groups, pairs, x.as_ptr(), block_sums.as_ptr(), &mut totals);
        if blocks % 2 == 1 {
            let last = blocks - 1;
            let block = &*groups.cast::<[Group; 4]>().add(last);
            let pair = &*pairs.add(last / 2);
            let x = x.get_unchecked(last * BLOCK..);
            last_block(block, pair, x, *block_sums.get_unchecked(last), &mut totals);
        }
        totals
    }
}

/// Adds to the totals what a block without a second one is worth: with a block of zeros behind it.
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

/// Low and high nibbles of two registers, to two registers each.
macro_rules! nibbles {
    ([$a:literal, $b:literal], [$c:literal, $d:literal], [$e:literal, $f:literal]) => {
        concat!(nibbles!(low $a, $c), nibbles!(low $b, $d), nibbles!(high $a, $e), nibbles!(high $b, $f))
    };
    (low $from:literal, $to:literal) => {
        concat!("and v", $to, ".16b, v", $from, ".16b, v2.16b\n")
    };
    (high $from:literal, $to:literal) => {
        concat!("ushr v", $to, ".16b, v", $from, ".16b, #4\n")
    };
}

/// Four products of two registers of weights and the same activations, two rows each, to v16 to v19; two more
/// instructions between them, so that no sum waits for the one before where all goes in order.
#[rustfmt::skip]
macro_rules! multiply {
    ($how:literal, [$a:literal, $b:literal], $x:literal, $first:expr, $second:expr) => {
        concat!(
            $how, " v16.8h, v", $a, ".8b, v", $x, ".8b\n",
            $how, "2 v17.8h, v", $a, ".16b, v", $x, ".16b\n",
            $first, $how, " v18.8h, v", $b, ".8b, v", $x, ".8b\n",
            $how, "2 v19.8h, v", $b, ".16b, v", $x, ".16b\n",
            $second,
        )
    };
}

/// Groups 0 to 3 of a block. The first one's raw bytes are in v12 and v13, its nibbles in v28 to v31; the second
/// one's raw bytes in v14 and v15. Each group's nibbles are made while the one before is multiplied; `$first` and
/// `$second` are further instructions to do then.
macro_rules! groups {
    ($third:literal, $fourth:literal, $first:expr, $second:expr) => {
        concat!(
            multiply!("smull", ["30", "31"], "24", $first, $second),
            "ldp q12, q13, [{w}, #", $third, "]\n",
            multiply!(
                "smlal", ["28", "29"], "25",
                concat!(nibbles!(low "14", "10"), nibbles!(low "15", "11")),
                concat!(nibbles!(high "14", "8"), nibbles!(high "15", "9"))
            ),
            "ldp q14, q15, [{w}, #", $fourth, "]\n",
            multiply!("smlal", ["10", "11"], "26", nibbles!(low "12", "30"), nibbles!(low "13", "31")),
            multiply!("smlal", ["8", "9"], "27", nibbles!(high "12", "28"), nibbles!(high "13", "29")),
            "ld4r {{v24.4s-v27.4s}}, [{x}], #16\n",
            nibbles!(low "14", "10"),
            nibbles!(low "15", "11"),
            multiply!("smlal", ["30", "31"], "24", nibbles!(high "14", "8"), nibbles!(high "15", "9")),
            multiply!("smlal", ["28", "29"], "25", "", ""),
            multiply!("smlal", ["10", "11"], "26", "", ""),
            multiply!("smlal", ["8", "9"], "27", "", ""),
        )
    };
}

/// Sums of a block from v16 to v19 to one per row in v5, `$meanwhile` done.
#[rustfmt::skip]
macro_rules! add_up {
    ($meanwhile:expr) => {
        concat!(
            "addp v16.8h, v16.8h, v17.8h\n",
            "addp v18.8h, v18.8h, v19.8h\n",
            $meanwhile, "addp v5.8h, v16.8h, v18.8h\n",
        )
    };
}

/// Loads for the first two groups of a block.
#[rustfmt::skip]
macro_rules! begin {
    ($first:literal, $second:literal) => {
        concat!(
            "ldp q12, q13, [{w}, #", $first, "]\n",
            "ldp q14, q15, [{w}, #", $second, "]\n",
            "ld4r {{v24.4s-v27.4s}}, [{x}], #16\n",
        )
    };
}

/// Adds to the totals what twice `count` blocks are worth.
///
/// # Safety
/// There are as many, `count` pairs of parameters and, of one token, activations and sums of blocks.
#[inline]
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
    // v2 15, v3 8, v4 1, v5 -8 as bytes; v6, v7 sums of activations; v20, v21 4·s; v22, v23 s·z; v16 to v19 sums;
    // v24 to v27 activations; v8 to v11 and v28 to v31 weights
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "movi v2.16b, #15",
            "movi v3.8h, #8",
            "2:",
            "ldr q8, [{pairs}], #16",
            begin!("0", "32"),
            "ld2r {{v6.8h, v7.8h}}, [{sums}], #4",
            "and v9.16b, v8.16b, v2.16b",
            "ushr v8.16b, v8.16b, #4",
            nibbles!(low "12", "30"),
            nibbles!(low "13", "31"),
            "add v9.16b, v9.16b, v4.16b",
            "add v8.16b, v8.16b, v4.16b",
            nibbles!(high "12", "28"),
            nibbles!(high "13", "29"),
            "trn1 v10.2d, v9.2d, v8.2d",
            "trn2 v11.2d, v9.2d, v8.2d",
            groups!("64", "96",
                "ushll v20.8h, v10.8b, #2\nushll2 v21.8h, v10.16b, #2\n",
                "smull v22.8h, v10.8b, v11.8b\nsmull2 v23.8h, v10.16b, v11.16b\n"
            ),
            begin!("128", "160"),
            add_up!(nibbles!(["12", "13"], ["30", "31"], ["28", "29"])),
            "smlal v0.4s, v22.4h, v6.4h",
            "smlal2 v1.4s, v22.8h, v6.8h",
            groups!("192", "224",
                "mls v5.8h, v6.8h, v3.8h\n",
                "smlal v0.4s, v23.4h, v7.4h\nsmlal2 v1.4s, v23.8h, v7.8h\n"
            ),
            add_up!("smlal v0.4s, v5.4h, v20.4h\nsmlal2 v1.4s, v5.8h, v20.8h\n"),
            "mls v5.8h, v7.8h, v3.8h",
            "smlal v0.4s, v5.4h, v21.4h",
            "smlal2 v1.4s, v5.8h, v21.8h",
            "add {w}, {w}, #256",
            "subs {count}, {count}, #1",
            "b.ne 2b",
            count = inout(reg) count => _, w = inout(reg) groups => _,
            pairs = inout(reg) pairs => _, x = inout(reg) x => _, sums = inout(reg) sums => _,
            inout("v0") *low, inout("v1") *high,
            in("v4") vcombine_s8(vdup_n_s8(1), vdup_n_s8(-8)),
            out("v2") _, out("v3") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _,
            out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _,
            out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
            out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _,
            out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack),
        );
    }
}
