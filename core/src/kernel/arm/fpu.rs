//! Quantizing, and the float edge of dot products, 8 numbers at a time in the registers of the floating-point
//! unit: the same operations in the same order as [`crate::kernel::elementwise`].
//!
//! ```text
//! magnitudes:  floats without their sign are ordered as their bits are
//! rounding:    x + 1.5 · 2²³ has the integer in its low 16 bits, which are stored as they are
//! ```
//!
//! What seldom happens, a larger maximum, lies behind the loops.

use core::arch::naked_asm;

use super::aligned;
use crate::format::{BAND_ROWS, BLOCK};
use crate::kernel::Sums;

/// Something for each of a band's numbers.
macro_rules! each {
    ($what:ident) => {
        concat!(
            $what!("0", "8", "16"),
            $what!("1", "9", "17"),
            $what!("2", "10", "18"),
            $what!("3", "11", "19"),
            $what!("4", "12", "20"),
            $what!("5", "13", "21"),
            $what!("6", "14", "22"),
            $what!("7", "15", "23"),
        )
    };
}

/// Rounds the products of x, which are below 2²² in magnitude; unless there are none, or parts of a band, or
/// `q` does not lie at a multiple of 4.
pub(super) fn round(x: &[f32], factor: f32, q: &mut [i16]) -> bool {
    let whole = !x.is_empty() && x.len().is_multiple_of(8) && q.len() == x.len() && aligned(q);
    if whole {
        let range = x.as_ptr_range();
        // SAFETY: there are some times 8 floats from start to end, and as many numbers at a multiple of 4.
        unsafe { round_bands(range.start, range.end, q.as_mut_ptr(), factor.to_bits()) }
    }
    whole
}

macro_rules! rounded {
    ($x:literal, $temp:literal, $lane:literal) => {
        concat!("vmul.f32 s", $x, ", s", $x, ", s8\n", "vadd.f32 s", $x, ", s", $x, ", s9\n",)
    };
}

/// See [`crate::kernel::sqrt`].
pub(in crate::kernel) fn sqrt(x: f32) -> f32 {
    // SAFETY: the routine needs nothing but its argument.
    f32::from_bits(unsafe { sqrt_bits(x.to_bits()) })
}

/// The root's bits.
///
/// # Safety
/// There is a floating-point unit. The routine stays within r0 and s0, which need not be saved.
#[unsafe(naked)]
unsafe extern "C" fn sqrt_bits(x: u32) -> u32 {
    naked_asm!(processor!(), "vmov s0, r0", "vsqrt.f32 s0, s0", "vmov r0, s0", "bx lr")
}

/// Bytes of a band's scales.
pub(super) const SCALES: usize = 2 * BAND_ROWS;

/// Multiplies bands' sums, integers in the place of floats, with the scales of their rows and the token's.
///
/// # Safety
/// `scales` are the first of some bands' scales, `len` bytes apart, at multiples of 4; there is one for each of
/// `bands`, which are not none.
#[cfg(acorn_dsp)]
#[inline(always)]
pub(super) unsafe fn rescale(bands: &mut [Sums<f32>], scales: *const u8, len: usize, scale: f32) {
    let bands = bands.as_mut_ptr_range();
    // SAFETY: by this function's contract.
    unsafe { rescale_bands(bands.start, scales, len, bands.end, scale.to_bits()) }
}

/// Two scales in a word, to floats.
#[cfg(acorn_dsp)]
macro_rules! two_scales {
    ($word:literal, $a:literal, $b:literal) => {
        concat!(
            "lsl r12, ",
            $word,
            ", #16\n",
            "bfc ",
            $word,
            ", #0, #16\n",
            "vmov ",
            $a,
            ", ",
            $b,
            ", r12, ",
            $word,
            "\n",
        )
    };
}

#[cfg(acorn_dsp)]
macro_rules! rescaled {
    ($sum:literal, $scale:literal, $_:literal) => {
        concat!(
            "vmul.f32 s",
            $scale,
            ", s",
            $scale,
            ", s16\n",
            "vcvt.f32.s32 s",
            $sum,
            ", s",
            $sum,
            "\n",
            "vmul.f32 s",
            $sum,
            ", s",
            $sum,
            ", s",
            $scale,
            "\n",
        )
    };
}

/// See [`rescale`].
///
/// # Safety
/// As there. The routine saves what a function must: r4 to r7, and d8.
#[cfg(acorn_dsp)]
#[unsafe(naked)]
unsafe extern "C" fn rescale_bands(
    bands: *mut Sums<f32>,
    scales: *const u8,
    len: usize,
    end: *mut Sums<f32>,
    scale: u32,
) {
    naked_asm!(
        processor!(),
        "push {{r4-r7}}",
        "vpush {{d8}}",
        "vldr s16, [sp, #24]",
        "1:",
        "vldm r0, {{s0-s7}}",
        "ldm r1, {{r4-r7}}",
        two_scales!("r4", "s8", "s9"),
        two_scales!("r5", "s10", "s11"),
        two_scales!("r6", "s12", "s13"),
        two_scales!("r7", "s14", "s15"),
        "add r1, r2",
        each!(rescaled),
        "vstmia r0!, {{s0-s7}}",
        "cmp r0, r3",
        "bne 1b",
        "vpop {{d8}}",
        "pop {{r4-r7}}",
        "bx lr",
    )
}

/// The largest magnitude's bits, doubled.
pub(super) fn largest_twice(x: &[Sums<f32>]) -> u32 {
    let range = x.as_ptr_range();
    // SAFETY: there are bands from start to end, not none.
    if x.is_empty() { 0 } else { unsafe { largest_bits(range.start, range.end) } }
}

