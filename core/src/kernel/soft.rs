//! The float edge of dot products in integers, for processors on which floats are calls: the same bits as
//! [`super::rescale`], at half of the instructions.
//!
//! ```text
//! R · scale:  8 bits (a bfloat16) times 24: all of it fits 32
//!   its upper 24 bits, rounded → p
//! |sum| < 2²⁴ is exact as a float; shifted up to bit 23 → a
//! a · p:  a = a₁·2⁸ + a₀, p the same: 16 and 8 bits
//!   a₁·p₁ + (a₁·p₀ + a₀·p₁ + a₀·p₀/2⁸)/2⁸   32 bits; what is below, if it is not 0, is a bit that decides ties
//!   its upper 24 bits, rounded
//! ```
//!
//! For scales that are positive and neither so small nor so large that a result might not be a normal
//! number; floats do the others, larger sums, and rows' scales that are no bfloat16.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::Sums;
use crate::format::BAND_ROWS;

/// See [`super::rescale`].
#[inline(never)]
pub(super) fn rescale(sums: &Sums<i32>, rows: &Sums<f32>, scale: f32) -> Sums<f32> {
    let factor = Factor::new(scale);
    let mut out = [0.0; BAND_ROWS];
    for ((out, &sum), &row) in out.iter_mut().zip(sums).zip(rows) {
        *out = factor.product(sum, row).unwrap_or_else(|| by_floats(sum, row, scale));
    }
    out
}

#[cold]
#[inline(never)]
fn by_floats(sum: i32, row: f32, scale: f32) -> f32 {
    sum as f32 * (row * scale)
}

/// A token's scale.
struct Factor {
    /// Bit 23 and what is below.
    fraction: u32,
    /// What a row's exponent lacks to that of the product with 2²⁴, less 1 for the fraction's bit 23.
    exponent: u32,
    /// The exponents of rows that are neither too small nor too large: the least, and how many are above.
    least: u32,
    more: u32,
}

impl Factor {
    fn new(scale: f32) -> Self {
        let exponent = scale.to_bits() >> 23;
        // The product of the scales is to be at least 2⁻¹²⁶, and below 2¹²⁸ times 2²⁴ and two roundings.
        let least = 128_u32.saturating_sub(exponent).max(1);
        let most = 355_u32.saturating_sub(exponent).min(254);
        let (least, more) = match exponent {
            1..=254 => (least, most.saturating_sub(least)),
            _ => (u32::MAX, 0),
        };
        let fraction = (scale.to_bits() & 0x7F_FFFF) | 0x80_0000;
        Self { fraction, exponent: exponent.wrapping_sub(103), least, more }
    }

    /// `sum` times the product of the scales, if it is one of the easy ones.
    #[inline(always)]
    fn product(&self, sum: i32, row: f32) -> Option<f32> {
        let row = row.to_bits();
        let mut exponent = row >> 23;
        let mut a = sum.unsigned_abs();
        if exponent.wrapping_sub(self.least) > self.more || row << 16 != 0 || a >> 24 != 0 {
            return None;
        }
        if a == 0 {
            return Some(0.0);
        }
        exponent = exponent.wrapping_add(self.exponent);
        let mut p = ((row >> 16 & 0x7F) | 0x80).wrapping_mul(self.fraction);
        (p, exponent) = upward(p, exponent);
        p = nearest(p);
        if p >> 24 != 0 {
            p >>= 1;
            exponent = exponent.wrapping_add(1);
        }
        for shift in [16, 8, 4, 2, 1] {
            if a >> (24 - shift) == 0 {
                a <<= shift;
                exponent = exponent.wrapping_sub(shift);
            }
        }
        let ([a1, a0], [p1, p0]) = ([a >> 8, a & 0xFF], [p >> 8, p & 0xFF]);
        let low = a0 * p0;
        let middle = a1 * p0 + a0 * p1 + (low >> 8);
        let mut product = (a1 * p1).wrapping_add(middle >> 8);
        if (middle | low) << 24 != 0 {
            product |= 1;
        }
        (product, exponent) = upward(product, exponent);
        let bits = nearest(product).wrapping_add(exponent << 23);
        Some(f32::from_bits(bits | (sum.cast_unsigned() & 1 << 31)))
    }
}

