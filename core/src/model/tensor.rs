//! Views of tensors: a matrix as bands, a vector as numbers.

use core::ops::Range;

use super::Tensor;
use crate::format::encoding::{BAND_ROWS, BLOCK, Band, Bands, Encoding};

/// A matrix [rows, cols] in bands.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    encoding: Encoding,
    rows: usize,
    padded_cols: usize,
    band_len: usize,
    /// Where it starts in the file.
    offset: u64,
    /// The bands from `first` on.
    first: usize,
    bytes: &'a [u8],
}

impl<'a> Matrix<'a> {
    pub(super) fn new(tensor: &Tensor<'a>) -> Self {
        let size = |size: u32| usize::try_from(size).unwrap_or(0);
        let rows = size(tensor.rows);
        // What `Encoding::band_len` says of its columns, as the model's structure is valid; found faster.
        let len = usize::try_from(tensor.len).ok().filter(|_| tensor.encoding.is_matrix());
        let band_len = len.and_then(|len| len.checked_div(rows.div_ceil(BAND_ROWS)));
        Self {
            encoding: tensor.encoding,
            rows,
            padded_cols: size(tensor.cols).checked_next_multiple_of(BLOCK).unwrap_or(0),
            band_len: band_len.unwrap_or(0),
            offset: tensor.offset,
            first: 0,
            bytes: tensor.bytes,
        }
    }

    /// How its numbers are stored.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Rows, without the zero rows of the last band.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, padded to a multiple of [`crate::format::BLOCK`].
    pub fn padded_cols(&self) -> usize {
        self.padded_cols
    }

    /// Bands of [`BAND_ROWS`] rows.
    pub fn bands(&self) -> usize {
        self.rows.div_ceil(BAND_ROWS)
    }

    /// Bytes of a band.
    pub fn band_len(&self) -> usize {
        self.band_len
    }

    /// Where band `index` starts in the file.
    pub fn offset_of(&self, index: usize) -> u64 {
        let before = u64::try_from(index.saturating_mul(self.band_len)).unwrap_or(u64::MAX);
        self.offset.saturating_add(before)
    }

    /// The same matrix with its bands from `first` on in `bytes`, as many as these are.
    pub fn within<'b>(&self, first: usize, bytes: &'b [u8]) -> Matrix<'b> {
        Matrix { first, bytes, ..*self }
    }

    /// Band `index`; an empty one past the end, or where it is not in memory.
    pub fn band(&self, index: usize) -> Band<'a> {
        self.band_of(self.bands_in(index..index.saturating_add(1)).bytes)
    }

    /// The band whose bytes these are.
    pub fn band_of<'b>(&self, bytes: &'b [u8]) -> Band<'b> {
        Band::new(self.encoding, self.padded_cols, bytes)
    }

    /// The bands with these indices, in order; none if one of them is past the end, or not in memory.
    pub fn bands_in(&self, indices: Range<usize>) -> Bands<'a> {
        let len = self.band_len;
        let at = |index: usize| index.wrapping_sub(self.first).saturating_mul(len);
        let bytes = self.bytes.get(at(indices.start)..at(indices.end));
        Bands { bytes: bytes.unwrap_or_default(), len }
    }

    /// Writes row `row` as floats, `out.len()` of them (columns beyond the matrix are left alone).
    pub fn row(&self, row: usize, out: &mut [f32]) {
        self.band(row / BAND_ROWS).row(row % BAND_ROWS, out);
    }
}

/// A vector of 32-bit numbers.
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a>(&'a [[u8; 4]]);

impl<'a> Vector<'a> {
    pub(super) fn new(tensor: &Tensor<'a>) -> Self {
        Self(tensor.bytes.as_chunks().0)
    }

    /// Its values as they lie in the file.
    pub fn raw(&self) -> &'a [[u8; 4]] {
        self.0
    }

    /// Its values as floats.
    pub fn floats(&self) -> impl Iterator<Item = f32> + 'a {
        self.0.iter().map(|raw| f32::from_le_bytes(*raw))
    }

    /// The values for the rows of band `index` of a matrix; zeros past the end.
    pub fn band(&self, index: usize) -> [f32; BAND_ROWS] {
        let values = self.0.get(index.saturating_mul(BAND_ROWS)..).unwrap_or_default();
        let mut band = [0.0; BAND_ROWS];
        for (value, raw) in band.iter_mut().zip(values) {
            *value = f32::from_le_bytes(*raw);
        }
        band
    }

    /// Its values as angles per position, in turns / 2³².
    pub fn turns(&self) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().map(|raw| u32::from_le_bytes(*raw))
    }
}
