//! Activations as the products want them, once per token.

use core::arch::naked_asm;

use super::super::{PORTABLE, aligned};
use crate::format::BLOCK;
use crate::kernel::Widened;

/// Widens blocks of activations: C and W for a block's sum, then its pairs (k0, k2), (k1, k3), (k4, k6), …
pub(in crate::kernel) fn widen(values: &[i8], block_sums: &[i16], out: &mut [Widened]) {
    if PORTABLE && !aligned(values) {
        return widen_anywhere(values, block_sums, out);
    }
    let blocks = (values.len() / BLOCK).min(block_sums.len()).min(out.len());
    if let Some(out) = out.get_mut(..blocks).filter(|out| !out.is_empty() && aligned(values)) {
        let out = out.as_mut_ptr_range();
        // SAFETY: there are as many blocks of activations, at a multiple of 4, and sums as there are widened ones,
        // not none.
        unsafe { widen_blocks(values.as_ptr(), block_sums.as_ptr(), out.start, out.end) }
    }
}

/// [`widen`] for activations that lie anywhere.
#[cold]
#[inline(never)]
fn widen_anywhere(values: &[i8], block_sums: &[i16], out: &mut [Widened]) {
    let pair = |low: i8, high: i8| i32::from(low) & 0xFFFF | i32::from(high) << 16;
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(block_sums);
    for ((x, &sum), [c, w, pairs @ ..]) in blocks.zip(out) {
        *c = (-40 * 128 * i32::from(sum)) as u32;
        *w = (i32::from(sum) << 14) as u32;
        for (pairs, &[k0, k1, k2, k3]) in pairs.as_chunks_mut().0.iter_mut().zip(x.as_chunks().0) {
            *pairs = [pair(k0, k2) as u32, pair(k1, k3) as u32];
        }
    }
}

/// Four words of activations to pairs.
macro_rules! widen_words {
    () => {
        concat!(
            "ldmia r0!, {{r4, r6, r8, r10}}\n",
            widen_words!("r4", "r5"),
            widen_words!("r6", "r7"),
            widen_words!("r8", "r9"),
            widen_words!("r10", "r11"),
            "stmia r2!, {{r4-r11}}\n",
        )
    };
    ($word:literal, $odd:literal) => {
        concat!("sxtb16 ", $odd, ", ", $word, ", ror #8\n", "sxtb16 ", $word, ", ", $word, "\n",)
    };
}

/// Widens blocks.
///
/// # Safety
/// From `x`, a multiple of 4, and `sums` on there are as many blocks of activations, and sums, as widened ones from
/// `out` to `end`, not none. The routine saves what a function must: r4 to r11.
#[unsafe(naked)]
unsafe extern "C" fn widen_blocks(
    x: *const i8,
    sums: *const i16,
    out: *mut Widened,
    end: *mut Widened,
) {
    naked_asm!(
        processor!(),
        "push {{r4-r11}}",
        "1:",
        "ldrsh r4, [r1], #2",
        "lsl r5, r4, #14",
        "add r4, r4, r4, lsl #2",
        "lsl r4, r4, #10",
        "rsb r4, r4, #0",
        "stmia r2!, {{r4, r5}}",
        widen_words!(),
        widen_words!(),
        "cmp r2, r3",
        "bne 1b",
        "pop {{r4-r11}}",
        "bx lr",
    )
}
