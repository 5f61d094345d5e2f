//! Weights that are not in memory: bands are read into one half of a window while those in the other are
//! multiplied.
//!
//! ```text
//! present  | bands 0 … 7 |──────── multiplied ────────|  halves change  | bands 8 … 15 | …
//! ahead                  |── read: bands 8 … 15 ──|                     |── read: … ──|
//! ```

use core::ops::Range;

use crate::error::ReadError;
use crate::format::BAND_ROWS;
use crate::model::{Matrix, Source};

/// The window, and what its bytes are read from.
pub(super) struct Window<'a> {
    source: &'a mut dyn Source,
    present: Half<'a>,
    ahead: Half<'a>,
}

/// Half a window, and what it holds.
struct Half<'a> {
    bytes: &'a mut [u8],
    held: Held,
}

/// Bands of a matrix, which is known by its place in the file.
#[derive(Clone, Default, PartialEq, Eq)]
struct Held {
    matrix: u64,
    bands: Range<usize>,
}

impl Half<'_> {
    fn holds(&self, matrix: &Matrix<'_>, band: usize) -> bool {
        self.held.matrix == matrix.offset_of(0) && self.held.bands.contains(&band)
    }

    /// The bands of `matrix` from `first` on that it has room for, at most `most`.
    fn room(&self, matrix: &Matrix<'_>, first: usize, most: usize) -> Held {
        let room = self.bytes.len().checked_div(matrix.band_len()).unwrap_or(0).min(most);
        let end = first.saturating_add(room).min(matrix.bands());
        Held { matrix: matrix.offset_of(0), bands: first..end }
    }

    /// Fills it with these bands and has `work` done meanwhile.
    fn fill(
        &mut self,
        source: &mut dyn Source,
        matrix: &Matrix<'_>,
        held: Held,
        work: &mut dyn FnMut(),
    ) -> Result<(), ReadError> {
        let len = held.bands.len().saturating_mul(matrix.band_len());
        let bytes = self.bytes.get_mut(..len).unwrap_or_default();
        let offset = matrix.offset_of(held.bands.start);
        self.held = Held::default();
        source.read_beside(offset, bytes, work).map_err(|fault| fault.at(offset, len))?;
        self.held = held;
        Ok(())
    }
}

impl<'a> Window<'a> {
    pub(super) fn new(source: &'a mut dyn Source, halves: [&'a mut [u8]; 2]) -> Self {
        let [present, ahead] = halves.map(|bytes| Half { bytes, held: Held::default() });
        Self { source, present, ahead }
    }

    /// Calls `work` with the first of `bands` of `matrix`, as many as the window holds, and reads those
    /// behind them, or the first of the matrix that is `following`, meanwhile. Returns the band that is next,
    /// and whether all could be read: what is to come is read again then.
    pub(super) fn with_bands(
        &mut self,
        matrix: &Matrix<'_>,
        bands: Range<usize>,
        following: Option<Matrix<'_>>,
        work: impl FnOnce(&Matrix<'_>, Range<usize>),
    ) -> (usize, Result<(), ReadError>) {
        if let Err(error) = self.load(matrix, bands.start, usize::MAX) {
            return (bands.start, Err(error));
        }
        let Self { source, present, ahead } = self;
        let held = &present.held.bands;
        let end = bands.end.min(held.end);
        let within = matrix.within(held.start, present.bytes);
        // Once, whatever the source makes of it.
        let mut work = Some(work);
        let mut once = || {
            if let Some(work) = work.take() {
                work(&within, bands.start..end);
            }
        };
        let (next, first) =
            if held.end < matrix.bands() { (Some(*matrix), held.end) } else { (following, 0) };
        let result = match next {
            Some(next) if !ahead.holds(&next, first) => {
                match ahead.room(&next, first, usize::MAX) {
                    held if held.bands.is_empty() => Ok(()),
                    held => ahead.fill(*source, &next, held, &mut once),
                }
            }
            _ => Ok(()),
        };
        once();
        (end, result)
    }

    /// Writes row `row` of `matrix` as floats.
    pub(super) fn row(
        &mut self,
        matrix: &Matrix<'_>,
        row: usize,
        out: &mut [f32],
    ) -> Result<(), ReadError> {
        self.load(matrix, row / BAND_ROWS, 1)?;
        matrix.within(self.present.held.bands.start, self.present.bytes).row(row, out);
        Ok(())
    }

    /// Sees to it that the present half holds that band, and up to `most` from there on where it has to be
    /// read now.
    fn load(&mut self, matrix: &Matrix<'_>, band: usize, most: usize) -> Result<(), ReadError> {
        if self.present.holds(matrix, band) {
            return Ok(());
        }
        if self.ahead.holds(matrix, band) {
            core::mem::swap(&mut self.present, &mut self.ahead);
            return Ok(());
        }
        let held = self.present.room(matrix, band, most);
        self.present.fill(self.source, matrix, held, &mut || ())
    }
}
