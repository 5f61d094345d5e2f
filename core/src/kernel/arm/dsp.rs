//! SMLAD, the DSP instruction of Cortex-M4, M7 and M33: two products of 16 bits added to a sum of 32.
//!
//! A word of a group is 4 int8 (or 8 nibbles) of one row; the activations are widened to pairs of 16 bits
//! first ([`widen`]), the way that words of weights fall apart:
//!
//! ```text
//! q8, a word w: k0 k1 k2 k3
//!   sxtb16(w), sxtb16(w, ror 8)            → (k0, k2), (k1, k3); smlad each
//! q4, a word w: k0|k4 k1|k5 k2|k6 k3|k7    with m = 0F000F00, a nibble becomes n · 2⁸
//!   m & w << 8, m & w                      → (k0, k2), (k1, k3); smlad each
//!   m & w << 4, m & w >> 4                 → (k4, k6), (k5, k7)
//! q4, before a block:  sum = (W · z') / 2¹⁶ + C, by smlaw   z' = (z + 8) · 2⁸
//!     W = Σx · 2¹⁴, C = -40 · 64 · Σx                       → 64 · (z - 32) · Σx
//!   the products add 2⁸ · Σ n·x                             → 64 · (4 · Σ n·x + (z - 32) · Σx)
//!   after it: total += (sum · s · 2¹⁰) / 2¹⁶, by smlaw      exact
//! ```
//!
//! Four rows at a time, since four sums, four words of activations, two of weights and what they need fill
//! the registers; each routine runs once for rows 0 to 3 and once for rows 4 to 7. They are written as a
//! whole because a compiler spills here. `ldrd` and `ldm` want addresses that are multiples of 4: other
//! buffers go to the scalar kernel.

use core::arch::{asm, naked_asm};

use super::{aligned, blocks};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::elementwise::Elementwise;
use crate::kernel::{Group, Ints, Kernel, Sums, Wide, scalar};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "arm-dsp",
    f32: scalar::KERNEL.f32,
    q8,
    q4,
    q8_wide,
    elementwise: Elementwise::PORTABLE,
};

/// Words per block of widened activations: C, W, 16 pairs.
const WIDENED: usize = 2 + BLOCK / 2;

/// Blocks that are widened at a time.
const CHUNK: usize = 4;

/// The bytes 0 and 2 of a word as 16-bit numbers.
#[inline(always)]
fn even_bytes(word: u32) -> u32 {
    let pair;
    // SAFETY: registers only.
    unsafe {
        asm!("sxtb16 {}, {}", out(reg) pair, in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    pair
}

/// Widens blocks of activations: (k0, k2), (k1, k3), (k4, k6), …, behind C and W for the blocks' sums.
fn widen(values: &[i8], block_sums: &[i16], out: &mut [[u32; WIDENED]; CHUNK]) {
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(block_sums);
    for ((x, &sum), out) in blocks.zip(out) {
        let [c, w, pairs @ ..] = out;
        let sum = i32::from(sum);
        *c = (sum * (-40 * 64)).cast_unsigned();
        *w = (sum << 14).cast_unsigned();
        for (pairs, x) in pairs.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<4>().0) {
            let word = u32::from_le_bytes(x.map(i8::cast_unsigned));
            *pairs = [even_bytes(word), even_bytes(word.rotate_right(8))];
        }
    }
}

fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !aligned(groups) || !aligned(x.values) {
        return (scalar::KERNEL.q8)(groups, x, sums);
    }
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    let each = x.values.chunks_exact(x.cols.max(1));
    for (x, sums) in each.zip(sums) {
        *sums = [0; 8];
        let mut widened = [[0; WIDENED]; CHUNK];
        for (groups, x) in groups.chunks(CHUNK * BLOCK / 4).zip(x.chunks(CHUNK * BLOCK)) {
            widen(x, &[0; CHUNK], &mut widened);
            for half in 0..2 {
                // SAFETY: `groups` are `groups.len()` groups at a multiple of 4, for each of which there is
                // a pair of words widened; rows 4 to 7 are 16 bytes into a group, and sums 4 to 7 of 8.
                unsafe {
                    let weights = groups.as_ptr().cast::<u8>().add(16 * half);
                    let sums = sums.as_mut_ptr().add(4 * half);
                    q8_rows(weights, widened.as_ptr().cast(), sums, groups.len());
                }
            }
        }
    }
}

