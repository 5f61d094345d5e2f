//! The softmax of attention over an int8 cache, for processors with a floating-point unit: the same operations in
//! the same order as [`crate::kernel::elementwise::softmax`].
//!
//! ```text
//! 2^-x:        smlawb, a product of 32 and 16 bits without its lowest 16, is a step of the polynomial; shifts by
//!              more than 31 give 0
//! magnitudes:  weights have no sign, so they are ordered as their bits are
//! ```
//!
//! What seldom happens, a larger maximum, lies behind the loops.

use core::arch::naked_asm;

use super::fpu::round;
use super::{PORTABLE, aligned};
use crate::kernel::Sums;
use crate::kernel::elementwise::{Elementwise, Scores, Softmax};
use crate::math::EXP2_FIXED;

/// See [`Elementwise::softmax`].
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let (bands, keys) = (x.len(), scores.scales);
    let least = scores.sums.len().min(keys.len()).min(scales.len());
    if least < bands
        || q.len() != bands
        || bands == 0
        || scores.step != 1
        || !(aligned(keys) && aligned(scales) && aligned(q))
    {
        return match PORTABLE {
            true => (Elementwise::PORTABLE.softmax)(scores, scales, limit, x, q),
            false => Softmax { max: scores.max, sum: 0, scale: 0.0 },
        };
    }
    let Scores { sums, scale, count, max, .. } = scores;
    let sums = sums.get_mut(..bands).unwrap_or_default();
    let all = sums.as_mut_ptr_range();
    // SAFETY: there are bands from start to end, not none, and as many of keys' scales, at a multiple of 4.
    unsafe { score_bands(all.start, keys.as_ptr(), all.end, scale.to_bits()) }
    sums.as_flattened_mut().get_mut(count..).unwrap_or_default().fill(i32::MIN);
    let all = sums.as_mut_ptr_range();
    // SAFETY: the bands are there, as many of values' scales, at a multiple of 4, and as many of x.
    let (both, largest) = unsafe {
        let both = exp2_bands(all.start, all.end, max);
        (both, weigh_bands(all.start, all.end, scales.as_ptr(), x.as_mut_ptr()))
    };
    let largest = f32::from_bits(largest);
    let (x, q) = (x.as_flattened(), q.as_flattened_mut());
    let scale = if (1e-30..f32::INFINITY).contains(&largest) && round(x, limit / largest, q) {
        largest / limit
    } else {
        (Elementwise::PORTABLE.quantize_wide)(x, limit, q)
    };
    Softmax { max: both as i32, sum: (both >> 32) as i32, scale }
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
            "vcvt.s32.f32 s",
            $x,
            ", s",
            $x,
            "\n",
        )
    };
}

/// Makes scores of the sums of the bands from `sums` to `end`, at least one.
///
/// # Safety
/// There are as many of `scales`, at a multiple of 4. The routine saves what a function must, r4 to r9 and s16,
/// and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn score_bands(
    sums: *mut Sums<i32>,
    scales: *const Sums<u16>,
    end: *mut Sums<i32>,
    scale: u32,
) {
    naked_asm!(
        processor!(),
        "push {{r4-r9, lr}}",
        "vpush {{s16}}",
        "vmov s16, r3",
        "movw r9, #0",
        "movt r9, #0xFFFF",
        "1:",
        "vldmia r0, {{s0-s7}}",
        "ldmia r1!, {{r4-r7}}",
        long!(),
        each!(score),
        "vstmia r0!, {{s0-s7}}",
        "cmp r0, r2",
        "bne 1b",
        "vpop {{s16}}",
        "pop {{r4-r9, pc}}",
    )
}

macro_rules! larger {
    ($register:literal, $label:literal) => {
        concat!("cmp ", $register, ", r2\n", "bgt 2", $label, "f\n", "3", $label, ":\n",)
    };
    (@far $register:literal, $label:literal) => {
        concat!("2", $label, ":\n", "mov r2, ", $register, "\n", "b 3", $label, "b\n",)
    };
}

/// A score to its weight.
macro_rules! exp2 {
    ($x:literal) => {
        concat!(
            "qsub ",
            $x,
            ", r2, ",
            $x,
            "\n",
            "usat ",
            $x,
            ", #23, ",
            $x,
            "\n",
            "smlawb lr, r8, ",
            $x,
            ", r9\n",
            "smlawb lr, lr, ",
            $x,
            ", r10\n",
            "smlawb lr, lr, ",
            $x,
            ", r11\n",
            "add ",
            $x,
            ", ",
            $x,
            ", #0x8000\n",
            "lsr ",
            $x,
            ", ",
            $x,
            ", #16\n",
            "lsr ",
            $x,
            ", lr, ",
            $x,
            "\n",
            "add r3, r3, ",
            $x,
            "\n",
        )
    };
}

