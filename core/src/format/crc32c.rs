//! CRC-32C (Castagnoli), the checksum of the header, the directory and each section.
//!
//! Polynomial 0x1EDC6F41 reflected, initial value and final xor all ones (RFC 3720 §12.1). It
//! finds every error of up to 32 bits in a row, so every edit of one byte.

/// Per byte value, its effect on the state: 1 KiB of constants.
static TABLE: [u32; 256] = table();

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            state = (state >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(state & 1));
            bit += 1;
        }
        table[byte] = state;
        byte += 1;
    }
    table
}

/// A checksum in the making: feed it bytes in pieces of any length.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c(u32);

impl Default for Crc32c {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc32c {
    /// The checksum's state after `bytes` more.
    #[must_use]
    pub fn update(self, bytes: &[u8]) -> Self {
        let step = |state: u32, &byte: &u8| {
            let [low, ..] = state.to_le_bytes();
            (state >> 8) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0)
        };
        Self(bytes.iter().fold(self.0, step))
    }

    /// The checksum of all bytes fed.
    pub fn finish(self) -> u32 {
        !self.0
    }
}

/// The checksum of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    Crc32c::default().update(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 §B.4.
    #[test]
    fn rfc_3720_vectors() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(&core::array::from_fn::<u8, 32, _>(|i| i.to_le_bytes()[0])), 0x46DD_794E);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }
}