/// Four words of a group, `at` bytes from r0, by the pairs of activations in `$even` and `$odd`, added to
/// r4 to r7.
macro_rules! q8_group {
    ($at:literal $(+ $more:literal)?, $even:literal, $odd:literal) => {
        concat!(
            "ldrd r12, lr, [r0, #", $at, $("+", $more,)? "]\n",
            q8_group!(@row "r12", "r4", $even, $odd),
            q8_group!(@row "lr", "r5", $even, $odd),
            "ldrd r12, lr, [r0, #", $at, $("+", $more,)? "+8]\n",
            q8_group!(@row "r12", "r6", $even, $odd),
            q8_group!(@row "lr", "r7", $even, $odd),
        )
    };
    (@row $word:literal, $sum:literal, $even:literal, $odd:literal) => {
        concat!(
            "sxtb16 r2, ", $word, "\n",
            "smlad ", $sum, ", r2, ", $even, ", ", $sum, "\n",
            "sxtb16 r2, ", $word, ", ror #8\n",
            "smlad ", $sum, ", r2, ", $odd, ", ", $sum, "\n",
        )
    };
}

/// Two groups, `at` bytes from r0.
macro_rules! q8_two_groups {
    ($at:literal) => {
        concat!(
            "ldmia r1!, {{r8-r11}}\n",
            q8_group!($at, "r8", "r9"),
            q8_group!($at + 32, "r10", "r11"),
        )
    };
}

/// Adds to 4 `sums` the products of 4 rows, `groups` groups from `weights` on (a row's words are 32 bytes
/// apart), by as many pairs of words in widened blocks. All are at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn q8_rows(weights: *const u8, x: *const u32, sums: *mut i32, groups: usize) {
    // r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them
    naked_asm!(
        "push {{r2, r4-r11, lr}}",
        "ldm r2, {{r4-r7}}",
        "subs r3, #8",
        "blt 2f",
        "1:",
        "adds r1, #8",
        q8_two_groups!(0),
        q8_two_groups!(64),
        q8_two_groups!(128),
        q8_two_groups!(192),
        "add r0, #256",
        "subs r3, #8",
        "bge 1b",
        "2:",
        "adds r3, #8",
        "beq 4f",
        "adds r1, #8",
        "3:",
        "ldrd r8, r9, [r1], #8",
        q8_group!(0, "r8", "r9"),
        "adds r0, #32",
        "subs r3, #1",
        "bne 3b",
        "4:",
        "pop {{r2}}",
        "stm r2, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !aligned(groups) || !aligned(pairs) || !aligned(x.values) {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    }
    let blocks = blocks(groups, pairs, x);
    let cols = x.cols.max(BLOCK);
    let each = x.values.chunks_exact(cols).zip(x.block_sums.chunks_exact(cols / BLOCK));
    for ((x, block_sums), sums) in each.zip(sums) {
        *sums = [0; 8];
        let mut widened = [[0; WIDENED]; CHUNK];
        let chunks = x.chunks(CHUNK * BLOCK).zip(block_sums.chunks(CHUNK));
        let weights = blocks.chunks(CHUNK).zip(pairs.chunks(CHUNK / 2));
        for ((blocks, pairs), (x, block_sums)) in weights.zip(chunks) {
            widen(x, block_sums, &mut widened);
            for half in 0..2 {
                // SAFETY: `blocks` are `blocks.len()` blocks, not none, at a multiple of 4, for each of which
                // there is a widened one and half a pair (at a multiple of 4); rows 4 to 7 are 16 bytes into
                // a group, 4 into the sub-scales and zeros of a pair, and sums 4 to 7 of 8.
                unsafe {
                    let weights = blocks.as_ptr().cast::<u8>().add(16 * half);
                    let pairs = pairs.as_ptr().cast::<u8>().add(4 * half);
                    let sums = sums.as_mut_ptr().add(4 * half);
                    let start = widened.as_ptr();
                    let end = start.add(blocks.len());
                    q4_rows(weights, start.cast(), pairs, sums, end.cast());
                }
            }
        }
    }
}

/// Four words of a group, `at` bytes from r0, by the 8 activations at r1, added to r4 to r7.
macro_rules! q4_group {
    ($at:literal $(+ $more:literal)?) => {
        concat!(
            "ldmia r1!, {{r8-r11}}\n",
            "ldrd r12, lr, [r0, #", $at, $("+", $more,)? "]\n",
            q4_group!(@row "r12", "r4"),
            q4_group!(@row "lr", "r5"),
            "ldrd r12, lr, [r0, #", $at, $("+", $more,)? "+8]\n",
            q4_group!(@row "r12", "r6"),
            q4_group!(@row "lr", "r7"),
        )
    };
    (@row $word:literal, $sum:literal) => {
        concat!(
            q4_group!(@pair $word, ", lsl #8", $sum, "r8"),
            q4_group!(@pair $word, "", $sum, "r9"),
            q4_group!(@pair $word, ", lsl #4", $sum, "r10"),
            q4_group!(@pair $word, ", lsr #4", $sum, "r11"),
        )
    };
    (@pair $word:literal, $shift:literal, $sum:literal, $x:literal) => {
        concat!(
            "and r3, r2, ", $word, $shift, "\n",
            "smlad ", $sum, ", r3, ", $x, ", ", $sum, "\n",
        )
    };
}

