//! Floats to bands: the host's half of [`acorn_core::format::encoding`], one file per encoding.
//!
//! Row by row, without calibration: each row is quantized alone, so bands can be done in any order
//! by any number of threads and give the same bytes.

pub mod balance;
pub mod budget;
pub mod calibrate;
mod channels;
mod gptq;
mod gptq8;
mod key_center;
mod layer;
mod linalg;
mod objective;
mod parallel;
mod q4;
mod q8;
pub mod quality;
pub mod sequence;

use acorn_core::format::encoding::{self, BAND_ROWS, Encoding};

/// How matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Quant {
    /// As they are, in single precision: for conformance, not for use.
    F32,
    /// int8 with one scale per row: as good as the original.
    Q8,
    /// 4 bits with a sub-scale per 32 weights: half the size, a little worse.
    Q4,
}

impl Quant {
    /// The encoding of matrices.
    pub fn encoding(self) -> Encoding {
        match self {
            Self::F32 => Encoding::F32,
            Self::Q8 => Encoding::Q8,
            Self::Q4 => Encoding::Q4,
        }
    }

    /// The name that options, files and tables use.
    pub fn name(self) -> &'static str {
        self.encoding().name()
    }
}

/// How far stored numbers are from the original ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// ‖w - ŵ‖².
    pub error: f64,
    /// ‖w‖².
    pub norm: f64,
}

impl Distance {
    /// The distance of a row from what was stored of it.
    fn between(row: &[f32], stored: impl Iterator<Item = f32>) -> Self {
        let mut distance = Self::default();
        for (w, stored) in row.iter().zip(stored) {
            distance.error += (f64::from(*w) - f64::from(stored)).powi(2);
            distance.norm += f64::from(*w).powi(2);
        }
        distance
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { error: self.error + other.error, norm: self.norm + other.norm }
    }

    /// ‖w - ŵ‖ / ‖w‖; 0 for zeros.
    pub fn relative(self) -> f64 {
        if self.norm == 0.0 { 0.0 } else { (self.error / self.norm).sqrt() }
    }
}

/// Quantizes 8 rows of finite floats, each padded with zeros to `cols`, into `out`, a band's bytes.
/// `rows` holds them one after the other [8 · cols]. Returns each row's distance.
pub fn band(quant: Quant, rows: &[f32], cols: usize, out: &mut [u8]) -> [Distance; BAND_ROWS] {
    let rows: [&[f32]; BAND_ROWS] =
        std::array::from_fn(|r| rows.get(r * cols..(r + 1) * cols).unwrap_or_default());
    match quant {
        Quant::F32 => {
            encoding::f32::pack(rows, out);
            rows.map(|row| Distance::between(row, row.iter().copied()))
        }
        Quant::Q8 => {
            let quantized = rows.map(q8::Row::new);
            let weights = quantized.each_ref().map(|row| row.weights.as_slice());
            encoding::q8::pack(weights, &quantized.each_ref().map(|row| row.scale), out);
            std::array::from_fn(|r| Distance::between(rows[r], quantized[r].floats()))
        }
        Quant::Q4 => {
            let quantized = rows.map(q4::Row::new);
            encoding::q4::pack(&quantized.each_ref().map(q4::Row::as_packed), out);
            std::array::from_fn(|r| Distance::between(rows[r], quantized[r].floats()))
        }
    }
}

/// The largest magnitude in a row.
fn absolute_max(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |max, w| max.max(w.abs()))
}

/// `scale`, or what is usable instead: subnormal ones, which some machines flush to zero, become
/// zero everywhere; and `reach`, the largest integer it is multiplied with, stays finite.
fn usable(scale: f32, reach: f32) -> f32 {
    if scale < f32::MIN_POSITIVE {
        0.0
    } else if scale * reach <= f32::MAX {
        scale
    } else {
        // Truncated, so that it stays a bfloat16.
        f32::from_bits((f32::MAX / reach).to_bits() & 0xFFFF_0000)
    }
}
