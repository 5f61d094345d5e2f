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
//! Four rows at a time, twice per band.

use core::arch::naked_asm;

use super::aligned;
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

/// See [`crate::kernel::DotQ8Wide`].
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    let cols = weights.per_band * 4;
    if cols == 0 || !aligned(weights.groups) || !aligned(x) {
        return (scalar::KERNEL.q8_wide)(weights, x, tokens, sums);
    }
    for (groups, sums) in weights.bands().zip(sums.chunks_exact_mut(tokens.max(1))) {
        for (x, sums) in x.chunks_exact(cols).zip(sums) {
            // SAFETY: some groups at a multiple of 4, and x four times as many numbers, at a multiple of 4.
            unsafe { wide_band(groups.as_ptr(), x.as_ptr(), groups.len(), sums) }
        }
    }
}

/// Writes the sums of a band of `count` groups, at least one, by four times as many activations.
#[unsafe(naked)]
unsafe extern "C" fn wide_band(
    groups: *const Group,
    x: *const i16,
    count: usize,
    sums: &mut Sums<i32>,
) {
    // r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them, r3 groups to come
    // sp: 0 groups, 4 x, 8 count, 12 where the sums go, 16 their end
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "add r12, r3, #32",
        "push {{r0-r3, r12}}",
        "1:",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "mov r3, r2",
        "2:",
        "ldrd r10, r11, [r1], #8",
        "pkhbt r8, r10, r11, lsl #16",
        "pkhtb r9, r11, r10, asr #16",
        q8_group!(0, "r8", "r9"),
        "adds r0, #32",
        "subs r3, #1",
        "bne 2b",
        "ldrd r3, lr, [sp, #12]",
        "stmia r3!, {{r4-r7}}",
        "str r3, [sp, #12]",
        "cmp r3, lr",
        "ldm sp, {{r0-r2}}",
        "add r0, #16",
        "bne 1b",
        "add sp, #20",
        "pop {{r4-r11, pc}}",
    )
}