/// Four scores to their weights.
macro_rules! four_exp2 {
    () => {
        concat!(
            "ldmia r0, {{r4-r7}}\n",
            exp2!("r4"),
            exp2!("r5"),
            exp2!("r6"),
            exp2!("r7"),
            "stmia r0!, {{r4-r7}}\n",
        )
    };
}

/// Finds the largest of the scores from `x` to `end`, at least a band, and of `max`; makes weights of them.
/// Returns that score and, above it, the weights' sum.
///
/// # Safety
/// The bands are there. The routine saves what a function must: r4 to r11.
#[unsafe(naked)]
unsafe extern "C" fn exp2_bands(x: *mut Sums<i32>, end: *mut Sums<i32>, max: i32) -> u64 {
    // r2 the largest, r3 the sum, r4-r7 scores, r8-r11 the polynomial, lr its value
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "mov lr, r0",
        "1:",
        "ldmia lr!, {{r4-r11}}",
        larger!("r4", "0"),
        larger!("r5", "1"),
        larger!("r6", "2"),
        larger!("r7", "3"),
        larger!("r8", "4"),
        larger!("r9", "5"),
        larger!("r10", "6"),
        larger!("r11", "7"),
        "cmp lr, r1",
        "bne 1b",
        "mov r3, #0",
        "movw r8, #:lower16:{0}",
        "movt r8, #:upper16:{0}",
        "ldmia r8, {{r8-r11}}",
        "2:",
        four_exp2!(),
        four_exp2!(),
        "cmp r0, r1",
        "bne 2b",
        "mov r0, r2",
        "mov r1, r3",
        "pop {{r4-r11, pc}}",
        larger!(@far "r4", "0"),
        larger!(@far "r5", "1"),
        larger!(@far "r6", "2"),
        larger!(@far "r7", "3"),
        larger!(@far "r8", "4"),
        larger!(@far "r9", "5"),
        larger!(@far "r10", "6"),
        larger!(@far "r11", "7"),
        sym COEFFICIENTS,
    )
}

static COEFFICIENTS: [i32; 4] = EXP2_FIXED;

macro_rules! weight {
    ($x:literal, $scale:literal, $lane:literal) => {
        concat!(
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
            $scale,
            "\n",
        )
    };
}

macro_rules! larger_bits {
    ($x:literal, $label:literal) => {
        concat!("cmp ", $x, ", r10\n", "bhi 2", $label, "f\n", "3", $label, ":\n",)
    };
    (@far $x:literal, $label:literal) => {
        concat!("2", $label, ":\n", "mov r10, ", $x, "\n", "b 3", $label, "b\n",)
    };
}

/// Writes the weights of the bands from `weights` to `end`, at least one, times scales; returns the largest of
/// the products' bits.
///
/// # Safety
/// The bands are there, as many scales at a multiple of 4, and room for as many products. The routine saves what
/// a function must, r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn weigh_bands(
    weights: *const Sums<i32>,
    end: *const Sums<i32>,
    scales: *const Sums<u16>,
    x: *mut Sums<f32>,
) -> u32 {
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "movw r9, #0",
        "movt r9, #0xFFFF",
        "mov r10, #0",
        "1:",
        "vldmia r0!, {{s0-s7}}",
        "ldmia r2!, {{r4-r7}}",
        long!(),
        each!(weight),
        "vstmia r3, {{s0-s7}}",
        "ldmia r3!, {{r4-r8, r11, r12, lr}}",
        larger_bits!("r4", "0"),
        larger_bits!("r5", "1"),
        larger_bits!("r6", "2"),
        larger_bits!("r7", "3"),
        larger_bits!("r8", "4"),
        larger_bits!("r11", "5"),
        larger_bits!("r12", "6"),
        larger_bits!("lr", "7"),
        "cmp r0, r1",
        "bne 1b",
        "mov r0, r10",
        "pop {{r4-r11, pc}}",
        larger_bits!(@far "r4", "0"),
        larger_bits!(@far "r5", "1"),
        larger_bits!(@far "r6", "2"),
        larger_bits!(@far "r7", "3"),
        larger_bits!(@far "r8", "4"),
        larger_bits!(@far "r11", "5"),
        larger_bits!(@far "r12", "6"),
        larger_bits!(@far "lr", "7"),
    )
}
