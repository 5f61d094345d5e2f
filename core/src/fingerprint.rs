//! What two machines compare to see that they compute the same: tokens that each can draw by itself, and a
//! hash over every bit of their logits.

/// FNV-1a, 64 bits (RFC 9923), over the bits of floats, a 32-bit word at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Adds these logits: their bits, in order.
    pub fn add(&mut self, logits: &[f32]) {
        for value in logits {
            self.0 = (self.0 ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash of all that was added.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// Tokens below `vocab_size` without end, the same ones on every machine: SplitMix64 (Steele, Lea, Flood
/// 2014), started at 0.
pub fn tokens(vocab_size: u32) -> impl Iterator<Item = u32> {
    let mut state = 0u64;
    core::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        // The upper half of a product of two numbers below 2³² is below either.
        ((word >> 32).wrapping_mul(u64::from(vocab_size)) >> 32) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_splitmix64s() {
        // The generator's first numbers from 0, as published: e220a8397b1dcdaf, 6e789e6aa1b965f4,
        // 06c45d188009454f. The upper half x of each, times (2³² - 1) / 2³², rounded down, is x - 1.
        let mut all = tokens(u32::MAX);
        let expected = [0xe220_a839, 0x6e78_9e6a, 0x06c4_5d18].map(|upper: u32| upper - 1);
        assert!(expected.into_iter().all(|token| all.next() == Some(token)));
        assert!(tokens(7).take(1000).all(|token| token < 7));
        assert!((0..7).all(|token| tokens(7).take(100).any(|drawn| drawn == token)));
    }

    #[test]
    fn every_bit_and_the_order_count() {
        let of = |values: &[f32]| {
            let mut hash = Hash::default();
            hash.add(values);
            hash.value()
        };
        assert_ne!(of(&[0.0]), of(&[-0.0]));
        assert_ne!(of(&[1.0, 2.0]), of(&[2.0, 1.0]));
        assert_ne!(of(&[1.0]), of(&[f32::from_bits(1.0f32.to_bits() + 1)]));
        // 0x3f800000 into the offset basis, by hand.
        assert_eq!(
            of(&[1.0]),
            (0xcbf2_9ce4_8422_2325 ^ 0x3f80_0000u64).wrapping_mul(0x100_0000_01b3)
        );
    }
}
