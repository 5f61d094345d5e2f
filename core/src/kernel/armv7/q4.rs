//! Nibbles. As on the Cortex-A72, products of 8 bits are added up in 16 bits over a block.
//!
//! ```text
//! vld4.32 {d0[], …, d3[]}   → 16 activations, 4 in each register, twice
//! per group of a block, four times (two rows each):
//!   n = w & 15, w >> 4
//!   vmlal.s8(n, x4)         → i16, four per row        at most 8 · 15 · 127 < 2¹⁵
//! per block, for all rows:
//!   vpadd, vpadd            → i16, one per row: Σ n·x modulo 2¹⁶
//!   less 8 · Σx             → Σ (n - 8)·x              at most 32 · 8 · 127 < 2¹⁵: exact again
//!   vmlal.s16(·, 4·s)       → i32, one per row; added up
//!   vmlal.s16(s·z, Σx)      → the same for the zeros
//! ```
//!
//! A block takes 76 instructions, 0.30 per multiply-accumulate; of two tokens 127, 0.25.

use core::arch::naked_asm;

use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums, scalar};

/// See [`crate::kernel::DotQ4`].
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let per_token = x.cols / BLOCK;
    let blocks = per_token.min(groups.len() / 4).min(2 * pairs.len());
    if blocks == 0 {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    }
    let (groups, pairs) = (groups.as_ptr(), pairs.as_ptr());
    let inputs = x.values.chunks_exact(x.cols).zip(x.block_sums.chunks_exact(per_token));
    let mut tokens = inputs.zip(sums).map(|((x, block_sums), sums)| Token {
        x: x.as_ptr(),
        block_sums: block_sums.as_ptr(),
        sums,
    });
    while let Some(first) = tokens.next() {
        let second = tokens.next();
        // SAFETY: there is NEON where this is handed out; `blocks` blocks, not none, half as many pairs, and
        // of each token as many activations and their sums.
        unsafe {
            match second {
                Some(second) => two_tokens(groups, pairs, &[first, second], blocks),
                None => one_token(groups, pairs, &first, blocks),
            }
        }
    }
}

/// Where what belongs to a token is.
#[repr(C)]
struct Token {
    x: *const i8,
    block_sums: *const i16,
    sums: *mut Sums<i32>,
}

/// The pair at r3 for the first of its blocks: sub-scales less 1, and zeros plus 8.
macro_rules! first_of_pair {
    () => {
        "vld1.8 {{d4, d5}}, [r3]
        vand q2, q2, q15
        "
    };
}

/// The same for the second one; the next pair is the next block's.
macro_rules! second_of_pair {
    () => {
        "vld1.8 {{d4, d5}}, [r3]!
        vshr.u8 q2, q2, #4
        "
    };
}

/// A register's sums of four rows, from four registers with two rows each.
macro_rules! add_up {
    ($([$a:literal, $b:literal, $c:literal, $d:literal])+) => {
        concat!($(
            "vpadd.i16 ", $a, ", ", $a, ", ", $b, "\n",
            "vpadd.i16 ", $c, ", ", $c, ", ", $d, "\n",
            "vpadd.i16 ", $a, ", ", $a, ", ", $c, "\n",
        )+)
    };
}

/// Adds what a block is worth to totals: sums times 4·s, activations' sum times s·z.
#[rustfmt::skip]
macro_rules! scale {
    ($total:literal, $sums:literal, $steps:literal, $offsets:literal, $block_sum:literal) => {
        concat!(
            "vmlal.s16 ", $total, ", ", $sums, ", ", $steps, "\n",
            "vmlal.s16 ", $total, ", ", $offsets, ", ", $block_sum, "\n",
        )
    };
}

/// The group in q6 and q7 by two registers of activations, for its low nibbles and its high ones; `$first` is how
/// the first products get to q8 to q11. The next group is loaded meanwhile.
#[rustfmt::skip]
macro_rules! group {
    ($first:literal, $low:literal, $high:literal, $load:literal) => {
        concat!(
            "vshr.u8 q4, q6, #4\n",
            "vshr.u8 q5, q7, #4\n",
            "vand q2, q6, q15\n",
            "vand q3, q7, q15\n",
            $load, "\n",
            $first, " q8, d4, ", $low, "\n",
            $first, " q9, d5, ", $low, "\n",
            $first, " q10, d6, ", $low, "\n",
            $first, " q11, d7, ", $low, "\n",
            "vmlal.s8 q8, d8, ", $high, "\n",
            "vmlal.s8 q9, d9, ", $high, "\n",
            "vmlal.s8 q10, d10, ", $high, "\n",
            "vmlal.s8 q11, d11, ", $high, "\n",
        )
    };
}

