//! The NEON of every AArch64 processor (Cortex-A53, A72): 8-bit products are added up in 16 bits as long
//! as they fit, since one multiplying instruction makes eight of them.
//!
//! ```text
//! ld4r                    → 16 activations, 4 in each register, four times
//! q8, per two groups and token, four times (two rows each):
//!   smull, smlal(w, x4)   → i16, four per row         at most 2 · 128 · 127 < 2¹⁵
//!   sadalp                → i32, two per row; added up
//! q4, per block of one token, four times:
//!   Σ smlal(n, x4)        → i16, four per row         at most 8 · 15 · 127 < 2¹⁵
//! then for all rows:
//!   addp, addp            → i16, one per row: Σ n·x modulo 2¹⁶
//!   less 8 · Σx           → Σ (n - 8)·x               at most 32 · 8 · 127 < 2¹⁵: exact again
//!   smlal(·, 4·s)         → i32, one per row; added up
//!   smlal(s·z, Σx)        → the same for the zeros
//! q4, several tokens: as q8, see [`super::expand`]
//! q8_wide, per group and token: w widened to i16
//!   smlal(w, x4)          → i32, four per row; added up
//! ```

mod q4;
mod q8;
mod several;
mod wide;

use super::float;
use super::gemv::gemv;
use super::quantize::ELEMENTWISE;
use crate::format::encoding::q8::Band;
use crate::kernel::Kernel;

/// The kernel: every AArch64 processor has NEON.
pub(super) static KERNEL: Kernel = Kernel {
    name: "aarch64-neon",
    f32: float::f32,
    q8: q8::q8,
    q4: q4::q4,
    two: None,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| {
        gemv(bands, scale, out, |bytes| q8::one_token(Band::new(bytes).groups, *x));
    },
    gemv_q4: q4::gemv_q4,
    q8_wide: |weights, x, tokens, sums| {
        // SAFETY: every AArch64 processor has NEON.
        unsafe { wide::q8_wide(weights, x, tokens, sums) }
    },
    elementwise: ELEMENTWISE,
};
