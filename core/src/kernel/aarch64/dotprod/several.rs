//! Nibbles made int8, by several tokens.
//!
//! ```text
//! zeros of four blocks, per half of a band and token:
//!   sdot(s·z, l), sdot(s·z, h)   Σx = 128·h + l, see [`super::super::widen`]
//! ```

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::super::expand::{Columns, Dot, Offsets, Totals};
use super::q8::fours_by;
use crate::kernel::{Group, Sums};

/// Tokens whose sums are in registers together.
const TOKENS: usize = 4;

/// SDOT.
pub(super) struct Sdot;

impl Dot for Sdot {
    // SAFETY: asks for what the trait does.
    #[inline(always)]
    unsafe fn dot<const T: usize>(fours: &[[Group; 4]], x: Columns) -> Totals<T> {
        // SAFETY: by this function's contract.
        unsafe { fours_by(fours, x) }
    }

    /// Row by row, four blocks each.
    #[inline(always)]
    fn arrange(offsets: &mut [Offsets; 4]) {
        let at = offsets.as_mut_ptr().cast::<i8>();
        // SAFETY: every AArch64 processor has NEON; 32 bytes.
        unsafe {
            let (a, b) = (vld1q_s8(at), vld1q_s8(at.add(16)));
            let (even, odd) = (vzip1q_s8(a, b), vzip2q_s8(a, b));
            vst1q_s8(at, vzip1q_s8(even, odd));
            vst1q_s8(at.add(16), vzip2q_s8(even, odd));
        }
    }

    // SAFETY: asks for what the trait does.
    #[inline(always)]
    unsafe fn add<const T: usize>(
        sums: &mut [Sums<i32>; T],
        dots: Totals<T>,
        offsets: &[Offsets],
        digits: Columns,
    ) {
        let fours = offsets.len().div_ceil(4);
        let offsets = offsets.as_ptr().cast();
        let (tiles, singles) = sums.as_chunks_mut::<TOKENS>();
        let (dots, other_dots) = dots.as_chunks::<TOKENS>();
        let others = digits.skip(TOKENS * tiles.len());
        // SAFETY: by this function's contract; `arrange` has made all of the last four.
        unsafe {
            for (i, (sums, dots)) in tiles.iter_mut().zip(dots).enumerate() {
                add(sums, dots, fours, offsets, digits.skip(TOKENS * i));
            }
            for (i, (sums, dots)) in singles.iter_mut().zip(other_dots).enumerate() {
                let (sums, dots) = (core::array::from_mut(sums), core::array::from_ref(dots));
                add(sums, dots, fours, offsets, others.skip(i));
            }
        }
    }
}

/// # Safety
/// `fours` times 32 bytes of [`Sdot::arrange`], and per token 8 of digits.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn add<const T: usize>(
    sums: &mut [Sums<i32>; T],
    dots: &Totals<T>,
    fours: usize,
    offsets: *const i8,
    digits: Columns,
) {
    // SAFETY: by this function's contract; 2 · 4 of 8 numbers.
    unsafe {
        let mut at: [_; T] = from_fn(|t| digits.skip(t).x);
        let mut lows = sums.each_ref().map(|sums| {
            let at = sums.as_ptr();
            [vld1q_s32(at), vld1q_s32(at.add(4))]
        });
        let mut highs = [[vdupq_n_s32(0); 2]; T];
        for i in 0..fours {
            let rows = [vld1q_s8(offsets.add(32 * i)), vld1q_s8(offsets.add(32 * i + 16))];
            for ((at, low), high) in at.iter_mut().zip(&mut lows).zip(&mut highs) {
                zeros(rows, at, low, high);
            }
        }
        for (((sums, dots), low), high) in sums.iter_mut().zip(dots).zip(lows).zip(highs) {
            for half in 0..2 {
                let total = total(low[half], dots[half], high[half]);
                vst1q_s32(sums.as_mut_ptr().add(4 * half), total);
            }
        }
    }
}

/// Adds what four blocks' zeros are worth, by the digits at `at`, which goes on to the next ones.
///
/// # Safety
/// 8 bytes at `at` can be read.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn zeros(
    [a, b]: [int8x16_t; 2],
    at: &mut *const i8,
    [low, low2]: &mut [int32x4_t; 2],
    [high, high2]: &mut [int32x4_t; 2],
) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "ldr {x:d}, [{at}], #8",
            "sdot {low:v}.4s, {a:v}.16b, {x:v}.4b[0]",
            "sdot {low2:v}.4s, {b:v}.16b, {x:v}.4b[0]",
            "sdot {high:v}.4s, {a:v}.16b, {x:v}.4b[1]",
            "sdot {high2:v}.4s, {b:v}.16b, {x:v}.4b[1]",
            at = inout(reg) *at, x = out(vreg) _, a = in(vreg) a, b = in(vreg) b,
            low = inout(vreg) *low, low2 = inout(vreg) *low2,
            high = inout(vreg) *high, high2 = inout(vreg) *high2,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// low + 4 · dot + 128 · high.
#[inline]
#[target_feature(enable = "dotprod")]
fn total(mut low: int32x4_t, dot: int32x4_t, high: int32x4_t) -> int32x4_t {
    // SAFETY: registers only. (A compiler would shift and add.)
    unsafe {
        asm!(
            "mla {low:v}.4s, {dot:v}.4s, {four:v}.4s",
            "mla {low:v}.4s, {high:v}.4s, {most:v}.4s",
            low = inout(vreg) low, dot = in(vreg) dot, high = in(vreg) high,
            four = in(vreg) vdupq_n_s32(4), most = in(vreg) vdupq_n_s32(128),
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    low
}
