//! SMLAD, the DSP instruction of Cortex-M4, M7 and M33: two products of 16 bits added to a sum of 32.
//!
//! A word of a group is 4 int8 (or 8 nibbles) of one row; the activations are widened to pairs of 16 bits
//! once per token ([`widen`]), the way that words of weights fall apart:
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
//! Four rows at a time, since four sums, four words of activations, two of weights and what becomes of them
//! fill the registers: each routine goes over a band twice. They are written as a whole because a compiler
//! spills here. `ldrd` and `ldm` want addresses that are multiples of 4; other buffers, and activations that
//! were not widened, go to the scalar kernel.

use core::arch::naked_asm;

#[cfg(acorn_fpu)]
use super::q4_layout;
use super::wide::q8_wide;
use super::{PORTABLE, aligned, blocks, float};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Kernel, Sums, Widened, gemv, rows, scalar};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "arm-dsp",
    f32: scalar::KERNEL.f32,
    q8: scalar::KERNEL.q8,
    q4,
    gemv_q8,
    gemv_q4,
    q8_wide,
    elementwise: float::ELEMENTWISE,
};

/// Widens blocks of activations: C and W for a block's sum, then its pairs (k0, k2), (k1, k3), (k4, k6), …
pub(in crate::kernel) fn widen(values: &[i8], block_sums: &[i16], out: &mut [Widened]) {
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(block_sums);
    for ((x, &sum), out) in blocks.zip(out) {
        // SAFETY: a block of activations, and of words.
        unsafe { widen_block(x.as_ptr(), sum.into(), out.as_mut_ptr()) }
    }
}

/// Widens a block whose sum is `sum`.
///
/// # Safety
/// `x` is a block of activations, `out` has room for a widened one. The routine saves what a function must:
/// r4 and r5.
#[unsafe(naked)]
unsafe extern "C" fn widen_block(x: *const i8, sum: i32, out: *mut u32) {
    naked_asm!(
        processor!(),
        "push {{r4, r5}}",
        "lsl r4, r1, #14",
        "add r1, r1, r1, lsl #2",
        "lsl r1, r1, #9",
        "rsb r3, r1, #0",
        "stmia r2!, {{r3, r4}}",
        "add r5, r0, #32",
        "1:",
        "ldr r1, [r0], #4",
        "sxtb16 r3, r1",
        "sxtb16 r4, r1, ror #8",
        "stmia r2!, {{r3, r4}}",
        "cmp r0, r5",
        "bne 1b",
        "pop {{r4, r5}}",
        "bx lr",
    )
}

/// Whether all blocks of `x` were widened.
fn is_widened(x: Ints<'_>) -> bool {
    x.widened.len() == x.values.len() / BLOCK
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

/// Four rows of r2 groups from r0 on, by the activations from r1 on: their sums in r4 to r7.
macro_rules! q8_rows {
    () => {
        concat!(
            "mov r4, #0\n",
            "mov r5, #0\n",
            "mov r6, #0\n",
            "mov r7, #0\n",
            "subs r3, r2, #8\n",
            "blt 3f\n",
            "2:\n",
            "adds r1, #8\n",
            q8_two_groups!(0),
            q8_two_groups!(64),
            q8_two_groups!(128),
            q8_two_groups!(192),
            "add r0, #256\n",
            "subs r3, #8\n",
            "bge 2b\n",
            "3:\n",
            "adds r3, #8\n",
            "beq 5f\n",
            "adds r1, #8\n",
            "4:\n",
            "ldrd r8, r9, [r1], #8\n",
            q8_group!(0, "r8", "r9"),
            "adds r0, #32\n",
            "subs r3, #1\n",
            "bne 4b\n",
            "5:\n",
        )
    };
}

fn gemv_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    #[cfg(acorn_fpu)]
    if fpu::gemv_q8(bands, x, scale, out) {
        return;
    }
    if PORTABLE || cfg!(not(acorn_fpu)) {
        portable_q8(bands, x, scale, out);
    }
}