/// A block, added to the totals in q13 and q14.
macro_rules! block {
    ($pair:ident) => {
        concat!(
            "vld1.8 {{d12-d15}}, [r0]!\n",
            "vld4.32 {{d0[], d1[], d2[], d3[]}}, [r1]!\n",
            "pld [r0, #480]\n",
            "pld [r0, #544]\n",
            group!("vmull.s8", "d0", "d1", "vld1.8 {{d12-d15}}, [r0]!"),
            group!("vmlal.s8", "d2", "d3", "vld1.8 {{d12-d15}}, [r0]!"),
            "vld4.32 {{d0[], d1[], d2[], d3[]}}, [r1]!\n",
            group!("vmlal.s8", "d0", "d1", "vld1.8 {{d12-d15}}, [r0]!"),
            group!("vmlal.s8", "d2", "d3", ""),
            $pair!(),
            "vld1.16 {{d0[], d1[]}}, [r2]!\n",
            "vadd.i8 q2, q2, q12\n",
            add_up!(["d16", "d17", "d18", "d19"] ["d20", "d21", "d22", "d23"]),
            "vshl.i16 q1, q0, #3\n",
            "vshll.s8 q3, d4, #2\n",
            "vmull.s8 q4, d4, d5\n",
            "vsub.i16 d16, d16, d2\n",
            "vsub.i16 d17, d20, d2\n",
            scale!("q13", "d16", "d6", "d8", "d0"),
            scale!("q14", "d17", "d7", "d9", "d0"),
        )
    };
}

/// Writes the sums of one token.
///
/// # Safety
/// The processor has NEON. `blocks` blocks, not none, half as many pairs, and for the token as many activations
/// and sums of blocks are there. The routine saves what a function must, d8 to d15.
#[unsafe(naked)]
unsafe extern "C" fn one_token(
    groups: *const Group,
    pairs: *const Pair,
    token: &Token,
    blocks: usize,
) {
    // r0 groups, r1 activations, r2 their sums, r3 pairs, r4 where the sums go, r12 blocks to come
    // q0-q1 activations, q2-q7 weights, q8-q11 sums, q12 1 and -8, q13-q14 totals, q15 15
    naked_asm!(
        processor!(),
        "push {{r4, lr}}",
        "vpush {{d8-d15}}",
        "mov r12, r3",
        "mov r3, r1",
        "ldr r1, [r2]",
        "ldr r4, [r2, #8]",
        "ldr r2, [r2, #4]",
        "vmov.i8 d24, #1",
        "vmov.i8 d25, #0xF8",
        "vmov.i32 q13, #0",
        "vmov.i32 q14, #0",
        "vmov.i8 q15, #15",
        "2:",
        block!(first_of_pair),
        "subs r12, r12, #1",
        "beq 3f",
        block!(second_of_pair),
        "subs r12, r12, #1",
        "bne 2b",
        "3:",
        "vst1.32 {{d26-d29}}, [r4]",
        "vpop {{d8-d15}}",
        "pop {{r4, pc}}",
    )
}

/// Half of a group, by activations of two tokens: for low nibbles in d0 or d2 and d4 or d6, for high ones in the
/// next registers; `$first` is how the first products get to the sums, two registers per token.
#[rustfmt::skip]
macro_rules! half_group {
    (
        $first:literal, [$bytes:literal, $b:literal, $c:literal],
        [$x_low:literal, $x_high:literal, $p:literal, $q:literal],
        [$y_low:literal, $y_high:literal, $r:literal, $s:literal]
    ) => {
        concat!(
            "vshr.u8 q14, ", $bytes, ", #4\n",
            "vand ", $bytes, ", ", $bytes, ", q15\n",
            $first, " ", $p, ", ", $b, ", ", $x_low, "\n",
            $first, " ", $q, ", ", $c, ", ", $x_low, "\n",
            $first, " ", $r, ", ", $b, ", ", $y_low, "\n",
            $first, " ", $s, ", ", $c, ", ", $y_low, "\n",
            "vmlal.s8 ", $p, ", d28, ", $x_high, "\n",
            "vmlal.s8 ", $q, ", d29, ", $x_high, "\n",
            "vmlal.s8 ", $r, ", d28, ", $y_high, "\n",
            "vmlal.s8 ", $s, ", d29, ", $y_high, "\n",
        )
    };
}

