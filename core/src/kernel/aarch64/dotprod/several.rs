//! Nibbles made int8, by several tokens.
//!
//! ```text
//! zeros of four blocks, per half of a band and token:
//!   sdot(s·z, l), sdot(s·z, h)   Σx = 128·h + l, see [`super::super::widen`]
//! ```

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::super::expand::{Columns, Dot, Offsets, Totals, Wide, by_tiles};
use super::q8::fours_by;
use crate::kernel::Sums;

/// Tokens whose sums, with a block's weights and two registers of activations, are as many as there are registers.
const TOKENS: usize = 7;

/// SDOT.
pub(super) struct Sdot;

impl Dot for Sdot {
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
    unsafe fn add(
        sums: &mut [Sums<i32>],
        blocks: &[Wide],
        x: Columns,
        offsets: &[Offsets],
        digits: Columns,
    ) {
        let fours = offsets.len().div_ceil(4);
        let offsets = offsets.as_ptr().cast();
        let mut done = 0;
        // SAFETY: by this function's contract; `arrange` has made all of the last four.
        unsafe {
            by_tiles!(sums, done, [7], |tile| {
                let dots = by_seven(blocks, x.skip(done));
                add(tile, &dots, fours, offsets, digits.skip(done));
            });
            by_tiles!(sums, done, [4 2 1], |tile| {
                let dots = fours_by(blocks.as_flattened(), x.skip(done));
                add(tile, &dots, fours, offsets, digits.skip(done));
            });
        }
    }
}

/// The products of a block of weights in v14 to v29 and a token's 32 activations.
#[rustfmt::skip]
macro_rules! token {
    ($x:literal, $low:literal, $high:literal) => {
        concat!(
            "ldp q30, q31, [{", $x, "}], #32\n",
            token!($low, $high, "30", ["14", "15"] ["16", "17"] ["18", "19"] ["20", "21"]),
            token!($low, $high, "31", ["22", "23"] ["24", "25"] ["26", "27"] ["28", "29"]),
        )
    };
    ($low:literal, $high:literal, $x:literal, $a:tt $b:tt $c:tt $d:tt) => {
        concat!(
            token!($low, $high, $x, "0", $a), token!($low, $high, $x, "1", $b),
            token!($low, $high, $x, "2", $c), token!($low, $high, $x, "3", $d),
        )
    };
    ($low:literal, $high:literal, $x:literal, $lane:literal, [$a:literal, $b:literal]) => {
        concat!(
            "sdot v", $low, ".4s, v", $a, ".16b, v", $x, ".4b[", $lane, "]\n",
            "sdot v", $high, ".4s, v", $b, ".16b, v", $x, ".4b[", $lane, "]\n",
        )
    };
}

/// The dot products of blocks, one or more, and seven tokens.
///
/// # Safety
/// Each token has the blocks' columns.
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn by_seven(blocks: &[Wide], x: Columns) -> Totals<TOKENS> {
    let mut totals = [[vdupq_n_s32(0); 2]; TOKENS];
    let x: [_; TOKENS] = from_fn(|t| x.skip(t).x);
    let [a, b, c, d, e, f, g] = &mut totals;
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "2:",
            "ldp q14, q15, [{w}], #32", "ldp q16, q17, [{w}], #32",
            "ldp q18, q19, [{w}], #32", "ldp q20, q21, [{w}], #32",
            "ldp q22, q23, [{w}], #32", "ldp q24, q25, [{w}], #32",
            "ldp q26, q27, [{w}], #32", "ldp q28, q29, [{w}], #32",
            token!("a", "0", "1"),
            token!("b", "2", "3"),
            token!("c", "4", "5"),
            token!("d", "6", "7"),
            token!("e", "8", "9"),
            token!("f", "10", "11"),
            token!("g", "12", "13"),
            "subs {count}, {count}, #1",
            "b.ne 2b",
            count = inout(reg) blocks.len() => _,
            w = inout(reg) blocks.as_ptr() => _,
            a = inout(reg) x[0] => _, b = inout(reg) x[1] => _, c = inout(reg) x[2] => _,
            d = inout(reg) x[3] => _, e = inout(reg) x[4] => _, f = inout(reg) x[5] => _,
            g = inout(reg) x[6] => _,
            inout("v0") a[0], inout("v1") a[1], inout("v2") b[0], inout("v3") b[1],
            inout("v4") c[0], inout("v5") c[1], inout("v6") d[0], inout("v7") d[1],
            inout("v8") e[0], inout("v9") e[1], inout("v10") f[0], inout("v11") f[1],
            inout("v12") g[0], inout("v13") g[1],
            out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
            out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack),
        );
    }
    totals
}

/// Adds to the sums of T tokens 4 · `dots`, and what the blocks' zeros are worth.
///
/// # Safety
/// There are `fours` times 32 bytes of [`Sdot::arrange`], and per token 8 of digits.
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
