//! A band of 4-bit weights: `w = R · s · (4·(n - 8) + z)`, n in 0..=15 per weight; an integer
//! sub-scale s in 1..=16 and an integer zero z in -8..=7 per block of 32 columns; one scale R per
//! row.
//!
//! z moves the block's zero point in quarters of a step, so blocks are affine, yet a row is one exact
//! integer dot product and one multiply (QServe's progressive group quantization, arXiv 2405.04532
//! §4.1, here with 4-bit sub-scales and a fractional zero point):
//!
//! ```text
//! Σ_k w·x = R · Σ_b s·( 4·Σ_{k in b} n·x  +  (z - 32)·Σ_{k in b} x )
//! ```
//!
//! 32 bytes hold 8 rows × 8 columns, the first four columns in the low nibbles, the next four in the
//! high ones; a block is 4 such groups. Two blocks share their parameters' bytes:
//!
//! ```text
//! group 0: r0 k0|k4 k1|k5 k2|k6 k3|k7 | r1 … | … | r7 …      (low nibble|high nibble)
//! group 1: r0 k8|k12 …
//! …                                                            4·K bytes
//! pair 0: r0 s-1, block 0|block 1 | r1 … r7 | r0 z+8, block 0|block 1 | r1 … r7
//! …                                                            16·⌈K/64⌉ bytes
//! scales: r0 r1 … r7                                           8 × bfloat16
//! ```

use super::{BAND_ROWS, BLOCK, Group, SCALES, size};

/// The parameters of two blocks: per row the sub-scales less 1, then per row the zeros plus 8; low
/// nibbles belong to the first block.
pub type Pair = [u8; 16];

/// The largest sub-scale; the smallest is 1.
pub const MOST_SUB_SCALE: u8 = 16;

/// The range of a zero, in quarters of a step.
pub const ZEROS: core::ops::RangeInclusive<i8> = -8..=7;

/// The most columns of a row: beyond, its integer sum might not fit 32 bits (s·(4·n + z - 32) is
/// within ±640, activations within ±127).
pub const MOST_COLS: u64 = 26_400;

/// Bytes of a band with `cols` (padded) columns: per block 128 of nibbles, per two blocks 16 of
/// parameters.
pub fn band_len(cols: u64) -> Option<u64> {
    let nibbles = size::product(&[cols, 4])?;
    let pairs = size::product(&[cols.div_ceil(64), 16])?;
    if cols > MOST_COLS { None } else { size::sum(&[nibbles, pairs, 16]) }
}

/// One band.
#[derive(Clone, Copy, Debug)]
pub struct Band<'a> {
    /// Groups of 8 columns, 4 per block.
    pub groups: &'a [Group],
    /// Per two blocks their parameters; [`Block::of`] unpacks them.
    pub pairs: &'a [Pair],
    /// Per row, what the integer sum is multiplied with.
    pub scales: [f32; BAND_ROWS],
}

impl<'a> Band<'a> {
    pub(crate) fn new(cols: usize, bytes: &'a [u8]) -> Self {
        let (groups, rest) = bytes.split_at_checked(cols.saturating_mul(4)).unwrap_or_default();
        let (pairs, scales) =
            rest.split_at_checked(rest.len().saturating_sub(SCALES)).unwrap_or_default();
        Self {
            groups: groups.as_chunks().0,
            pairs: pairs.as_chunks().0,
            scales: super::short_scales(scales),
        }
    }

    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let scale = self.scales.get(row).copied().unwrap_or(0.0);
        let mut rest = out;
        for (index, groups) in self.groups.as_chunks::<4>().0.iter().enumerate() {
            let Some(pair) = self.pairs.get(index / 2) else { return };
            let (s, z) = Block::of(pair, index % 2).row(row);
            let len = rest.len().min(BLOCK);
            let (values, behind) = rest.split_at_mut_checked(len).unwrap_or_default();
            rest = behind;
            for (col, value) in values.iter_mut().enumerate() {
                let quad = groups.get(col / 8).and_then(|group| group.as_chunks::<4>().0.get(row));
                let byte = quad.and_then(|quad| quad.get(col % 4)).copied().unwrap_or_default();
                let nibble = if col % 8 < 4 { byte & 0xF } else { byte >> 4 };
                *value = f32::from(weight(nibble, s, z)) * scale;
            }
        }
    }
}