/// A group, by the same.
macro_rules! group_by_two {
    ($first:literal, [$x_low:literal, $x_high:literal], [$y_low:literal, $y_high:literal]) => {
        concat!(
            "vld1.8 {{d24-d27}}, [r0]!\n",
            half_group!(
                $first,
                ["q12", "d24", "d25"],
                [$x_low, $x_high, "q8", "q9"],
                [$y_low, $y_high, "q4", "q5"]
            ),
            half_group!(
                $first,
                ["q13", "d26", "d27"],
                [$x_low, $x_high, "q10", "q11"],
                [$y_low, $y_high, "q6", "q7"]
            ),
        )
    };
}

/// A block by two tokens, added to the totals at r6 and r7.
macro_rules! block_by_two {
    ($pair:ident) => {
        concat!(
            "vld4.32 {{d0[], d1[], d2[], d3[]}}, [r1]!\n",
            "vld4.32 {{d4[], d5[], d6[], d7[]}}, [r4]!\n",
            group_by_two!("vmull.s8", ["d0", "d1"], ["d4", "d5"]),
            group_by_two!("vmlal.s8", ["d2", "d3"], ["d6", "d7"]),
            "vld4.32 {{d0[], d1[], d2[], d3[]}}, [r1]!\n",
            "vld4.32 {{d4[], d5[], d6[], d7[]}}, [r4]!\n",
            group_by_two!("vmlal.s8", ["d0", "d1"], ["d4", "d5"]),
            group_by_two!("vmlal.s8", ["d2", "d3"], ["d6", "d7"]),
            "vmov.i8 d24, #1\n",
            "vmov.i8 d25, #0xF8\n",
            $pair!(),
            "vld1.16 {{d0[]}}, [r2]!\n",
            "vld1.16 {{d1[]}}, [r5]!\n",
            add_up!(["d16", "d17", "d18", "d19"] ["d20", "d21", "d22", "d23"]),
            add_up!(["d8", "d9", "d10", "d11"] ["d12", "d13", "d14", "d15"]),
            "vadd.i8 q2, q2, q12\n",
            "vshl.i16 q1, q0, #3\n",
            "vshll.s8 q13, d4, #2\n",
            "vmull.s8 q14, d4, d5\n",
            "vsub.i16 d16, d16, d2\n",
            "vld1.32 {{d4-d7}}, [r6]\n",
            "vsub.i16 d20, d20, d2\n",
            "vsub.i16 d8, d8, d3\n",
            "vsub.i16 d12, d12, d3\n",
            scale!("q2", "d16", "d26", "d28", "d0"),
            scale!("q3", "d20", "d27", "d29", "d0"),
            "vst1.32 {{d4-d7}}, [r6]\n",
            "vld1.32 {{d4-d7}}, [r7]\n",
            scale!("q2", "d8", "d26", "d28", "d1"),
            scale!("q3", "d12", "d27", "d29", "d1"),
            "vst1.32 {{d4-d7}}, [r7]\n",
        )
    };
}

/// Writes the sums of two tokens.
///
/// # Safety
/// As [`one_token`]; the routine saves r4 to r7 as well.
#[unsafe(naked)]
unsafe extern "C" fn two_tokens(
    groups: *const Group,
    pairs: *const Pair,
    tokens: &[Token; 2],
    blocks: usize,
) {
    // r0 groups, r1 and r4 activations, r2 and r5 their sums, r3 pairs, r6 and r7 totals, r12 blocks to come
    // q0-q3 activations, q12-q14 weights, q8-q11 and q4-q7 sums, q15 15
    naked_asm!(
        processor!(),
        "push {{r4-r7, lr}}",
        "vpush {{d8-d15}}",
        "mov r12, r3",
        "mov r3, r1",
        "ldr r1, [r2]",
        "ldr r6, [r2, #8]",
        "ldr r4, [r2, #12]",
        "ldr r5, [r2, #16]",
        "ldr r7, [r2, #20]",
        "ldr r2, [r2, #4]",
        "vmov.i32 q0, #0",
        "vmov.i32 q1, #0",
        "vmov.i8 q15, #15",
        "vst1.32 {{d0-d3}}, [r6]",
        "vst1.32 {{d0-d3}}, [r7]",
        "2:",
        block_by_two!(first_of_pair),
        "subs r12, r12, #1",
        "beq 3f",
        block_by_two!(second_of_pair),
        "subs r12, r12, #1",
        "bne 2b",
        "3:",
        "vpop {{d8-d15}}",
        "pop {{r4-r7, pc}}",
    )
}