/// Any bands.
#[inline(never)] // Its buffers are no part of the stack under the others.
fn portable_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv::q8(scalar::KERNEL.q8, bands, x, scale, out);
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let blocks = blocks(groups, pairs, x);
    if !aligned(groups) || !aligned(pairs) || !is_widened(x) || blocks.is_empty() {
        if PORTABLE {
            (scalar::KERNEL.q4)(groups, pairs, x, sums);
        }
        return;
    }
    for (x, sums) in rows(x.widened, x.cols / BLOCK).zip(sums) {
        // SAFETY: `blocks` are some blocks at a multiple of 4; there is half a pair, at a multiple of 4, and a
        // widened block for each, so that the end is within x or just behind it.
        unsafe {
            let end = x.as_ptr().add(blocks.len());
            q4_band(blocks.as_ptr(), x.as_ptr(), pairs.as_ptr(), end, sums);
        }
    }
}

fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    #[cfg(acorn_fpu)]
    if fpu::gemv_q4(bands, x, scale, out) {
        return;
    }
    if PORTABLE || cfg!(not(acorn_fpu)) {
        portable_q4(bands, x, scale, out);
    }
}

/// Any bands.
#[inline(never)] // As above.
fn portable_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv::q4(q4, bands, x, scale, out);
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
        )
    };
}

/// Writes the sums of a band of nibbles, by the widened blocks from `x` to `end`, at least one.
///
/// # Safety
/// From `blocks` on there are as many blocks as from `x` to `end`, and half as many pairs, rounded up, at
/// multiples of 4. The routine saves what a function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn q4_band(
    blocks: *const [Group; 4],
    x: *const Widened,
    pairs: *const Pair,
    end: *const Widened,
    sums: &mut Sums<i32>,
) {
    // r4-r7 a block's sums, r8-r11 activations, r12 and lr weights, r2 the mask, r3 what it leaves
    // sp: 0 the sums so far, 16 the pair, 20 blocks, 24 x, 28 pairs, 32 the end, 36 where the sums go,
    //     40 their end
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "add r5, r4, #32",
        "push {{r0-r5}}",
        "mov r8, #0",
        "mov r9, #0",
        "mov r10, #0",
        "mov r11, #0",
        "push {{r2}}",
        "push {{r8-r11}}",
        "mov r2, #0x0F000F00",
        "1:",
        q4_block!(0, ", lsl #8", "", ", lsl #10", ", lsl #2", ""),
        "ldr r12, [sp, #32]",
        "cmp r1, r12",
        "beq 2f",
        "stm sp, {{r8-r11}}",
        q4_block!(128, ", lsl #4", ", lsr #4", ", lsl #6", ", lsr #2", ", #16\nstr r12, [sp, #16]"),
        "stm sp, {{r8-r11}}",
        "ldr r12, [sp, #32]",
        "add r0, #256",
        "cmp r1, r12",
        "bne 1b",
        "2:",
        "ldrd r3, lr, [sp, #36]",
        "stmia r3!, {{r8-r11}}",
        "str r3, [sp, #36]",
        "cmp r3, lr",
        "beq 3f",
        "mov r8, #0",
        "mov r9, #0",
        "mov r10, #0",
        "mov r11, #0",
        "stm sp, {{r8-r11}}",
        "ldrd r0, r1, [sp, #20]",
        "ldr r12, [sp, #28]",
        "add r0, #16",
        "add r12, #4",
        "str r12, [sp, #16]",
        "b 1b",
        "3:",
        "add sp, #44",
        "pop {{r4-r11, pc}}",
    )
}

/// Whole products of a matrix and a vector, scales included, where there is a floating-point unit.
#[cfg(acorn_fpu)]
mod fpu {
    use super::super::fpu::{SCALES, rescale};
    use super::*;

    /// [`Kernel::gemv_q4`]; false where that is for the portable loop to do.
    pub(super) fn gemv_q4(
        bands: Bands<'_>,
        x: &Ints<'_>,
        scale: f32,
        out: &mut [Sums<f32>],
    ) -> bool {
        let Some(layout) = q4_layout(bands, x) else { return false };
        if x.widened.len() != layout.blocks {
            return false;
        }
        let x = x.widened.as_ptr_range();
        let Bands { mut bytes, len } = bands;
        for out in out {
            let Some((band, behind)) = bytes.split_at_checked(len) else { break };
            bytes = behind;
            let mut sums = Sums::default();
            // SAFETY: a band at a multiple of 4 with this layout, and a widened block for each of its.
            unsafe {
                let pairs = band.as_ptr().add(layout.pairs).cast();
                q4_band(band.as_ptr().cast(), x.start, pairs, x.end, &mut sums);
                rescale(&sums, band, layout.scales, scale, out);
            }
        }
        true
    }

