//! Microcontrollers: the DSP instructions of Cortex-M4, M7 and M33, the vectors of Cortex-M55. Chosen
//! when the core is built (`build.rs`), since these processors run one program only.
#![allow(unsafe_code)]

/// What every routine begins with: the instructions that it may use.
macro_rules! processor {
    () => {
        concat!(".cpu ", env!("ACORN_PROCESSOR"))
    };
}

#[macro_use]
mod wide;

#[cfg(acorn_dsp)]
mod dsp;
mod float;
/// A processor may come without a floating-point unit; its target then passes floats in general registers.
#[cfg(target_abi = "eabihf")]
mod fpu;
#[cfg(acorn_mve)]
mod mve;

#[cfg(acorn_dsp)]
pub(super) use dsp::widen;

use super::{Group, Ints, Kernel};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;

/// The kernels of this folder that the core was built with, the best one first.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    [
        #[cfg(acorn_dsp)]
        &dsp::KERNEL,
        #[cfg(acorn_mve)]
        &mve::KERNEL,
    ]
    .into_iter()
}

/// Whether words may be loaded from there.
fn aligned<T>(values: &[T]) -> bool {
    values.as_ptr().addr().is_multiple_of(4)
}

/// The blocks of nibbles for which there are columns and parameters.
fn blocks<'a>(groups: &'a [Group], pairs: &[Pair], x: Ints<'_>) -> &'a [[Group; 4]] {
    let blocks = groups.as_chunks::<4>().0;
    let count = (x.cols / BLOCK).min(2 * pairs.len());
    blocks.get(..count).unwrap_or(blocks)
}
