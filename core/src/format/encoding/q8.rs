//! A band of int8 weights with one f32 scale per row: `w = scale · q`, q in -127..=127.
//!
//! K columns are cut into groups of 4; 32 bytes hold 8 rows × 4 columns:
//!
//! ```text
//! group 0: r0 k0 k1 k2 k3 | r1 k0 k1 k2 k3 | … | r7 k0 k1 k2 k3
//! group 1: r0 k4 k5 k6 k7 | …
//! …                                                   8·K bytes
//! scales:  r0 r1 … r7                                 8 × f32
//! ```
//!
//! -128 does not occur: AVX2's `sign` + `maddubs` would be wrong for it.

use super::{BAND_ROWS, size};

/// Bytes of one group: 8 rows × 4 columns.
const GROUP: usize = 32;

/// Bytes of a band with `cols` (padded) columns.
pub fn band_len(cols: u64) -> Option<u64> {
    size::sum(&[size::product(&[cols, 8])?, 32])
}

/// One band.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Groups of 4 columns: 8 rows × 4 int8.
    pub groups: &'a [[u8; GROUP]],
    /// Per row, what the integer sum is multiplied with.
    pub scales: [f32; BAND_ROWS],
}

impl<'a> Band<'a> {
    pub(super) fn new(cols: usize, bytes: &'a [u8]) -> Self {
        let (groups, scales) = bytes.split_at_checked(cols.saturating_mul(8)).unwrap_or_default();
        Self { groups: groups.as_chunks().0, scales: super::scales(scales) }
    }

    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let scale = self.scales.get(row).copied().unwrap_or(0.0);
        for (values, group) in out.chunks_mut(4).zip(self.groups) {
            let quads = group.as_chunks::<4>().0;
            for (value, q) in values.iter_mut().zip(quads.get(row).copied().unwrap_or_default()) {
                *value = f32::from(q.cast_signed()) * scale;
            }
        }
    }
}

/// Packs 8 rows of equal (padded) length into `out`, a band's bytes.
pub fn pack(rows: [&[i8]; BAND_ROWS], scales: &[f32; BAND_ROWS], out: &mut [u8]) {
    let cols = rows.first().map_or(0, |row| row.len());
    let Some((groups, tail)) = out.split_at_mut_checked(cols.saturating_mul(8)) else { return };
    for (g, group) in groups.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        for (quad, row) in group.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            for (byte, weight) in quad.iter_mut().zip(row.iter().skip(g.saturating_mul(4))) {
                *byte = weight.cast_unsigned();
            }
        }
    }
    super::put_scales(scales, tail);
}
