//! Keys and values of the cache by SMLAD, two products of 16 bits added to a sum of 32, for all processors
//! of this folder.
//!
//! ```text
//! a word w of a group: k0 k1 k2 k3 of one row
//!   sxtb16(w), sxtb16(w, ror 8)            → (k0, k2), (k1, k3)
//! activations, two words: (x0, x1), (x2, x3)
//!   pkhbt, pkhtb                           → (x0, x2), (x1, x3); smlad each
//! ```
//!
//! Four rows at a time, twice per band. Where a band has two groups, as keys of 8 dimensions have, the
//! activations stay in registers over all bands.

use core::arch::naked_asm;

use super::{PORTABLE, aligned};
use crate::kernel::{Group, Sums, Wide, scalar};

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

/// A group, `at` bytes from r0, by the 4 activations at r1.
macro_rules! wide_group {
    ($at:literal $(+ $more:literal)?) => {
        concat!(
            "ldrd r10, r11, [r1], #8\n",
            "pkhbt r8, r10, r11, lsl #16\n",
            "pkhtb r9, r11, r10, asr #16\n",
            q8_group!($at $(+ $more)?, "r8", "r9"),
        )
    };
}

/// Four rows of r3 groups from r0 on, not none, by the activations at r1: their sums in r4 to r7.
macro_rules! wide_rows {
    () => {
        concat!(
            "mov r4, #0\n",
            "mov r5, #0\n",
            "mov r6, #0\n",
            "mov r7, #0\n",
            "subs r3, #2\n",
            "blt 3f\n",
            "2:\n",
            wide_group!(0),
            wide_group!(32),
            "adds r0, #64\n",
            "subs r3, #2\n",
            "bge 2b\n",
            "3:\n",
            "adds r3, #2\n",
            "beq 4f\n",
            wide_group!(0),
            "4:\n",
        )
    };
}

/// See [`crate::kernel::DotQ8Wide`].
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    let Wide { groups, stride, per_band, .. } = weights;
    if per_band == 0 || tokens == 0 || !aligned(groups) || !aligned(x) {
        if PORTABLE {
            (scalar::KERNEL.q8_wide)(weights, x, tokens, sums);
        }
        return;
    }
    // Bands that begin `stride` groups apart and of which `per_band` are there.
    let last = groups.len().checked_sub(per_band).filter(|_| per_band <= stride);
    let bands = last.and_then(|last| last.checked_div(stride)).map_or(0, |index| index + 1);
    let bands = Bands {
        count: per_band,
        stride: stride * size_of::<Group>(),
        next_sums: tokens * size_of::<Sums<i32>>(),
        bands: bands.min(sums.len() / tokens),
    };
    if bands.bands == 0 {
        return;
    }
    let sums = sums.as_mut_ptr();
    let cols = 4 * per_band;
    for token in 0..tokens {
        let Some(x) = x.get(token * cols..).filter(|x| x.len() >= cols) else { return };
        // SAFETY: there are `bands.bands` bands, not none, of `count` groups, not none, `stride` bytes apart,
        // at multiples of 4; x is four times as many numbers, at a multiple of 4; there are `tokens` sums per
        // band, of which the `token`th is written.
        unsafe {
            if per_band == 2 {
                two_groups(groups.as_ptr(), x.as_ptr(), sums.add(token), &bands);
            } else {
                wide_bands(groups.as_ptr(), x.as_ptr(), sums.add(token), &bands);
            }
        }
    }
}

/// What [`wide_bands`] goes by.
#[repr(C)]
struct Bands {
    /// Groups of a band.
    count: usize,
    /// Bytes from band to band.
    stride: usize,
    /// Bytes from a band's sums to the next one's.
    next_sums: usize,
    bands: usize,
}

