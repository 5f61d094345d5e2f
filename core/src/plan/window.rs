//! The window that weights are read through where they are not in memory.

use super::ALIGNMENT;
use crate::error::PlanError;
use crate::model::Model;

/// Two halves: one is multiplied with while the other is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    /// Bytes of each, multiples of [`ALIGNMENT`]. The second has none where two would not take a band each:
    /// then nothing is read ahead.
    pub(crate) halves: [usize; 2],
    /// Bytes of the largest band that the window was planned for.
    pub(crate) band: usize,
}

impl Window {
    /// A window of at most `limit` bytes for `model`: no more than are of use.
    pub(super) fn new(model: &Model<'_>, limit: Option<usize>) -> Result<Self, PlanError> {
        let have = match limit {
            None if model.is_in_place() => return Ok(Self::default()),
            limit => limit.unwrap_or(0),
        };
        let (band, matrix) = largest(model).ok_or(PlanError::TooLarge)?;
        let align = |bytes: usize| bytes.checked_next_multiple_of(ALIGNMENT);
        let need = align(band).ok_or(PlanError::TooLarge)?;
        // What is read at once is bands of one matrix.
        let most = align(matrix).ok_or(PlanError::TooLarge)?;
        let half = |bytes: usize| (bytes / ALIGNMENT).saturating_mul(ALIGNMENT).min(most);
        let (one, two) = (half(have), half(have / 2));
        if one < need {
            return Err(PlanError::WindowTooSmall { need, have });
        }
        Ok(Self { halves: if two < need { [one, 0] } else { [two, two] }, band })
    }

    /// Whether it is large enough for `model`.
    pub(super) fn fits(&self, model: &Model<'_>) -> bool {
        *self == Self::default() || largest(model).is_some_and(|(band, _)| band == self.band)
    }
}

/// Bytes of the model's largest band, and of its largest matrix.
fn largest(model: &Model<'_>) -> Option<(usize, usize)> {
    let mut largest = (0, 0);
    for tensor in model.tensors().filter(|tensor| tensor.encoding.is_matrix()) {
        let band = usize::try_from(tensor.encoding.band_len(tensor.cols)?).ok()?;
        largest.0 = band.max(largest.0);
        largest.1 = usize::try_from(tensor.len).ok()?.max(largest.1);
    }
    Some(largest)
}