/// [`Elementwise::quantize`] by a factor that is known; unless there are no blocks or `q` does not lie at a
/// multiple of 4.
pub(super) fn quantize(x: &[f32], factor: f32, q: &mut [i8], block_sums: &mut [i16]) -> bool {
    let blocks = block_sums.len();
    let whole = blocks > 0 && x.len() == blocks * BLOCK && q.len() == x.len() && aligned(q);
    if whole {
        let (sums, q) = (block_sums.as_mut_ptr(), q.as_mut_ptr());
        let range = x.as_ptr_range();
        // SAFETY: there are some blocks of floats from start to end, as many of `q`, at a multiple of 4, and as
        // many sums.
        unsafe { quantize_blocks(range.start, range.end, q, sums, factor.to_bits()) }
    }
    whole
}

macro_rules! larger_twice {
    ($register:literal, $label:literal) => {
        concat!("cmp r12, ", $register, ", lsl #1\n", "blo 2", $label, "f\n", "3", $label, ":\n",)
    };
    (@far $register:literal, $label:literal) => {
        concat!("2", $label, ":\n", "lsl r12, ", $register, ", #1\n", "b 3", $label, "b\n",)
    };
}

/// The largest of the doubled bits of the floats from `x` to `end`.
///
/// # Safety
/// The bands are there, not none. The routine saves what a function must: r4 to r9.
#[unsafe(naked)]
unsafe extern "C" fn largest_bits(x: *const Sums<f32>, end: *const Sums<f32>) -> u32 {
    naked_asm!(
        processor!(),
        "push {{r4-r9, lr}}",
        "mov r12, #0",
        "1:",
        "ldmia r0!, {{r2-r9}}",
        larger_twice!("r2", "0"),
        larger_twice!("r3", "1"),
        larger_twice!("r4", "2"),
        larger_twice!("r5", "3"),
        larger_twice!("r6", "4"),
        larger_twice!("r7", "5"),
        larger_twice!("r8", "6"),
        larger_twice!("r9", "7"),
        "cmp r0, r1",
        "bne 1b",
        "mov r0, r12",
        "pop {{r4-r9, pc}}",
        larger_twice!(@far "r2", "0"),
        larger_twice!(@far "r3", "1"),
        larger_twice!(@far "r4", "2"),
        larger_twice!(@far "r5", "3"),
        larger_twice!(@far "r6", "4"),
        larger_twice!(@far "r7", "5"),
        larger_twice!(@far "r8", "6"),
        larger_twice!(@far "r9", "7"),
    )
}

/// Four rounded numbers' lowest bytes in one word; their low halves are added to r12's halves.
macro_rules! bytes {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "pkhbt ",
            $a,
            ", ",
            $a,
            ", ",
            $c,
            ", lsl #16\n",
            "pkhbt ",
            $b,
            ", ",
            $b,
            ", ",
            $d,
            ", lsl #16\n",
            "sadd16 r12, r12, ",
            $a,
            "\n",
            "sadd16 r12, r12, ",
            $b,
            "\n",
            "uxtb16 ",
            $a,
            ", ",
            $a,
            "\n",
            "uxtb16 ",
            $b,
            ", ",
            $b,
            "\n",
            "orr ",
            $a,
            ", ",
            $a,
            ", ",
            $b,
            ", lsl #8\n",
        )
    };
}

/// Writes the products of the floats from `x` to `end` and of a factor, rounded, and sums of blocks.
///
/// # Safety
/// There are some blocks of floats, not none, as many of `q`, at a multiple of 4, and as many sums. The routine
/// saves what a function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn quantize_blocks(
    x: *const f32,
    end: *const f32,
    q: *mut i8,
    sums: *mut i16,
    factor: u32,
) {
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vldr s8, [sp, #36]",
        "movw r4, #0",
        "movt r4, #0x4B40",
        "vmov s9, r4",
        "1:",
        "mov r12, #0",
        "mov lr, #4",
        "2:",
        "vldmia r0!, {{s0-s7}}",
        each!(rounded),
        "vmov r4, r5, s0, s1",
        "vmov r6, r7, s2, s3",
        "vmov r8, r9, s4, s5",
        "vmov r10, r11, s6, s7",
        bytes!("r4", "r5", "r6", "r7"),
        bytes!("r8", "r9", "r10", "r11"),
        "stmia r2!, {{r4, r8}}",
        "subs lr, #1",
        "bne 2b",
        "add r12, r12, r12, lsr #16",
        "strh r12, [r3], #2",
        "cmp r0, r1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// Two numbers' low halves in one word.
macro_rules! halves {
    ($x:literal, $next:literal, $low:literal, $high:literal) => {
        concat!(
            "vmov ",
            $low,
            ", ",
            $high,
            ", s",
            $x,
            ", s",
            $next,
            "\n",
            "pkhbt ",
            $low,
            ", ",
            $low,
            ", ",
            $high,
            ", lsl #16\n",
        )
    };
}

/// Writes the products of the floats from `x` to `end` and of a factor, rounded.
///
/// # Safety
/// There are some times 8 floats, not none, and as many numbers at a multiple of 4. The routine saves what a
/// function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn round_bands(x: *const f32, end: *const f32, q: *mut i16, factor: u32) {
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vmov s8, r3",
        "movw r4, #0",
        "movt r4, #0x4B40",
        "vmov s9, r4",
        "1:",
        "vldmia r0!, {{s0-s7}}",
        each!(rounded),
        halves!("0", "1", "r4", "r5"),
        halves!("2", "3", "r6", "r7"),
        halves!("4", "5", "r8", "r9"),
        halves!("6", "7", "r10", "r11"),
        "stmia r2!, {{r4, r6, r8, r10}}",
        "cmp r0, r1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}
