//! How a tensor's numbers lie in the file.
//!
//! A matrix [rows, cols] is cut into **bands** of [`BAND_ROWS`] rows; the last one is filled up
//! with zero rows, and every row with zero columns up to a multiple of [`BLOCK`] (q8: of 4). A band is
//! contiguous, holds all that its rows need (weights and scales), and lies in the file as kernels
//! read it. The layouts of the bands are isolated in [`mod@f32`], [`q8`] and [`q4`]: one file each,
//! packing and reading side by side.

pub mod f32;
pub mod q4;
pub mod q8;

pub use f32::Float;

use super::size;

/// Rows stored together.
pub const BAND_ROWS: usize = 8;

/// 32 bytes of a quantized band: 8 rows × 4 int8, or × 8 nibbles. What one vector load takes.
pub type Group = [u8; 32];

/// Bytes of a band's bfloat16 scales.
const SCALES: usize = 16;

/// Columns that share a sub-scale, and the multiple that activations are padded to.
pub const BLOCK: usize = 32;

/// How a tensor's numbers are stored. The numbers are those in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A vector of little-endian f32, without bands.
    Vector,
    /// A vector of little-endian u32: angles per position in turns / 2³².
    Turns,
    /// A matrix of f32 in bands: for conformance, not for use.
    F32,
    /// A matrix of int8 weights in bands, one bfloat16 scale per row.
    Q8,
    /// A matrix of 4-bit weights in bands: an integer sub-scale and zero per block, one bfloat16
    /// scale per row.
    Q4,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 5] = [Self::Vector, Self::Turns, Self::F32, Self::Q8, Self::Q4];

    /// The number in the file.
    pub fn id(self) -> u8 {
        match self {
            Self::Vector => 1,
            Self::Turns => 2,
            Self::F32 => 16,
            Self::Q8 => 17,
            Self::Q4 => 18,
        }
    }

    /// The encoding of that number.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.id() == id)
    }

    /// The name that options and tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Turns => "turns",
            Self::F32 => "f32",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// Whether this encodes a matrix in bands.
    pub fn is_matrix(self) -> bool {
        matches!(self, Self::F32 | Self::Q8 | Self::Q4)
    }

    /// Bytes of one band of a matrix with `cols` columns; `None` for vectors, and for more columns
    /// than the encoding's integer sums have room for.
    pub fn band_len(self, cols: u32) -> Option<u64> {
        match self {
            Self::Vector | Self::Turns => None,
            Self::F32 => f32::band_len(padded_cols(cols)?),
            Self::Q8 => q8::band_len(cols.into()),
            Self::Q4 => q4::band_len(padded_cols(cols)?),
        }
    }

    /// Bytes of a tensor [rows, cols]; a vector is [1, n].
    pub fn tensor_len(self, rows: u32, cols: u32) -> Option<u64> {
        match self {
            Self::Vector | Self::Turns => size::product(&[rows.into(), cols.into(), 4]),
            Self::F32 | Self::Q8 | Self::Q4 => size::product(&[bands(rows), self.band_len(cols)?]),
        }
    }
}

/// Bands of a matrix with `rows` rows.
pub fn bands(rows: u32) -> u64 {
    u64::from(rows.div_ceil(8))
}

/// The columns that activations of a row have: a multiple of [`BLOCK`].
pub fn padded_cols(cols: u32) -> Option<u64> {
    size::round_up(cols.into(), 32)
}

/// Some bands of a matrix, one behind another.
#[derive(Clone, Copy, Debug)]
pub struct Bands<'a> {
    /// Their bytes.
    pub bytes: &'a [u8],
    /// Bytes of a band.
    pub len: usize,
}

impl<'a> Bands<'a> {
    /// All but the first `count`.
    pub fn skip(self, count: usize) -> Self {
        let bytes = self.bytes.get(count.saturating_mul(self.len)..).unwrap_or_default();
        Self { bytes, ..self }
    }

    /// Band by band.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (band, behind) = rest.split_at_checked(self.len)?;
            rest = behind;
            Some(band)
        })
    }
}

