//! CRC-32C (Castagnoli), the checksum of the header, the directory and each section.
//!
//! Polynomial 0x1EDC6F41 reflected, initial value and final xor all ones (RFC 3720 §12.1). It
//! finds every error of up to 32 bits in a row, so every edit of one byte.

/// Bytes per step: each has a table of 1 KiB. Several at a time (slicing-by-8, Kounavis and Berry,
/// "A Systematic Approach to Building High Performance Software-Based CRC Generators", 2005) are six
/// times as fast as one.
const STEP: usize = 8;

/// Whether it goes half a byte at a time, with a table of 64 bytes: microcontrollers would rather have the
/// memory.
const SMALL: bool = cfg!(not(target_pointer_width = "64"));

/// Per byte value, its effect on the state: of the last byte of a step, of the one before it, …
static TABLES: [[u32; 256]; STEP] = tables();

/// The same of half a byte.
static HALVES: [u32; 16] = effects(4);

/// The effect of each value of so many bits.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]
const fn effects<const VALUES: usize>(bits: u32) -> [u32; VALUES] {
    let mut effects = [0; VALUES];
    let mut value = 0;
    while value < VALUES {
        let mut state = value as u32;
        let mut bit = 0;
        while bit < bits {
            state = (state >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(state & 1));
            bit += 1;
        }
        effects[value] = state;
        value += 1;
    }
    effects
}

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]
const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    tables[0] = effects(8);
    let mut step = 1;
    while step < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[step - 1][byte];
            tables[step][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        step += 1;
    }
    tables
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
        if SMALL {
            return Self(advance_by_halves(self.0, bytes));
        }
        let (steps, rest) = bytes.as_chunks::<STEP>();
        let state = steps.iter().fold(self.0, |state, bytes| advance(state, bytes));
        Self(rest.iter().fold(state, |state, byte| advance(state, core::slice::from_ref(byte))))
    }

    /// The checksum of all bytes fed.
    pub fn finish(self) -> u32 {
        !self.0
    }
}

/// The state after up to [`STEP`] bytes more; the state's own bytes go into the first four.
fn advance(state: u32, bytes: &[u8]) -> u32 {
    let mut effect =
        state.checked_shr(u32::try_from(bytes.len()).unwrap_or(4).wrapping_mul(8)).unwrap_or(0);
    let mixed = state.to_le_bytes().into_iter().chain([0; 4]);
    let tables = TABLES.get(..bytes.len()).unwrap_or(&TABLES).iter().rev();
    for ((byte, state), table) in bytes.iter().zip(mixed).zip(tables) {
        effect ^= table.get(usize::from(byte ^ state)).copied().unwrap_or(0);
    }
    effect
}

/// The state after any bytes more.
fn advance_by_halves(state: u32, bytes: &[u8]) -> u32 {
    let half = |state: u32| {
        let [low, ..] = state.to_le_bytes();
        (state >> 4) ^ HALVES.get(usize::from(low & 0xF)).copied().unwrap_or(0)
    };
    bytes.iter().fold(state, |state, &byte| half(half(state ^ u32::from(byte))))
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

    #[test]
    fn any_pieces_give_the_same() {
        let bytes: [u8; 67] = core::array::from_fn(|i| i.to_le_bytes()[0].wrapping_mul(31));
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(Crc32c::default().update(head).update(tail).finish(), crc32c(&bytes));
            assert_eq!(advance_by_halves(!0, head), Crc32c::default().update(head).0);
        }
    }
}
