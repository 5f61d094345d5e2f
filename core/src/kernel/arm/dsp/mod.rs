//! SMLAD, the DSP instruction of Cortex-M4, M7 and M33: two products of 16 bits added to a sum of 32.
//!
//! A word of a group is 4 int8 (or 8 nibbles) of one row; the activations are widened to pairs of 16 bits
//! once per token ([`widen`]), the way that words of weights fall apart:
//!
//! ```text
//! q8, a word w: k0 k1 k2 k3
//!   sxtb16(w), sxtb16(w, ror 8)            → (k0, k2), (k1, k3); smlad each
//! q4, a word w: k0|k4 k1|k5 k2|k6 k3|k7    with m = 1E001E00, a nibble becomes n · 2⁹
//!   m & w << 9, m & w << 1                 → (k0, k2), (k1, k3); smlad each
//!   m & w << 5, m & w >> 3                 → (k4, k6), (k5, k7)
//! q4, before a block:  sum = (W · z') / 2¹⁶ + C, by smlaw   z' = (z + 8) · 2⁹
//!     W = Σx · 2¹⁴, C = -40 · 128 · Σx                      → 128 · (z - 32) · Σx
//!   the products add 2⁹ · Σ n·x                             → 128 · (4 · Σ n·x + (z - 32) · Σx)
//!   after it: total += (sum · s · 2⁹) / 2¹⁶, by smlaw       exact
//! ```
//!
//! Groups of the last block whose activations are zeros, as padding is, are left out.
//!
//! Four rows at a time, since four sums, four words of activations, two of weights and what becomes of them
//! fill the registers: each routine goes over a band twice. They are written as a whole because a compiler
//! spills here. `ldrd` and `ldm` want addresses that are multiples of 4; other buffers, and activations that
//! were not widened, go to the scalar kernel.

mod q4;
mod q8;
mod widen;

pub(in crate::kernel) use widen::widen;

use super::float;
use super::wide::q8_wide;
use crate::format::BLOCK;
use crate::kernel::{Ints, Kernel, scalar};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "arm-dsp",
    f32: scalar::KERNEL.f32,
    q8: scalar::KERNEL.q8,
    q4: q4::q4,
    two: None,
    widens_q8: false,
    gemv_q8: q8::gemv_q8,
    gemv_q4: q4::gemv_q4,
    q8_wide,
    elementwise: float::ELEMENTWISE,
};

/// Whether all blocks of `x` were widened.
fn is_widened(x: Ints<'_>) -> bool {
    x.widened.len() == x.values.len() / BLOCK
}
