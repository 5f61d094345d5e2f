//! WebAssembly: its 128-bit vectors. A module says what it needs before it runs, so nothing is asked
//! here: the target has `simd128` or not.
#![allow(unsafe_code)]

mod simd128;

use super::Kernel;

/// The kernels of this folder that this target has.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    core::iter::once(&simd128::KERNEL)
}