    /// [`Kernel::gemv_q8`]; false where that is for the portable loop to do.
    pub(super) fn gemv_q8(
        bands: Bands<'_>,
        x: &Ints<'_>,
        scale: f32,
        out: &mut [Sums<f32>],
    ) -> bool {
        let count = bands.len.saturating_sub(SCALES) / size_of::<Group>();
        let whole = count > 0 && bands.len == count * size_of::<Group>() + SCALES;
        let there = bands.bytes.len().checked_div(bands.len).unwrap_or(0);
        let out = match out.get_mut(..there) {
            Some(out) => out.as_mut_ptr_range(),
            None => out.as_mut_ptr_range(),
        };
        if !whole
            || count > x.cols / 4
            || x.widened.len() != x.cols / BLOCK
            || !aligned(bands.bytes)
            || out.is_empty()
        {
            return false;
        }
        let (bands, x) = (bands.bytes.as_ptr(), x.widened.as_ptr());
        // SAFETY: from `bands`, a multiple of 4, on there are at least as many bands, of `count` groups and
        // scales, as there are bands from the start of `out` to its end, not none; x are widened blocks with
        // 4 columns for each group.
        unsafe { q8_bands(bands, x, count, out.start, out.end, scale.to_bits()) }
        true
    }

    /// Four rows' sums, r4 to r7, by the four scales in r8 and r9 and the token's in s12, in these registers.
    macro_rules! rescale_rows {
        ($a:literal, $b:literal, $c:literal, $d:literal) => {
            concat!(
                "vmov ", $a, ", ", $b, ", r4, r5\n",
                "vmov ", $c, ", ", $d, ", r6, r7\n",
                "lsl r4, r8, #16\n",
                "bfc r8, #0, #16\n",
                "lsl r5, r9, #16\n",
                "bfc r9, #0, #16\n",
                "vmov s8, s9, r4, r8\n",
                "vmov s10, s11, r5, r9\n",
                rescale_rows!(@row $a, "s8"),
                rescale_rows!(@row $b, "s9"),
                rescale_rows!(@row $c, "s10"),
                rescale_rows!(@row $d, "s11"),
            )
        };
        (@row $sum:literal, $scale:literal) => {
            concat!(
                "vmul.f32 ", $scale, ", ", $scale, ", s12\n",
                "vcvt.f32.s32 ", $sum, ", ", $sum, "\n",
                "vmul.f32 ", $sum, ", ", $sum, ", ", $scale, "\n",
            )
        };
    }

    /// Writes the products of bands of `count` groups and scales, by as many pairs of words in widened
    /// blocks, to the bands from `out` to `end`, at least one.
    ///
    /// # Safety
    /// The bands are there, at a multiple of 4; `x` are widened blocks with 4 columns for each group. The
    /// routine saves what a function must, r4 to r11, and stays within them and s0 to s12.
    #[unsafe(naked)]
    unsafe extern "C" fn q8_bands(
        bands: *const u8,
        x: *const Widened,
        count: usize,
        out: *mut Sums<f32>,
        end: *mut Sums<f32>,
        scale: u32,
    ) {
        // r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them, r3 groups to come
        // s0-s7 products, s8-s11 scales, s12 the token's scale
        // sp: 0 the band, 4 x, 8 count, 12 where products go, 16 their end
        naked_asm!(
            processor!(),
            "push {{r4-r11, lr}}",
            "ldr r12, [sp, #36]",
            "push {{r0-r3, r12}}",
            "vldr s12, [sp, #60]",
            "1:",
            "bl 6f",
            "ldrd r8, r9, [r0]",
            rescale_rows!("s0", "s1", "s2", "s3"),
            "ldm sp, {{r0-r2}}",
            "adds r0, #16",
            "bl 6f",
            "ldrd r8, r9, [r0, #-8]",
            rescale_rows!("s4", "s5", "s6", "s7"),
            "ldrd r3, lr, [sp, #12]",
            "vstmia r3!, {{s0-s7}}",
            "str r3, [sp, #12]",
            "ldrd r1, r2, [sp, #4]",
            "str r0, [sp]",
            "cmp r3, lr",
            "bne 1b",
            "add sp, #20",
            "pop {{r4-r11, pc}}",
            "6:",
            "push {{lr}}",
            q8_rows!(),
            "pop {{pc}}",
        )
    }
}
