//! Reproducible numbers, and a hash of results.

/// A generator of 32-bit numbers (xorshift, G. Marsaglia 2003).
pub struct Random(u32);

impl Random {
    /// The generator of case `seed`.
    pub fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// The next number.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() >> 8) as usize % end
    }

    /// An int8 in -127..=127.
    pub fn int8(&mut self) -> i8 {
        ((self.word() >> 24) as u8 as i8).max(-127)
    }
}

/// FNV-1a over 32-bit numbers.
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    /// Adds a number.
    pub fn add(&mut self, number: u32) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    /// The hash so far.
    pub fn value(&self) -> u64 {
        self.0
    }
}
