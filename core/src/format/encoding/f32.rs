//! A band of f32: for each column the 8 rows' values.
//!
//! ```text
//! k = 0              k = 1
//! r0 r1 r2 … r7      r0 r1 r2 … r7      …      (4 bytes each)
//! ```

use super::{BAND_ROWS, size};

/// That this build computes with weights, keys and values in floats: feature `full`. Without it there is no such
/// value, and no code for what takes one.
#[derive(Clone, Copy, Debug)]
#[cfg(feature = "full")]
#[non_exhaustive]
pub struct Float;

/// See above; here it is off.
#[derive(Clone, Copy, Debug)]
#[cfg(not(feature = "full"))]
pub enum Float {}

impl Float {
    /// The proof, where there is one.
    #[cfg(feature = "full")]
    pub(crate) const THERE: Option<Self> = Some(Self);
    #[cfg(not(feature = "full"))]
    pub(crate) const THERE: Option<Self> = None;
}

/// Bytes of one column: 8 floats.
const COLUMN: usize = 32;

/// Bytes of a band with `cols` (padded) columns.
pub fn band_len(cols: u64) -> Option<u64> {
    size::product(&[cols, 32])
}

/// One band's columns.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Per column 8 little-endian floats, one per row.
    pub columns: &'a [[u8; COLUMN]],
    /// That there is code for it.
    pub float: Float,
}

impl<'a> Band<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { columns: bytes.as_chunks().0, float: Float::THERE? })
    }

    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        for (value, column) in out.iter_mut().zip(self.columns) {
            *value = super::scales(column).get(row).copied().unwrap_or(0.0);
        }
    }

    pub(super) fn bad_row(&self) -> Option<usize> {
        self.columns
            .iter()
            .find_map(|column| super::scales(column).iter().position(|value| !value.is_finite()))
    }
}

/// Packs 8 rows of equal (padded) length into `out`, a band's bytes.
pub fn pack(rows: [&[f32]; BAND_ROWS], out: &mut [u8]) {
    for (k, column) in out.as_chunks_mut::<COLUMN>().0.iter_mut().enumerate() {
        super::put_scales(&rows.map(|row| row.get(k).copied().unwrap_or(0.0)), column);
    }
}
