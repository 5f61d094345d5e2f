//! What a token's activations are worth to zeros, laid out once for all the bands that they are multiplied with.
//!
//! ```text
//! words of a token of B blocks, at most 18 · B:
//!   2 per four blocks   Σx = 128·h + l of each: four bytes l, then four bytes h; 0 behind the last block
//!   8 per block         -8 · Σx: what the sums of nibbles begin with
//! ```

use crate::format::BLOCK;
use crate::kernel::{Ints, Widened};

/// Blocks whose digits share an SDOT.
pub(super) const FOUR: usize = 4;

/// Words of four blocks' digits, and of what a block's sums begin with.
const DIGITS: usize = 2;
const START: usize = 8;

/// See [`crate::kernel::widen`].
pub(in crate::kernel) fn widen(block_sums: &[i16], out: &mut [Widened]) {
    let words = out.as_flattened_mut();
    let at = DIGITS * block_sums.len().div_ceil(FOUR);
    let Some((digits, starts)) = words.split_at_mut_checked(at) else { return };
    for (sums, digits) in block_sums.chunks(FOUR).zip(digits.as_chunks_mut().0) {
        let mut bytes = [[0; FOUR]; DIGITS];
        let [low, high] = &mut bytes;
        for ((sum, low), high) in sums.iter().zip(low).zip(high) {
            *low = (*sum & 127) as u8;
            *high = (*sum >> 7) as u8;
        }
        *digits = bytes.map(u32::from_le_bytes);
    }
    for (sum, start) in block_sums.iter().zip(starts.as_chunks_mut::<START>().0) {
        *start = [(-8 * i32::from(*sum)).cast_unsigned(); START];
    }
}

/// A token's row of what [`widen`] makes.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    /// 8 bytes per four blocks.
    pub(super) digits: *const u8,
    /// 32 bytes per block.
    pub(super) starts: *const u8,
}

impl Widths {
    /// Bytes from a token's to the next one's.
    pub(super) const fn stride(blocks: usize) -> usize {
        blocks * size_of::<Widened>()
    }

    /// The first token's of `x`, if all of `tokens` have been widened.
    pub(super) fn of(x: &Ints<'_>, tokens: usize) -> Option<Self> {
        let blocks = x.cols / BLOCK;
        let digits: *const u8 = x.widened.as_ptr().cast();
        let starts = digits.wrapping_add(size_of::<[u32; DIGITS]>() * blocks.div_ceil(FOUR));
        (x.widened.len() >= tokens * blocks).then_some(Self { digits, starts })
    }
}
