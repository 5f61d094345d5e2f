//! What attention works with on microcontrollers, whose stacks are small.

use super::carve::{Carver, Part};
use super::{Shape, product};
use crate::format::encoding::BAND_ROWS;
use crate::kernel::Sums;

/// Positions per step of attention's running softmax.
pub(crate) const CHUNK: usize = 128;

/// The most cores of a microcontroller that attention is shared by.
const MOST_CORES: usize = 2;

/// What the cores of a microcontroller work on attention's chunks with, one query each. Other machines share chunks
/// among queries, and have the room on their stacks. Planned on every machine, as [`Inputs::widened`] is.
pub(crate) struct Scratches<'a> {
    /// Scores in floats, then weights [cores, CHUNK].
    pub(crate) scores: &'a mut [Sums<f32>],
    /// Weights in 16 bits [cores, CHUNK].
    pub(crate) weights: &'a mut [Sums<i16>],
    /// Sums of integers [cores, CHUNK].
    pub(crate) sums: &'a mut [Sums<i32>],
}

impl<'a> Scratches<'a> {
    pub(super) fn carve(carver: &mut Carver<'a>, shape: &Shape) -> Option<Self> {
        let bands = product(&[shape.workers.min(MOST_CORES), CHUNK / BAND_ROWS]);
        let part = Part::Activations;
        Some(Self {
            scores: carver.slice(part, bands)?,
            weights: carver.slice(part, bands)?,
            sums: carver.slice(part, bands)?,
        })
    }
}
