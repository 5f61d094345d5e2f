//! Bytes.

#[cfg(acorn_fpu)]
use core::arch::naked_asm;

use super::super::PORTABLE;
#[cfg(acorn_fpu)]
use super::super::fpu::{SCALES, rescale};
#[cfg(acorn_fpu)]
use super::super::{aligned, some};
#[cfg(acorn_fpu)]
use crate::format::BLOCK;
use crate::kernel::{Bands, Ints, Sums, gemv, scalar};
#[cfg(acorn_fpu)]
use crate::kernel::{Group, Widened};

/// Two groups, `at` bytes from r0.
#[cfg(acorn_fpu)]
macro_rules! q8_two_groups {
    ($at:literal) => {
        concat!(
            "ldmia r1!, {{r8-r11}}\n",
            q8_group!($at, "r8", "r9"),
            q8_group!($at + 32, "r10", "r11"),
        )
    };
}

pub(super) fn gemv_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    #[cfg(acorn_fpu)]
    if whole_q8(bands, x, scale, out) {
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

/// [`gemv_q8`] where there is a floating-point unit; false where that is for the portable loop to do.
#[cfg(acorn_fpu)]
fn whole_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) -> bool {
    let count = bands.len.saturating_sub(SCALES) / size_of::<Group>();
    let whole = count > 0 && bands.len == count * size_of::<Group>() + SCALES;
    let there = count <= x.cols / 4 && x.widened.len() == x.cols / BLOCK;
    let whole = whole && there && aligned(bands.bytes);
    let Some(out) = some(&bands, out).filter(|_| whole) else { return false };
    let (first, sums) = (bands.bytes.as_ptr(), out.as_mut_ptr_range());
    // SAFETY: from `first`, a multiple of 4, on there are at least as many bands, of `count` groups and
    // scales, as `out` has, not none; x are widened blocks with 4 columns for each group. Integers are written
    // where floats were, and floats again in their place.
    unsafe {
        q8_bands(first, x.widened.as_ptr(), count, sums.start.cast(), sums.end.cast());
        rescale(out, first.add(bands.len - SCALES), bands.len, scale);
    }
    true
}

/// Writes the sums of bands of `count` groups and scales, by as many pairs of words in widened blocks, to
/// the bands from `sums` to `end`, at least one.
///
/// # Safety
/// The bands are there, at a multiple of 4; `x` are widened blocks with 4 columns for each group. The
/// routine saves what a function must, r4 to r11, and stays within them.
#[cfg(acorn_fpu)]
#[unsafe(naked)]
unsafe extern "C" fn q8_bands(
    bands: *const u8,
    x: *const Widened,
    count: usize,
    sums: *mut Sums<i32>,
    end: *mut Sums<i32>,
) {
    // r0 groups, r1 x, r4-r7 sums, r8-r11 activations, r12 and lr weights, r2 what becomes of them, r3 groups
    // to come, by eight or one by one
    // sp: what four rows start with, 0 x, 4 groups by eight, 8 four zeros; 24 groups behind these, 28 the way of
    //     r0 from behind rows 0 to 3 to rows 4 to 7, 32 where sums go, 36 their end
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldr r9, [sp, #36]",
        "mov r8, r3",
        "and r6, r2, #7",
        "lsl r7, r2, #5",
        "rsb r7, r7, #16",
        "push {{r6-r9}}",
        "lsrs r3, r2, #3",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "push {{r1, r3-r7}}",
        "b 3f",
        // Rows 4 to 7 are done; the next band is at r0.
        "1:",
        "cbnz r3, 2f",
        "add sp, #40",
        "pop {{r4-r11, pc}}",
        "2:",
        "ldm sp, {{r1, r3-r7}}",
        "3:",
        "cmp r3, #0",
        "beq 5f",
        "4:",
        "adds r1, #8",
        q8_two_groups!(0),
        q8_two_groups!(64),
        q8_two_groups!(128),
        q8_two_groups!(192),
        "add r0, #256",
        "subs r3, #1",
        "bne 4b",
        "5:",
        "ldr r3, [sp, #24]",
        "cbz r3, 7f",
        "adds r1, #8",
        "6:",
        "ldrd r8, r9, [r1], #8",
        q8_group!(0, "r8", "r9"),
        "adds r0, #32",
        "subs r3, #1",
        "bne 6b",
        "7:",
        "ldrd r3, lr, [sp, #32]",
        "stmia r3!, {{r4-r7}}",
        "str r3, [sp, #32]",
        // Carry: sixteen bytes more than whole sums are to come, those of rows 4 to 7.
        "subs r3, lr, r3",
        "lsls lr, r3, #28",
        "bcc 1b",
        "ldr r3, [sp, #28]",
        "add r0, r3",
        "b 2b",
    )
}
