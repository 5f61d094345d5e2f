//! A matrix times a vector, band by band, with any kernel's dot products.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::slice::from_mut;

use super::{Bands, Group, Ints, Sums};
#[cfg(any(not(acorn_soft), test))]
use crate::format::encoding::BAND_ROWS;
use crate::format::encoding::{q4, q8};

/// See [`super::Gemv`], for q8 bands.
#[inline(always)]
pub(super) fn q8(
    dot: impl Fn(&[Group], Ints<'_>, &mut [Sums<i32>]),
    bands: Bands<'_>,
    x: &Ints<'_>,
    scale: f32,
    out: &mut [Sums<f32>],
) {
    for (bytes, out) in bands.iter().zip(out) {
        let band = q8::Band::new(bytes);
        let mut sums = Sums::default();
        dot(band.groups, *x, from_mut(&mut sums));
        *out = rescale(&sums, &band.scales, scale);
    }
}

/// See [`super::Gemv`], for q4 bands.
#[inline(always)]
pub(super) fn q4(
    dot: impl Fn(&[Group], &[q4::Pair], Ints<'_>, &mut [Sums<i32>]),
    bands: Bands<'_>,
    x: &Ints<'_>,
    scale: f32,
    out: &mut [Sums<f32>],
) {
    for (bytes, out) in bands.iter().zip(out) {
        let band = q4::Band::new(x.cols, bytes);
        let mut sums = Sums::default();
        dot(band.groups, band.pairs, *x, from_mut(&mut sums));
        *out = rescale(&sums, &band.scales, scale);
    }
}

/// The float edge of an integer dot product: one multiply per row, by its scale times the token's.
#[cfg_attr(not(acorn_soft), inline(always))]
pub(crate) fn rescale(sums: &Sums<i32>, rows: &Sums<f32>, scale: f32) -> Sums<f32> {
    #[cfg(acorn_soft)]
    return super::soft::rescale(sums, rows, scale);
    #[cfg(not(acorn_soft))]
    by_floats(sums, rows, scale)
}

/// The same by the processor's floats.
#[cfg(any(not(acorn_soft), test))]
#[inline(always)]
pub(super) fn by_floats(sums: &Sums<i32>, rows: &Sums<f32>, scale: f32) -> Sums<f32> {
    let mut out = [0.0; BAND_ROWS];
    for ((out, sum), row) in out.iter_mut().zip(sums).zip(rows) {
        *out = *sum as f32 * (row * scale);
    }
    out
}