/// Bit 30 or 31 is the highest: it becomes 31.
#[inline(always)]
fn upward(x: u32, exponent: u32) -> (u32, u32) {
    if x.cast_signed() < 0 { (x, exponent) } else { (x << 1, exponent.wrapping_sub(1)) }
}

/// The upper 24 bits, rounded to the nearest, to even ones between two.
#[inline(always)]
fn nearest(x: u32) -> u32 {
    let upper = x >> 8;
    upper + (((x & 0xFF) + (upper & 1) + 0x7F) >> 8)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::super::gemv;
    use super::*;

    /// xorshift.
    struct Random(u64);

    impl Random {
        fn word(&mut self) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u32
        }
    }

    fn same(sums: &Sums<i32>, rows: &Sums<f32>, scale: f32) {
        // Which NaN comes out is not in the contract.
        let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        let (found, expected) = (rescale(sums, rows, scale), gemv::by_floats(sums, rows, scale));
        assert_eq!(found.map(bits), expected.map(bits), "{sums:?} {rows:?} {scale:e}");
    }

    #[test]
    fn any_bits() {
        let mut random = Random(1);
        for _ in 0..1_000_000 {
            let sums = [(); 8].map(|()| random.word().cast_signed() >> (random.word() % 32));
            let rows = [(); 8].map(|()| f32::from_bits(random.word() & 0xFFFF_0000));
            same(&sums, &rows, f32::from_bits(random.word()));
        }
    }

    #[test]
    fn ordinary_scales() {
        let mut random = Random(2);
        for _ in 0..1_000_000 {
            let sums = [(); 8].map(|()| random.word().cast_signed() >> (7 + random.word() % 24));
            let rows = [(); 8]
                .map(|()| f32::from_bits(0x3A00_0000_u32.wrapping_add(random.word() >> 7 << 16)));
            same(&sums, &rows, f32::from_bits(0x3900_0000 + (random.word() >> 6)));
        }
    }

    /// Few bits, so that results lie between two floats, and the ends of every range.
    #[test]
    fn corners() {
        let near = |x: u32| [x.wrapping_sub(1), x, x.wrapping_add(1)];
        let powers = |shifts: core::ops::Range<u32>| shifts.flat_map(move |n| near(1 << n));
        let sums: Vec<i32> =
            powers(0..32).flat_map(|x| [x.cast_signed(), x.cast_signed().wrapping_neg()]).collect();
        let exponents =
            [0, 1, 2, 3, 90, 100, 101, 102, 103, 104, 126, 127, 128, 129, 227, 228, 253, 254, 255];
        let fractions: Vec<u32> = powers(0..23).map(|x| x & 0x7F_FFFF).chain([0x55_5555]).collect();
        for exponent in exponents {
            for fraction in &fractions {
                let scale = f32::from_bits(exponent << 23 | fraction);
                // Rows where the range begins and ends, and of every kind.
                let rows = [128, 355, 256]
                    .map(|end| [0, 1, 2].map(|more| (end + more - 1_u32).saturating_sub(exponent)));
                for row in rows.as_flattened().iter().chain(&[0, 1, 127, 254, 255]) {
                    for bits in [0, 0x7F, 0x55, 0x40, 1] {
                        let row = f32::from_bits(row.min(&511) << 23 | bits << 16);
                        for sums in sums.as_chunks::<8>().0 {
                            same(sums, &[row; 8], scale);
                            same(sums, &[row; 8], -scale);
                        }
                    }
                }
            }
        }
    }

    /// Rows' scales that are no bfloat16.
    #[test]
    fn longer_rows() {
        let mut random = Random(3);
        for _ in 0..100_000 {
            let sums = [(); 8].map(|()| random.word().cast_signed() >> 12);
            let rows = [(); 8].map(|()| f32::from_bits(0x3A00_0000 + (random.word() >> 7)));
            same(&sums, &rows, 0.01);
        }
    }
}
