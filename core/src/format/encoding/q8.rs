//! A band of int8 weights with one scale per row: `w = R · q`, q in -127..=127.
//!
//! K columns, a multiple of 4, are cut into groups of 4; 32 bytes hold 8 rows × 4 columns:
//!
//! ```text
//! group 0: r0 k0 k1 k2 k3 | r1 k0 k1 k2 k3 | … | r7 k0 k1 k2 k3
//! group 1: r0 k4 k5 k6 k7 | …
//! …                                                   8·K bytes
//! scales:  r0 r1 … r7                                 8 × bfloat16
//! ```
//!
//! -128 does not occur: AVX2's `sign` + `maddubs` would be wrong for it.

use super::{BAND_ROWS, Group, SCALES, size};

/// The most columns of a row: beyond, its integer sum might not fit 32 bits (127 · 127 each).
pub const MOST_COLS: u64 = 131_072;

/// Bytes of a band with `cols` columns, before padding.
pub fn band_len(cols: u64) -> Option<u64> {
    let weights = size::product(&[size::round_up(cols, 4)?, 8])?;
    if cols > MOST_COLS { None } else { size::sum(&[weights, 16]) }
}

/// One band.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Groups of 4 columns: 8 rows × 4 int8.
    pub groups: &'a [Group],
    /// Per row, what the integer sum is multiplied with.
    pub scales: [f32; BAND_ROWS],
}

impl<'a> Band<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let split = bytes.len().saturating_sub(SCALES);
        let (groups, scales) = bytes.split_at_checked(split).unwrap_or_default();
        Self { groups: groups.as_chunks().0, scales: super::short_scales(scales) }
    }

    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let scale = self.scales.get(row).copied().unwrap_or(0.0);
        for (col, value) in out.iter_mut().enumerate() {
            let quad = self.groups.get(col / 4).and_then(|group| group.as_chunks::<4>().0.get(row));
            // 0 in columns that are padded further than this encoding pads them.
            let q = quad.and_then(|quad| quad.get(col % 4)).copied().unwrap_or_default();
            *value = f32::from(q.cast_signed()) * scale;
        }
    }

    /// The first row with a weight of -128, or with a scale that is not finite or is negative.
    pub(super) fn bad_row(&self) -> Option<usize> {
        let minimum =
            |bytes: &[u8]| bytes.iter().fold(false, |found, &byte| found | (byte == 0x80));
        let group = self.groups.iter().find(|group| minimum(group.as_slice()));
        let weight =
            group.and_then(|group| group.as_chunks::<4>().0.iter().position(|quad| minimum(quad)));
        weight.or_else(|| super::bad_scale(&self.scales))
    }
}

/// Packs 8 rows of equal length into `out`, a band's bytes; the scales are bfloat16
/// ([`super::short`]).
pub fn pack(rows: [&[i8]; BAND_ROWS], scales: &[f32; BAND_ROWS], out: &mut [u8]) {
    let split = out.len().saturating_sub(SCALES);
    let Some((groups, tail)) = out.split_at_mut_checked(split) else { return };
    for (g, group) in groups.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (quad, row) in group.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            let mut weights = row.iter().skip(g.saturating_mul(4));
            for byte in quad {
                *byte = weights.next().map_or(0, |weight| weight.cast_unsigned());
            }
        }
    }
    super::put_short_scales(scales, tail);
}
