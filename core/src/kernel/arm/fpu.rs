//! Quantizing, and attention's loops over a chunk of scores, 8 numbers at a time in the registers of the
//! floating-point unit: the same operations in the same order as [`crate::kernel::elementwise`].
//!
//! ```text
//! 2^x, x ≤ 0:  x + 1.5 · 2²³ has n in its low bits; what they are above those of the least n tells, in one
//!              comparison of integers, whether 2^x is a normal number: else 0, or NaN
//!              n · 2²³ is added to the bits of the polynomial
//! magnitudes:  floats without their sign are ordered as their bits are; weights have none
//! rounding:    x + 1.5 · 2²³ has the integer in its low 16 bits, which are stored as they are
//! ```
//!
//! The eight lanes of the sum are eight registers. What seldom happens, a larger maximum or a weight of 0, lies
//! behind the loops.

use core::arch::naked_asm;

use super::aligned;
use crate::format::BLOCK;
use crate::kernel::Sums;
use crate::kernel::elementwise::{Elementwise, Scores, Softmax};
use crate::math::{EXP2, ROUND};

/// See [`Elementwise::softmax`].
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let Scores { sums, scales: keys, scale, count, max } = scores;
    let bands = x.len();
    let least = sums.sums.len().min(keys.len()).min(scales.len());
    if least < bands
        || q.len() != bands
        || bands == 0
        || sums.step != 1
        || !(aligned(keys) && aligned(scales) && aligned(q))
    {
        return (Elementwise::PORTABLE.softmax)(scores, scales, limit, x, q);
    }
    let all = x.as_mut_ptr_range();
    // SAFETY: there are as many bands of sums and of keys' scales, at a multiple of 4, as from start to end, not
    // none.
    unsafe { rescale_bands(sums.sums.as_ptr(), keys.as_ptr(), all.start, all.end, scale.to_bits()) }
    x.as_flattened_mut().get_mut(count..).unwrap_or_default().fill(f32::NEG_INFINITY);
    let (max, sum) = exp_sum(x, max);
    let all = x.as_mut_ptr_range();
    // SAFETY: the same of values' scales.
    let largest = f32::from_bits(unsafe { weigh_bands(all.start, all.end, scales.as_ptr()) });
    let (x, q) = (x.as_flattened(), q.as_flattened_mut());
    let scale = if (1e-30..f32::INFINITY).contains(&largest) && round(x, limit / largest, q) {
        largest / limit
    } else {
        (Elementwise::PORTABLE.quantize_wide)(x, limit, q)
    };
    Softmax { max, sum, scale }
}

/// Two scales, the halves of a word, as floats; r9 has ones in its upper half.
macro_rules! long {
    ($word:literal, $low:literal, $high:literal) => {
        concat!(
            "lsl r8, ", $word, ", #16\n", "and ", $word, ", ", $word, ", r9\n", "vmov ", $low,
            ", ", $high, ", r8, ", $word, "\n",
        )
    };
    () => {
        concat!(
            long!("r4", "s8", "s9"),
            long!("r5", "s10", "s11"),
            long!("r6", "s12", "s13"),
            long!("r7", "s14", "s15"),
        )
    };
}

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

macro_rules! score {
    ($x:literal, $key:literal, $lane:literal) => {
        concat!(
            "vmul.f32 s",
            $key,
            ", s",
            $key,
            ", s16\n",
            "vcvt.f32.s32 s",
            $x,
            ", s",
            $x,
            "\n",
            "vmul.f32 s",
            $x,
            ", s",
            $x,
            ", s",
            $key,
            "\n",
        )
    };
}

/// Scores of the bands from `out` to `end`, at least one.
///
/// # Safety
/// There are as many of `sums`, and of `scales` at a multiple of 4. The routine saves what a function must,
/// r4 to r9 and s16, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn rescale_bands(
    sums: *const Sums<i32>,
    scales: *const Sums<u16>,
    out: *mut Sums<f32>,
    end: *mut Sums<f32>,
    scale: u32,
) {
    naked_asm!(
        processor!(),
        "push {{r4-r9, lr}}",
        "vpush {{s16}}",
        "vldr s16, [sp, #32]",
        "movw r9, #0",
        "movt r9, #0xFFFF",
        "1:",
        "vldmia r0!, {{s0-s7}}",
        "ldmia r1!, {{r4-r7}}",
        long!(),
        each!(score),
        "vstmia r2!, {{s0-s7}}",
        "cmp r2, r3",
        "bne 1b",
        "vpop {{s16}}",
        "pop {{r4-r9, pc}}",
    )
}

