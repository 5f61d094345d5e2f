//! Numbers of bytes as people write them: `200M`, `1.5G`, `64KiB`, `1048576`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Suffixes are binary: K or KiB for 2¹⁰, M or MiB for 2²⁰, G or GiB for 2³⁰, in either
/// case; no suffix or B for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Why text is no number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It does not start with a number.
    #[error("expected a number of bytes, as 200M, 1.5G or 65536")]
    NotANumber,
    /// What follows the number is no suffix.
    #[error("unknown suffix: expected K, M or G (KiB, MiB, GiB), or none for bytes")]
    Suffix,
    /// Part of a byte.
    #[error("a part of a byte: add a suffix K, M or G")]
    Fraction,
    /// More bytes than can be counted.
    #[error("too large: at most 16777216G")]
    TooLarge,
}

/// The most bytes that a [`Size`] is read as; a double counts them exactly enough.
const MOST: f64 = (1u64 << 54) as f64;

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| SizeError::NotANumber)?;
        let unit: u64 = match suffix.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return Err(SizeError::Suffix),
        };
        if unit == 1 && number.fract() != 0.0 {
            return Err(SizeError::Fraction);
        }
        let bytes = number * unit as f64;
        if bytes > MOST {
            return Err(SizeError::TooLarge);
        }
        Ok(Self(bytes as u64))
    }
}

/// In MiB, or in KiB where that is less than 10 of them; rounded up, so that as much is enough.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < 10 << 20 => write!(f, "{} KiB", bytes.div_ceil(1 << 10)),
            bytes => write!(f, "{} MiB", bytes.div_ceil(1 << 20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_suffixes() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("512b", 512),
            ("64K", 64 << 10),
            ("64kib", 64 << 10),
            ("200M", 200 << 20),
            ("200 MiB", 200 << 20),
            ("1.5G", 3 << 29),
            ("0.5k", 512),
            ("2GiB", 2 << 30),
            ("16777216G", 1 << 54),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for (text, error) in [
            ("", SizeError::NotANumber),
            ("M", SizeError::NotANumber),
            ("-1M", SizeError::NotANumber),
            ("1.2.3M", SizeError::NotANumber),
            ("nan", SizeError::NotANumber),
            ("12T", SizeError::Suffix),
            ("12MB", SizeError::Suffix),
            ("12 M x", SizeError::Suffix),
            ("1.5", SizeError::Fraction),
            ("99999999999G", SizeError::TooLarge),
        ] {
            assert_eq!(text.parse::<Size>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_so_that_as_much_is_enough() {
        assert_eq!(Size(1).to_string(), "1 KiB");
        assert_eq!(Size((10 << 20) + 1).to_string(), "11 MiB");
    }
}
