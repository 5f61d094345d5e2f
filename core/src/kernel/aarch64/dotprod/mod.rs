//! SDOT (Cortex-A76 and later; ARMv8.2 and the extension): adds four products of int8 to an i32, one
//! per row. Its second operand may be a quarter of a register, so that 16 activations are one load.
//!
//! ```text
//! q8, per 4 groups and token:  x16 = the token's 16 activations
//!   sdot(w, x16[i])            for the i-th group
//! q4, per block of one token:
//!   sum = -8 · Σx              → i32, one per row; laid out once for all bands: [`super::widen`]
//!   sum = sdot(n, x16[i])      Σ (n - 8)·x: at most 32 · 8 · 127 < 2¹⁵
//!   uzp1                       → i16
//!   smlal(·, s)                → i32, added up over the row
//! and for the zeros of four blocks, s·z in -128..=112, Σx = 128·h + l:
//!   sdot(s·z, l), sdot(s·z, h) → i32, two per row; at the end 4 · the first + the second + 128 · the third
//! q4, several tokens: as q8, see [`super::expand`]
//! q8_wide, per 4 groups and token: x = 128·h + l, both int8
//!   sdot(w, h), sdot(w, l)     at the end 128 · the first + the second
//! ```

mod q4;
mod q8;
mod several;

use core::arch::aarch64::*;
use core::arch::asm;

use super::gemv::gemv;
use super::quantize::ELEMENTWISE;
use crate::format::encoding::q8::Band;
use crate::kernel::{Bands, Ints, Kernel, Sums};

/// The table; only for machines that have SDOT.
pub(super) static KERNEL: Kernel = Kernel {
    name: "aarch64-dotprod",
    f32: super::float::f32,
    q8: |groups, x, sums| {
        // SAFETY: the table is handed out by `kernel()`, which has seen the feature.
        unsafe { q8::q8(groups, x, sums) }
    },
    q4: |groups, pairs, x, sums| {
        // SAFETY: as above.
        unsafe { q4::q4(groups, pairs, x, sums) }
    },
    two: None,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| {
        // SAFETY: as above.
        unsafe { gemv_q8(bands, x, scale, out) }
    },
    gemv_q4: |bands, x, scale, out| {
        // SAFETY: as above.
        unsafe { q4::gemv_q4(bands, x, scale, out) }
    },
    q8_wide: |weights, x, tokens, sums| {
        // SAFETY: as above.
        unsafe { q8::q8_wide(weights, x, tokens, sums) }
    },
    elementwise: ELEMENTWISE,
};

#[target_feature(enable = "dotprod")]
fn gemv_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv(bands, scale, out, |bytes| q8::one_token(Band::new(bytes).groups, *x));
}

/// The kernel, on machines that have SDOT.
pub(super) fn kernel() -> Option<&'static Kernel> {
    super::detect::dotprod().then_some(&KERNEL)
}

/// Adds to each i32 the dot product of its four bytes and the `LANE`-th four activations. (The intrinsic
/// is not stable.)
#[inline]
#[target_feature(enable = "dotprod")]
fn sdot<const LANE: usize>(mut sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    const { assert!(LANE < 4) };
    // SAFETY: registers only.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]",
            sums = inout(vreg) sums, w = in(vreg) w, x = in(vreg) x, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// 16 activations.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn activations(x: *const i8) -> int8x16_t {
    // SAFETY: by this function's contract.
    unsafe { vld1q_s8(x) }
}

/// Adds the products of four registers of weights, of 4 columns each, and 16 activations.
#[inline]
#[target_feature(enable = "dotprod")]
fn dot16([a, b, c, d]: [int8x16_t; 4], x: int8x16_t, sums: int32x4_t) -> int32x4_t {
    sdot::<3>(sdot::<2>(sdot::<1>(sdot::<0>(sums, a, x), b, x), c, x), d, x)
}