/// See [`Elementwise::exp_sum`].
pub(super) fn exp_sum(x: &mut [Sums<f32>], max: f32) -> (f32, f32) {
    if x.is_empty() {
        return (max, 0.0);
    }
    let mut state = [max, 0.0];
    let x = x.as_mut_ptr_range();
    // SAFETY: there are bands from start to end, not none.
    unsafe { exp_sum_bands(x.start, x.end, &mut state, &CONSTANTS) }
    let [max, sum] = state;
    (max, sum)
}

/// What [`exp_sum_bands`] has in s25 to s31.
static CONSTANTS: [f32; 7] = [ROUND, EXP2[0], EXP2[1], EXP2[2], EXP2[3], 1.0, 0.0];

macro_rules! larger {
    ($x:literal, $temp:literal, $lane:literal) => {
        concat!(
            "vcmp.f32 s",
            $x,
            ", s24\n",
            "vmrs APSR_nzcv, fpscr\n",
            "ble 7f\n",
            "vmov.f32 s24, s",
            $x,
            "\n",
            "7:\n",
        )
    };
}

macro_rules! exp2 {
    ($x:literal, $temp:literal, $lane:literal) => {
        concat!(
            "vsub.f32 s8, s",
            $x,
            ", s24\n",
            "vadd.f32 s9, s8, s25\n",
            "vmov r4, s9\n",
            "vsub.f32 s9, s9, s25\n",
            "sub r5, r4, r6\n",
            "cmp r5, #125\n",
            "bhi 2",
            $x,
            "f\n",
            "vsub.f32 s8, s8, s9\n",
            "vmul.f32 s9, s8, s26\n",
            "vadd.f32 s9, s9, s27\n",
            "vmul.f32 s9, s9, s8\n",
            "vadd.f32 s9, s9, s28\n",
            "vmul.f32 s9, s9, s8\n",
            "vadd.f32 s9, s9, s29\n",
            "vmul.f32 s9, s9, s8\n",
            "vadd.f32 s9, s9, s30\n",
            "vmov r5, s9\n",
            "add r5, r5, r4, lsl #23\n",
            "vmov s",
            $x,
            ", r5\n",
            "3",
            $x,
            ":\n",
            "vadd.f32 s",
            $lane,
            ", s",
            $lane,
            ", s",
            $x,
            "\n",
        )
    };
}

/// Where x is NaN, NaN; else it is below -125.5: 0.
macro_rules! exp2_far {
    ($x:literal, $temp:literal, $lane:literal) => {
        concat!(
            "2",
            $x,
            ":\n",
            "vcmp.f32 s8, s8\n",
            "vmrs APSR_nzcv, fpscr\n",
            "it vc\n",
            "vmovvc.f32 s8, s31\n",
            "vmov.f32 s",
            $x,
            ", s8\n",
            "b 3",
            $x,
            "b\n",
        )
    };
}

macro_rules! zero_lane {
    ($x:literal, $temp:literal, $lane:literal) => {
        concat!("vmov.f32 s", $lane, ", s31\n")
    };
}

