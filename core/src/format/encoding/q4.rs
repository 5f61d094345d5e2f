//! A band of 4-bit weights: `w = scale · s · (n - 8)`, n in 0..=15 per weight, an integer
//! sub-scale s in ±1..=±8 per block of 32 columns, one f32 scale per row.
//!
//! `s · (n - 8)` stays within ±64, so a row is one exact integer dot product and one multiply
//! (QServe's progressive group quantization, arXiv 2405.04532 §4.1, with 4-bit sub-scales).
//! 32 bytes hold 8 rows × 8 columns, the first four columns in the low nibbles, the next four in the
//! high ones; a block is 4 such groups:
//!
//! ```text
//! group 0: r0 k0|k4 k1|k5 k2|k6 k3|k7 | r1 … | … | r7 …      (low nibble|high nibble)
//! group 1: r0 k8|k12 …
//! …                                                            4·K bytes
//! sub-scales, per block: r0|r1 r2|r3 r4|r5 r6|r7               K/8 bytes
//! scales: r0 r1 … r7                                           8 × f32
//! ```
//!
//! A sub-scale's nibble: bits 0–2 are |s| - 1, bit 3 is the sign.

use super::{BAND_ROWS, BLOCK, size};

/// Bytes of one group: 8 rows × 8 columns.
const GROUP: usize = 32;

/// The nibble that stands for weight 0.
pub const ZERO_POINT: u8 = 8;

/// Bytes of a band with `cols` (padded) columns: per block 128 of nibbles and 4 of sub-scales.
pub fn band_len(cols: u64) -> Option<u64> {
    size::sum(&[size::product(&[cols.div_ceil(32), 132])?, 32])
}

/// One band.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Groups of 8 columns, 4 per block.
    pub groups: &'a [[u8; GROUP]],
    /// Per block the 8 rows' sub-scales, two per byte; [`sub_scales`] unpacks them.
    pub sub_scales: &'a [[u8; 4]],
    /// Per row, what the integer sum is multiplied with.
    pub scales: [f32; BAND_ROWS],
}

impl<'a> Band<'a> {
    pub(super) fn new(cols: usize, bytes: &'a [u8]) -> Self {
        let (groups, rest) = bytes.split_at_checked(cols.saturating_mul(4)).unwrap_or_default();
        let (subs, scales) = rest.split_at_checked(cols.div_ceil(8)).unwrap_or_default();
        Self {
            groups: groups.as_chunks().0,
            sub_scales: subs.as_chunks().0,
            scales: super::scales(scales),
        }
    }

    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let scale = self.scales.get(row).copied().unwrap_or(0.0);
        let blocks = self.groups.chunks(4).zip(self.sub_scales);
        for (values, (groups, subs)) in out.chunks_mut(BLOCK).zip(blocks) {
            let sub = sub_scales(subs).get(row).copied().unwrap_or(0);
            for (values, group) in values.chunks_mut(8).zip(groups) {
                let quad = group.as_chunks::<4>().0.get(row).copied().unwrap_or_default();
                let nibbles = quad.iter().map(|q| q & 0xF).chain(quad.iter().map(|q| q >> 4));
                for (value, nibble) in values.iter_mut().zip(nibbles) {
                    *value = f32::from(i16::from(sub).wrapping_mul(centred(nibble))) * scale;
                }
            }
        }
    }
}

/// The weight that a nibble stands for, before scaling: -8..=7.
pub fn centred(nibble: u8) -> i16 {
    i16::from(nibble).wrapping_sub(ZERO_POINT.into())
}

/// A block's sub-scales, one per row, each ±1..=±8.
pub fn sub_scales(packed: &[u8; 4]) -> [i8; BAND_ROWS] {
    let unpack = |nibble: u8| {
        let magnitude = (nibble & 7).wrapping_add(1).cast_signed();
        if nibble & 8 == 0 { magnitude } else { magnitude.wrapping_neg() }
    };
    let [a, b, c, d] = packed.map(|pair| [unpack(pair & 0xF), unpack(pair >> 4)]);
    let ([a0, a1], [b0, b1], [c0, c1], [d0, d1]) = (a, b, c, d);
    [a0, a1, b0, b1, c0, c1, d0, d1]
}

fn pack_sub_scale(s: i8) -> u8 {
    let magnitude = s.unsigned_abs().clamp(1, 8).wrapping_sub(1);
    if s < 0 { magnitude | 8 } else { magnitude }
}

/// One quantized row: `nibbles` per (padded) column, `sub_scales` per block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// 0..=15 each.
    pub nibbles: &'a [u8],
    /// ±1..=±8 each.
    pub sub_scales: &'a [i8],
    /// Finite, not negative.
    pub scale: f32,
}

/// Packs 8 rows of equal (padded) length into `out`, a band's bytes.
pub fn pack(rows: &[Row<'_>; BAND_ROWS], out: &mut [u8]) {
    let cols = rows.first().map_or(0, |row| row.nibbles.len());
    let Some((groups, rest)) = out.split_at_mut_checked(cols.saturating_mul(4)) else { return };
    let Some((subs, scales)) = rest.split_at_mut_checked(cols.div_ceil(8)) else { return };
    for (g, group) in groups.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        for (quad, row) in group.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            let columns = row.nibbles.get(g.saturating_mul(8)..).unwrap_or_default();
            let (low, high) = columns.split_at_checked(4).unwrap_or_default();
            for ((byte, low), high) in quad.iter_mut().zip(low).zip(high) {
                *byte = (low & 0xF) | (high << 4);
            }
        }
    }
    for (b, packed) in subs.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        for (byte, pair) in packed.iter_mut().zip(rows.as_chunks::<2>().0) {
            let [low, high] =
                pair.map(|row| pack_sub_scale(row.sub_scales.get(b).copied().unwrap_or(1)));
            *byte = low | (high << 4);
        }
    }
    super::put_scales(&rows.map(|row| row.scale), scales);
}
