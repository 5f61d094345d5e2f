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
    open: for<'w> fn(&'w mut Self) -> &'w mut (dyn Bands + 'a),
}

/// Half a window, and what it holds.
struct Half<'a> {
    bytes: &'a mut [u8],
    held: Held,
}

/// Bands of a matrix, which is known by its place in the file.
#[derive(Clone, Default)]
struct Held {
    matrix: u64,
    bands: Range<usize>,
}

/// Bands to be read, and where they lie in the file.
struct Wanted {
    held: Held,
    offset: u64,
    len: usize,
}

impl Half<'_> {
    fn holds(&self, matrix: &Matrix<'_>, band: usize) -> bool {
        self.held.matrix == matrix.offset_of(0) && self.held.bands.contains(&band)
    }

    /// The bands of `matrix` from `first` on that there is room for, at most `most`.
    fn room(&self, matrix: &Matrix<'_>, first: usize, most: usize) -> Wanted {
        let room = self.bytes.len().checked_div(matrix.band_len()).unwrap_or(0).min(most);
        let end = first.saturating_add(room).min(matrix.bands());
        Wanted {
            offset: matrix.offset_of(first),
            len: end.saturating_sub(first).saturating_mul(matrix.band_len()),
            held: Held { matrix: matrix.offset_of(0), bands: first..end },
        }
    }

    /// Reads these bands and has `work` done meanwhile.
    fn fill(
        &mut self,
        source: &mut dyn Source,
        wanted: Wanted,
        work: &mut dyn FnMut(),
    ) -> Result<(), ReadError> {
        let Wanted { held, offset, len } = wanted;
        let bytes = self.bytes.get_mut(..len).unwrap_or_default();
        self.held = Held::default();
        source.read_beside(offset, bytes, work).map_err(|fault| fault.at(offset, len))?;
        self.held = held;
        Ok(())
    }
}

/// What a pass asks of a window. Behind a pointer that [`Window::new`] sets, so that a program whose weights
/// are all in memory has none of this in its flash.
pub(super) trait Bands {
    /// Calls `work` with `matrix` with its bands from `first` on in the window, as many as it holds, and where these
    /// end; reads meanwhile the bands behind them, or the first of the matrix that is `following`. `work` is called
    /// at least once, unless the bands themselves cannot be read; the source may have it called again.
    fn bands(
        &mut self,
        matrix: &Matrix<'_>,
        first: usize,
        following: Option<Matrix<'_>>,
        work: &mut dyn FnMut(&Matrix<'_>, usize),
    ) -> Result<(), ReadError>;

    /// Writes row `row` of `matrix` as floats.
    fn row(&mut self, matrix: &Matrix<'_>, row: usize, out: &mut [f32]) -> Result<(), ReadError>;
}

impl<'a> Window<'a> {
    pub(super) fn new(source: &'a mut dyn Source, halves: [&'a mut [u8]; 2]) -> Self {
        let [present, ahead] = halves.map(|bytes| Half { bytes, held: Held::default() });
        Self { source, present, ahead, open: |window| window }
    }

    /// The window, to be asked for bands.
    pub(super) fn open(&mut self) -> &mut (dyn Bands + 'a) {
        (self.open)(self)
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
        let wanted = self.present.room(matrix, band, most);
        self.present.fill(self.source, wanted, &mut || ())
    }
}

impl Bands for Window<'_> {
    fn bands(
        &mut self,
        matrix: &Matrix<'_>,
        first: usize,
        following: Option<Matrix<'_>>,
        work: &mut dyn FnMut(&Matrix<'_>, usize),
    ) -> Result<(), ReadError> {
        self.load(matrix, first, usize::MAX)?;
        let Self { source, present, ahead, .. } = self;
        let held = &present.held.bands;
        let (next, first) =
            if held.end < matrix.bands() { (Some(*matrix), held.end) } else { (following, 0) };
        let wanted = next.filter(|next| !ahead.holds(next, first));
        let wanted = wanted.map(|next| ahead.room(&next, first, usize::MAX));
        let wanted = wanted.filter(|wanted| wanted.len > 0);
        let within = matrix.within(held.start, present.bytes);
        let mut work = || work(&within, held.end);
        let read = wanted.map_or(Ok(()), |wanted| ahead.fill(*source, wanted, &mut work));
        work();
        read
    }

    fn row(&mut self, matrix: &Matrix<'_>, row: usize, out: &mut [f32]) -> Result<(), ReadError> {
        self.load(matrix, row / BAND_ROWS, 1)?;
        matrix.within(self.present.held.bands.start, self.present.bytes).row(row, out);
        Ok(())
    }
}