/// Finds the largest of the bands from `x` to `end`, at least one, and of the state's first number, makes
/// weights of them, and writes both results to the state: the largest and the sum.
///
/// # Safety
/// The bands are there. The routine saves what a function must: r4 to r6, s16 to s31.
#[unsafe(naked)]
unsafe extern "C" fn exp_sum_bands(
    x: *mut Sums<f32>,
    end: *mut Sums<f32>,
    state: &mut [f32; 2],
    constants: &[f32; 7],
) {
    // s0-s7 x, s8 and s9 what becomes of one, s16-s23 lanes, s24 the largest, s25-s31 constants
    // r6 the bits of what is rounded for the least power of two
    naked_asm!(
        processor!(),
        "push {{r4-r6, lr}}",
        "vpush {{s16-s31}}",
        "vldr s24, [r2]",
        "vldmia r3, {{s25-s31}}",
        "mov r12, r0",
        "1:",
        "vldmia r12!, {{s0-s7}}",
        each!(larger),
        "cmp r12, r1",
        "bne 1b",
        "movw r6, #0xFF83",
        "movt r6, #0x4B3F",
        each!(zero_lane),
        "2:",
        "vldmia r0, {{s0-s7}}",
        each!(exp2),
        "vstmia r0!, {{s0-s7}}",
        "cmp r0, r1",
        "bne 2b",
        "vadd.f32 s16, s16, s20",
        "vadd.f32 s18, s18, s22",
        "vadd.f32 s17, s17, s21",
        "vadd.f32 s19, s19, s23",
        "vadd.f32 s16, s16, s18",
        "vadd.f32 s17, s17, s19",
        "vadd.f32 s25, s16, s17",
        "vstmia r2, {{s24, s25}}",
        "vpop {{s16-s31}}",
        "pop {{r4-r6, pc}}",
        each!(exp2_far),
    )
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

/// The largest magnitude, or NaN; none for no whole bands.
pub(super) fn largest(x: &[f32]) -> Option<f32> {
    let whole = !x.is_empty() && x.len().is_multiple_of(8);
    let range = x.as_ptr_range();
    // SAFETY: there are some times 8 floats from start to end.
    whole.then(|| f32::from_bits(unsafe { largest_bits(range.start, range.end) } >> 1))
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
/// There are some times 8 floats, not none. The routine saves what a function must: r4 to r9.
#[unsafe(naked)]
unsafe extern "C" fn largest_bits(x: *const f32, end: *const f32) -> u32 {
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

macro_rules! weight {
    ($x:literal, $scale:literal, $lane:literal) => {
        concat!("vmul.f32 s", $x, ", s", $x, ", s", $scale, "\n")
    };
}

macro_rules! larger_bits {
    ($x:literal, $next:literal) => {
        concat!(
            "vmov r4, r5, s",
            $x,
            ", s",
            $next,
            "\n",
            "cmp r4, r10\n",
            "bhi 2",
            $x,
            "f\n",
            "3",
            $x,
            ":\n",
            "cmp r5, r10\n",
            "bhi 2",
            $next,
            "f\n",
            "3",
            $next,
            ":\n",
        )
    };
    (@far $x:literal, $next:literal) => {
        concat!(
            "2",
            $x,
            ":\n",
            "mov r10, r4\n",
            "b 3",
            $x,
            "b\n",
            "2",
            $next,
            ":\n",
            "mov r10, r5\n",
            "b 3",
            $next,
            "b\n",
        )
    };
}

/// Multiplies the bands from `x` to `end`, at least one, with scales; returns the largest of the products'
/// bits.
///
/// # Safety
/// The bands are there, and as many scales at a multiple of 4. The routine saves what a function must, r4 to
/// r10, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn weigh_bands(
    x: *mut Sums<f32>,
    end: *mut Sums<f32>,
    scales: *const Sums<u16>,
) -> u32 {
    naked_asm!(
        processor!(),
        "push {{r4-r10, lr}}",
        "movw r9, #0",
        "movt r9, #0xFFFF",
        "mov r10, #0",
        "1:",
        "vldmia r0, {{s0-s7}}",
        "ldmia r2!, {{r4-r7}}",
        long!(),
        each!(weight),
        "vstmia r0!, {{s0-s7}}",
        larger_bits!("0", "1"),
        larger_bits!("2", "3"),
        larger_bits!("4", "5"),
        larger_bits!("6", "7"),
        "cmp r0, r1",
        "bne 1b",
        "mov r0, r10",
        "pop {{r4-r10, pc}}",
        larger_bits!(@far "0", "1"),
        larger_bits!(@far "2", "3"),
        larger_bits!(@far "4", "5"),
        larger_bits!(@far "6", "7"),
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
