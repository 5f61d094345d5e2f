//! The loop of this folder for Armv6-M, whose instructions reach eight registers, but for additions and
//! moves: four sums live in the others. A compiler spills here.

use core::arch::naked_asm;

use super::Words;
use crate::format::BAND_ROWS;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Sums, Widened};

/// A row's word, `$at` bytes from r7, by the 8 activations in r0 to r3, added to `$sum`.
macro_rules! row {
    ($at:literal $(+ $more:literal)?, $sum:literal) => {
        concat!(
            "ldr r6, [r7, #", $at, $("+", $more,)? "]\n",
            "mov r5, r4\n",
            "ands r5, r6\n",
            row!(@product "r5", "r0", $sum),
            "lsrs r5, r6, #4\n",
            "ands r5, r4\n",
            row!(@product "r5", "r1", $sum),
            "lsrs r5, r6, #8\n",
            "ands r5, r4\n",
            row!(@product "r5", "r2", $sum),
            "lsrs r6, r6, #12\n",
            "ands r6, r4\n",
            row!(@product "r6", "r3", $sum),
        )
    };
    (@product $nibbles:literal, $x:literal, $sum:literal) => {
        concat!(
            "muls ", $nibbles, ", ", $x, ", ", $nibbles, "\n",
            "add ", $sum, ", ", $nibbles, "\n",
        )
    };
}

/// Four rows of a group, `$at` bytes from r7, by the next 8 activations.
macro_rules! group {
    ($at:literal) => {
        concat!(
            "ldm r5!, {{r0-r3}}\n",
            "mov r12, r5\n",
            row!($at, "r8"),
            row!($at + 4, "r9"),
            row!($at + 8, "r10"),
            row!($at + 12, "r11"),
            "mov r5, r12\n",
        )
    };
}

/// A row's sum of a block, from `$sum` to the one on the stack: its sub-scale and zero are bytes of the pair
/// at r2, taken by `$nibble`, r1 is Σx.
macro_rules! total {
    ($row:literal, $sum:literal, $nibble:literal) => {
        concat!(
            "ldrb r3, [r2, #8+",
            $row,
            "]\n",
            $nibble,
            "\n",
            "subs r3, #8\n",
            "muls r3, r1, r3\n",
            "mov r5, ",
            $sum,
            "\n",
            "asrs r5, r5, #16\n",
            "lsls r5, r5, #2\n",
            "adds r5, r5, r3\n",
            "ldrb r3, [r2, #",
            $row,
            "]\n",
            $nibble,
            "\n",
            "adds r3, #1\n",
            "muls r5, r3, r5\n",
            "ldr r3, [sp, #4*",
            $row,
            "]\n",
            "adds r3, r3, r5\n",
            "str r3, [sp, #4*",
            $row,
            "]\n",
        )
    };
}

macro_rules! totals {
    ($nibble:literal) => {
        concat!(
            total!(0, "r8", $nibble),
            total!(1, "r9", $nibble),
            total!(2, "r10", $nibble),
            total!(3, "r11", $nibble),
        )
    };
}

/// Writes the sums of a band of nibbles, by the widened blocks from `x` on.
pub(super) fn q4(blocks: &[[Words; 4]], pairs: &[Pair], x: &[Widened], sums: &mut Sums<i32>) {
    let count = blocks.len().min(x.len()).min(2 * pairs.len());
    let Some(blocks) = blocks.get(..count).filter(|blocks| !blocks.is_empty()) else {
        *sums = [0; BAND_ROWS];
        return;
    };
    let range = blocks.as_ptr_range();
    // SAFETY: there are `count` blocks, not none, and as many of x, and half a pair for each.
    unsafe { q4_band(range.start, x.as_ptr(), pairs.as_ptr(), range.end, sums) }
}

/// Writes the sums of the band of nibbles from `blocks` to `end`, at least a block.
///
/// # Safety
/// From `x` on there are as many widened blocks, from `pairs` on half as many pairs, rounded up. The routine
/// saves what a function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn q4_band(
    blocks: *const [Words; 4],
    x: *const Widened,
    pairs: *const Pair,
    end: *const [Words; 4],
    sums: &mut Sums<i32>,
) {
    // r0-r3 activations, r4 the mask, r5 what it leaves, r6 a word, r7 the block, from the first row of four on,
    // r8-r11 a block's sums, r12 x, lr the pair, from the same row on
    // sp: 0 the sums so far, 16 Σx, 20 the first block, 24 x, 28 pairs, 32 the end, 36 where the sums go, 40 their
    //     end; the first block, the pairs and the end move on with the rows
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "ldr r4, [sp, #36]",
        "mov r5, r4",
        "adds r5, #32",
        "sub sp, #44",
        "add r6, sp, #20",
        "stm r6!, {{r0-r5}}",
        "movs r4, #15",
        "lsls r5, r4, #16",
        "orrs r4, r5",
        "1:",
        "mov r7, r0",
        "mov r5, r1",
        "mov lr, r2",
        "movs r0, #0",
        "str r0, [sp, #0]",
        "str r0, [sp, #4]",
        "str r0, [sp, #8]",
        "str r0, [sp, #12]",
        "2:",
        "ldm r5!, {{r0, r1}}",
        "str r1, [sp, #16]",
        "mov r8, r0",
        "mov r9, r0",
        "mov r10, r0",
        "mov r11, r0",
        group!(0),
        group!(32),
        group!(64),
        group!(96),
        "ldr r1, [sp, #16]",
        "mov r2, lr",
        // Whether a block is the first or the second of a pair is told by its address, in units of 128.
        "ldr r0, [sp, #20]",
        "subs r0, r7, r0",
        "lsls r0, r0, #24",
        "bmi 3f",
        totals!("ands r3, r4"),
        "b 4f",
        "3:",
        totals!("lsrs r3, r3, #4"),
        "adds r2, #16",
        "mov lr, r2",
        "4:",
        "mov r5, r12",
        "adds r7, #128",
        "ldr r0, [sp, #32]",
        "cmp r7, r0",
        "beq 5f",
        "b 2b",
        "5:",
        "ldr r0, [sp, #36]",
        "mov r1, sp",
        "ldm r1!, {{r2, r3, r5, r6}}",
        "stm r0!, {{r2, r3, r5, r6}}",
        "ldr r1, [sp, #40]",
        "cmp r0, r1",
        "beq 6f",
        "str r0, [sp, #36]",
        "adds r7, #16",
        "str r7, [sp, #32]",
        "ldr r0, [sp, #20]",
        "adds r0, #16",
        "str r0, [sp, #20]",
        "ldr r1, [sp, #24]",
        "ldr r2, [sp, #28]",
        "adds r2, #4",
        "b 1b",
        "6:",
        "add sp, #44",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