/// One band of a matrix, as a kernel takes it.
#[derive(Clone, Copy, Debug)]
pub enum Band<'a> {
    /// See [`mod@f32`].
    F32(f32::Band<'a>),
    /// See [`q8`].
    Q8(q8::Band<'a>),
    /// See [`q4`].
    Q4(q4::Band<'a>),
}

impl<'a> Band<'a> {
    /// The band whose bytes these are. `cols` is the padded number of columns. Total: bytes of
    /// another length give an empty band.
    pub fn new(encoding: Encoding, cols: usize, bytes: &'a [u8]) -> Self {
        match encoding {
            Encoding::Q8 => Self::Q8(q8::Band::new(bytes)),
            Encoding::Q4 => Self::Q4(q4::Band::new(cols, bytes)),
            Encoding::F32 | Encoding::Vector | Encoding::Turns => {
                // A build without them has parsed no such matrix.
                f32::Band::new(bytes).map_or_else(|| Self::Q8(q8::Band::new(&[])), Self::F32)
            }
        }
    }

    /// Writes the first `out.len()` values of row `row` (0..[`BAND_ROWS`]).
    pub fn row(&self, row: usize, out: &mut [core::primitive::f32]) {
        match self {
            Self::F32(band) => band.row(row, out),
            Self::Q8(band) => band.row(row, out),
            Self::Q4(band) => band.row(row, out),
        }
    }

    /// The first row with a number that the encoding has no meaning for: a scale (in f32, a weight)
    /// that is not finite, a negative scale, an int8 weight of -128.
    pub fn bad_row(&self) -> Option<usize> {
        match self {
            Self::F32(band) => band.bad_row(),
            Self::Q8(band) => band.bad_row(),
            Self::Q4(band) => bad_scale(&band.scales),
        }
    }
}

fn bad_scale(scales: &[core::primitive::f32; BAND_ROWS]) -> Option<usize> {
    scales.iter().position(|scale| !scale.is_finite() || scale.is_sign_negative())
}

/// The [`BAND_ROWS`] little-endian floats at the start of `bytes`; missing ones read as 0.
fn scales(bytes: &[u8]) -> [core::primitive::f32; BAND_ROWS] {
    let mut scales = [0.0; BAND_ROWS];
    for (scale, raw) in scales.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *scale = core::primitive::f32::from_le_bytes(*raw);
    }
    scales
}

/// Writes scales at the start of `out`.
fn put_scales(scales: &[core::primitive::f32; BAND_ROWS], out: &mut [u8]) {
    for (scale, raw) in scales.iter().zip(out.as_chunks_mut::<4>().0) {
        *raw = scale.to_le_bytes();
    }
}

/// `scale` as a bfloat16, the upper half of an f32, rounded to the nearest, ties to even: what a row's scale
/// must be before its weights are chosen. Not finite stays so.
pub fn short(scale: core::primitive::f32) -> core::primitive::f32 {
    if !scale.is_finite() {
        return scale;
    }
    let bits = scale.to_bits();
    let round = 0x7FFF_u32.wrapping_add((bits >> 16) & 1);
    core::primitive::f32::from_bits(bits.wrapping_add(round) & 0xFFFF_0000)
}

/// The [`BAND_ROWS`] little-endian bfloat16 at the start of `bytes`; zeros if there are fewer.
fn short_scales(bytes: &[u8]) -> [core::primitive::f32; BAND_ROWS] {
    let raw = bytes.first_chunk::<SCALES>().unwrap_or(&[0; SCALES]);
    let mut scales = [0.0; BAND_ROWS];
    for (scale, raw) in scales.iter_mut().zip(raw.as_chunks::<2>().0) {
        *scale = core::primitive::f32::from_bits(u32::from(u16::from_le_bytes(*raw)) << 16);
    }
    scales
}

/// Writes the upper halves of scales at the start of `out`.
fn put_short_scales(scales: &[core::primitive::f32; BAND_ROWS], out: &mut [u8]) {
    for (scale, raw) in scales.iter().zip(out.as_chunks_mut::<2>().0) {
        let [_, _, low, high] = scale.to_le_bytes();
        *raw = [low, high];
    }
}
