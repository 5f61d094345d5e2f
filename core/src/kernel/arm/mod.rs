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
#[cfg(acorn_fpu)]
#[macro_use]
mod fpu;
#[cfg(acorn_mve)]
mod mve;

#[cfg(acorn_fpu)]
mod softmax;

#[cfg(acorn_dsp)]
pub(super) use dsp::widen;

#[cfg(acorn_fpu)]
pub(super) use fpu::sqrt;

#[cfg(acorn_fpu)]
use super::{Bands, Sums};
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

/// Whether what does not lie at multiples of 4 is for the portable loops to do. Else there is nothing of that kind:
/// the engine refuses such a model, and all else lies in its arena.
const PORTABLE: bool = cfg!(feature = "full");

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

/// Where what lies in bands of nibbles.
#[cfg(acorn_fpu)]
struct Q4Layout {
    /// How many, not none.
    blocks: usize,
    /// Bytes from a band's start.
    pairs: usize,
    scales: usize,
}

/// The layout of bands at multiples of 4 with as many columns as x has; none for others.
#[cfg(acorn_fpu)]
fn q4_layout(bands: Bands<'_>, x: &Ints<'_>) -> Option<Q4Layout> {
    let blocks = x.cols / BLOCK;
    let pairs = blocks * size_of::<[Group; 4]>();
    let scales = pairs + blocks.div_ceil(2) * size_of::<Pair>();
    let there = blocks > 0 && bands.len == scales + fpu::SCALES && aligned(bands.bytes);
    there.then_some(Q4Layout { blocks, pairs, scales })
}

/// As many of `out` as there are bands, unless there are none.
#[cfg(acorn_fpu)]
fn some<'a>(bands: &Bands<'_>, out: &'a mut [Sums<f32>]) -> Option<&'a mut [Sums<f32>]> {
    let count = bands.bytes.len().checked_div(bands.len)?.min(out.len());
    out.get_mut(..count).filter(|out| !out.is_empty())
}