/// The integer weight `s · (4·(n - 8) + z)`, within ±640 for numbers in their ranges.
pub fn weight(nibble: u8, sub_scale: u8, zero: i8) -> i16 {
    let steps = i16::from(nibble & 0xF).wrapping_sub(8).wrapping_mul(4);
    steps.wrapping_add(zero.into()).wrapping_mul(sub_scale.into())
}

/// The parameters of one block, per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// 1..=16 each.
    pub sub_scales: [u8; BAND_ROWS],
    /// -8..=7 each.
    pub zeros: [i8; BAND_ROWS],
}

impl Block {
    /// The first (`which` 0) or second block of a pair.
    pub fn of(pair: &Pair, which: usize) -> Self {
        let nibble = |byte: u8| if which == 0 { byte & 0xF } else { byte >> 4 };
        let (mut sub_scales, mut zeros) = ([1; BAND_ROWS], [0; BAND_ROWS]);
        let (subs, offsets) = pair.split_at_checked(BAND_ROWS).unwrap_or_default();
        for (s, byte) in sub_scales.iter_mut().zip(subs) {
            *s = nibble(*byte).wrapping_add(1);
        }
        for (z, byte) in zeros.iter_mut().zip(offsets) {
            *z = nibble(*byte).cast_signed().wrapping_sub(8);
        }
        Self { sub_scales, zeros }
    }

    fn row(&self, row: usize) -> (u8, i8) {
        let zero = self.zeros.get(row).copied().unwrap_or(0);
        (self.sub_scales.get(row).copied().unwrap_or(1), zero)
    }
}

/// One quantized row: `nibbles` per (padded) column, the others per block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// 0..=15 each.
    pub nibbles: &'a [u8],
    /// 1..=16 each.
    pub sub_scales: &'a [u8],
    /// -8..=7 each.
    pub zeros: &'a [i8],
    /// Finite, not negative, a bfloat16 ([`super::short`]).
    pub scale: f32,
}

/// Packs 8 rows of equal (padded) length into `out`, a band's bytes.
pub fn pack(rows: &[Row<'_>; BAND_ROWS], out: &mut [u8]) {
    let cols = rows.first().map_or(0, |row| row.nibbles.len());
    let Some((groups, rest)) = out.split_at_mut_checked(cols.saturating_mul(4)) else { return };
    let split = rest.len().saturating_sub(SCALES);
    let Some((pairs, scales)) = rest.split_at_mut_checked(split) else { return };
    for (g, group) in groups.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (quad, row) in group.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            let columns = row.nibbles.get(g.saturating_mul(8)..).unwrap_or_default();
            let (low, high) = columns.split_at_checked(4).unwrap_or_default();
            for ((byte, low), high) in quad.iter_mut().zip(low).zip(high) {
                *byte = (low & 0xF) | (high << 4);
            }
        }
    }
    let sub_scale = |row: &Row<'_>, b: usize| {
        row.sub_scales.get(b).map_or(0, |s| (*s).clamp(1, MOST_SUB_SCALE).wrapping_sub(1))
    };
    let zero = |row: &Row<'_>, b: usize| {
        let zero = row.zeros.get(b).map_or(0, |z| *z);
        zero.clamp(*ZEROS.start(), *ZEROS.end()).wrapping_add(8).cast_unsigned()
    };
    for (p, pair) in pairs.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (first, second) = (p.saturating_mul(2), p.saturating_mul(2).saturating_add(1));
        let Some((subs, zeros)) = pair.split_at_mut_checked(BAND_ROWS) else { continue };
        for ((sub, offset), row) in subs.iter_mut().zip(zeros).zip(rows) {
            *sub = sub_scale(row, first) | (sub_scale(row, second) << 4);
            *offset = zero(row, first) | (zero(row, second) << 4);
        }
    }
    super::put_short_scales(&rows.map(|row| row.scale), scales);
}
