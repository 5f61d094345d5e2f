//! Helium, the vectors of Cortex-M55 and M85: eight registers of 16 bytes.
//!
//! VMLADAV adds all 16 products of two registers of bytes to one general register, an even one, so it wants 16
//! columns of one row. A row's words are 32 bytes apart: one load gathers four of them, from four addresses in a
//! register and an offset that says which row.
//!
//! A matrix times a vector is one routine over all bands: from band to band the addresses step on.

#[macro_use]
mod rescale;
mod q4;
mod q8;

use super::{float, some, wide};
use crate::kernel::{Kernel, scalar};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "arm-mve",
    f32: scalar::KERNEL.f32,
    q8: q8::q8,
    q4: q4::q4,
    two: None,
    widens_q8: false,
    gemv_q8: q8::gemv_q8,
    gemv_q4: q4::gemv_q4,
    q8_wide: wide::q8_wide,
    elementwise: float::ELEMENTWISE,
};

/// Whether the vectors may multiply by it: see [`rescale`].
fn positive(scale: f32) -> bool {
    scale.is_normal() && scale > 0.0
}