/// Writes the sums of some bands, by the same activations.
///
/// # Safety
/// What `bands` says is there, at multiples of 4: bands from `groups` on, sums from `sums` on, and from `x` on
/// 4 numbers per group of a band. The routine saves what a function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn wide_bands(
    groups: *const Group,
    x: *const i16,
    sums: *mut Sums<i32>,
    bands: &Bands,
) {
    // r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them, r3 groups to come
    // sp: 0 groups, 4 x, 8 sums, 12 count, 16 stride, 20 bytes between sums, 24 bands to come
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldm r3, {{r3-r6}}",
        "push {{r0-r6}}",
        "1:",
        "bl 6f",
        "ldr r2, [sp, #8]",
        "stm r2, {{r4-r7}}",
        "ldrd r0, r1, [sp]",
        "ldr r3, [sp, #12]",
        "adds r0, #16",
        "bl 6f",
        "add r12, sp, #8",
        "ldm r12, {{r2, r3, r8-r10}}",
        "add r12, r2, #16",
        "stm r12, {{r4-r7}}",
        "ldrd r0, r1, [sp]",
        "add r0, r8",
        "add r2, r9",
        "subs r10, #1",
        "str r0, [sp]",
        "str r2, [sp, #8]",
        "str r10, [sp, #24]",
        "bne 1b",
        "add sp, #28",
        "pop {{r4-r11, pc}}",
        "6:",
        "push {{lr}}",
        wide_rows!(),
        "pop {{pc}}",
    )
}

/// Two rows of two groups, `$at` bytes from r0, by the activations in r8 to r11.
macro_rules! two_groups_rows {
    ($at:literal, $sum:literal, $next:literal) => {
        concat!(
            "ldrd r12, lr, [r0, #", $at, "]\n",
            two_groups_rows!(@row "r12", $sum, "smuad", "", "r8", "r9"),
            two_groups_rows!(@row "lr", $next, "smuad", "", "r8", "r9"),
            "ldrd r12, lr, [r0, #", $at, "+32]\n",
            two_groups_rows!(@row "r12", $sum, "smlad", $sum, "r10", "r11"),
            two_groups_rows!(@row "lr", $next, "smlad", $next, "r10", "r11"),
        )
    };
    (@row $word:literal, $sum:literal, $first:literal, "", $even:literal, $odd:literal) => {
        concat!(
            "sxtb16 r3, ", $word, "\n",
            $first, " ", $sum, ", r3, ", $even, "\n",
            two_groups_rows!(@odd $word, $sum, $odd),
        )
    };
    (@row $word:literal, $sum:literal, $first:literal, $so_far:literal, $even:literal, $odd:literal) => {
        concat!(
            "sxtb16 r3, ", $word, "\n",
            $first, " ", $sum, ", r3, ", $even, ", ", $so_far, "\n",
            two_groups_rows!(@odd $word, $sum, $odd),
        )
    };
    (@odd $word:literal, $sum:literal, $odd:literal) => {
        concat!(
            "sxtb16 r3, ", $word, ", ror #8\n",
            "smlad ", $sum, ", r3, ", $odd, ", ", $sum, "\n",
        )
    };
}

/// [`wide_bands`] for bands of two groups.
///
/// # Safety
/// As there, with a count of 2.
#[unsafe(naked)]
unsafe extern "C" fn two_groups(
    groups: *const Group,
    x: *const i16,
    sums: *mut Sums<i32>,
    bands: &Bands,
) {
    // r4-r7 sums, r8-r11 activations, r12 and lr weights, r3 what becomes of them, r1 bytes between bands
    // sp: 0 the end of the bands, 4 bytes from the end of a band's sums to the next one's
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldm r3, {{r4-r7}}",
        "mla r4, r7, r5, r0",
        "subs r6, #32",
        "push {{r4, r6}}",
        "ldm r1, {{r6, r7, r10, r11}}",
        "pkhbt r8, r6, r7, lsl #16",
        "pkhtb r9, r7, r6, asr #16",
        "mov r1, r5",
        "pkhbt r6, r10, r11, lsl #16",
        "pkhtb r11, r11, r10, asr #16",
        "mov r10, r6",
        "1:",
        two_groups_rows!(0, "r4", "r5"),
        two_groups_rows!(8, "r6", "r7"),
        "stm r2!, {{r4-r7}}",
        two_groups_rows!(16, "r4", "r5"),
        two_groups_rows!(24, "r6", "r7"),
        "stm r2!, {{r4-r7}}",
        "ldrd r3, r12, [sp]",
        "add r0, r1",
        "add r2, r12",
        "cmp r0, r3",
        "bne 1b",
        "add sp, #8",
        "pop {{r4-r11, pc}}",
    )
}