/// A block, `at` bytes from r0. Its zeros and sub-scales are shifted to where they are wanted: those of
/// rows 0 and 2, then of rows 1 and 3. `$next` moves the address of the pair on.
macro_rules! q4_block {
    ($at:literal, $zeros:literal, $odd_zeros:literal, $subs:literal, $odd_subs:literal, $next:literal) => {
        concat!(
            "ldr r12, [sp, #16]\n",
            "ldr r12, [r12, #8]\n",
            "ldmia r1!, {{r8, r9}}\n",
            "and r10, r2, r12",
            $zeros,
            "\n",
            "and r11, r2, r12",
            $odd_zeros,
            "\n",
            "smlawb r4, r9, r10, r8\n",
            "smlawb r5, r9, r11, r8\n",
            "smlawt r6, r9, r10, r8\n",
            "smlawt r7, r9, r11, r8\n",
            q4_group!($at),
            q4_group!($at + 32),
            q4_group!($at + 64),
            q4_group!($at + 96),
            "ldr r12, [sp, #16]\n",
            "mov r3, #0x3C003C00\n",
            "ldr lr, [r12]",
            $next,
            "\n",
            "and r12, r3, lr",
            $subs,
            "\n",
            "and r3, r3, lr",
            $odd_subs,
            "\n",
            "add r12, #0x04000400\n",
            "add r3, #0x04000400\n",
            "ldm sp, {{r8-r11}}\n",
            "smlawb r8, r4, r12, r8\n",
            "smlawb r9, r5, r3, r9\n",
            "smlawt r10, r6, r12, r10\n",
            "smlawt r11, r7, r3, r11\n",
            "stm sp, {{r8-r11}}\n",
        )
    };
}

/// Adds to 4 `sums` those of 4 rows of nibbles from `weights` on, by the widened blocks from `x` to `end`,
/// at least one. A row's words are 32 bytes apart, the words of zeros 8 bytes behind those of sub-scales.
/// All are at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn q4_rows(
    weights: *const u8,
    x: *const u32,
    pairs: *const u8,
    sums: *mut i32,
    end: *const u32,
) {
    // r4-r7 a block's sums, r8-r11 activations, r12 and lr weights, r2 the mask, r3 what it leaves
    // sp: 0 the sums, 16 the pair, 20 where the sums go, 24 the end
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "ldm r3, {{r8-r11}}",
        "push {{r2-r4}}",
        "push {{r8-r11}}",
        "mov r2, #0x0F000F00",
        "1:",
        q4_block!(0, ", lsl #8", "", ", lsl #10", ", lsl #2", ""),
        "ldr r12, [sp, #24]",
        "cmp r1, r12",
        "beq 2f",
        q4_block!(128, ", lsl #4", ", lsr #4", ", lsl #6", ", lsr #2", ", #16\nstr r12, [sp, #16]"),
        "ldr r12, [sp, #24]",
        "add r0, #256",
        "cmp r1, r12",
        "bne 1b",
        "2:",
        "pop {{r8-r11}}",
        "pop {{r2-r4}}",
        "stm r3, {{r8-r11}}",
        "pop {{r4-r11, pc}}",
    )
}

fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    let cols = weights.per_band * 4;
    if cols == 0 || !aligned(weights.groups) || !aligned(x) {
        return (scalar::KERNEL.q8_wide)(weights, x, tokens, sums);
    }
    for (groups, sums) in weights.bands().zip(sums.chunks_exact_mut(tokens.max(1))) {
        for (x, sums) in x.chunks_exact(cols).zip(sums) {
            for half in 0..2 {
                // SAFETY: `groups` are `groups.len()` groups, not none, at a multiple of 4, and x four times
                // as many numbers, at a multiple of 4; rows 4 to 7 are 16 bytes into a group, and sums 4
                // to 7 of 8.
                unsafe {
                    let weights = groups.as_ptr().cast::<u8>().add(16 * half);
                    wide_rows(weights, x.as_ptr(), sums.as_mut_ptr().add(4 * half), groups.len());
                }
            }
        }
    }
}

/// Writes to 4 `sums` those of 4 rows, `groups` groups (at least one) from `weights` on (a row's words are 32
/// bytes apart), by four times as many activations. All are at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn wide_rows(weights: *const u8, x: *const i16, sums: *mut i32, groups: usize) {
    // r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them
    naked_asm!(
        "push {{r2, r4-r11, lr}}",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "1:",
        "ldrd r10, r11, [r1], #8",
        "pkhbt r8, r10, r11, lsl #16",
        "pkhtb r9, r11, r10, asr #16",
        q8_group!(0, "r8", "r9"),
        "adds r0, #32",
        "subs r3, #1",
        "bne 1b",
        "pop {{r2}}",
        "stm r2, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}
