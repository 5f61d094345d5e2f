//! The loop of this folder for any processor.

use super::{NIBBLES, Words, widen_block};
use crate::format::BLOCK;
use crate::format::encoding::q4::{self, Pair};
use crate::kernel::{Ints, Sums, Widened, rows};

/// See [`crate::kernel::DotQ4`]. Activations that were not widened are, block by block.
#[cfg_attr(acorn_mcu, inline(never))]
pub(super) fn q4(blocks: &[[Words; 4]], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let cols = x.cols.max(BLOCK);
    let tokens = rows(x.values, cols).zip(rows(x.block_sums, cols / BLOCK));
    // Elsewhere nobody fills them.
    let mut widened = if cfg!(acorn_mcu) { x.widened } else { &[] };
    for ((x, block_sums), sums) in tokens.zip(sums) {
        *sums = [0; 8];
        let blocks = blocks.iter().zip(x.as_chunks::<BLOCK>().0);
        for (index, ((groups, x), &block_sum)) in blocks.zip(block_sums).enumerate() {
            let Some(pair) = pairs.get(index / 2) else { continue };
            let local;
            let x = match widened.get(index) {
                Some(x) => x,
                None => {
                    local = widen_block(x, block_sum);
                    &local
                }
            };
            let parameters = q4::Block::of(pair, index % 2);
            let (block_sum, dots) = (i32::from(block_sum), dots(groups, x));
            let parameters = parameters.sub_scales.iter().zip(parameters.zeros);
            for ((sum, dot), (&s, z)) in sums.iter_mut().zip(dots).zip(parameters) {
                let dot = dot.cast_signed() >> 16;
                *sum += i32::from(s) * (4 * dot + i32::from(z) * block_sum);
            }
        }
        widened = widened.get(cols / BLOCK..).unwrap_or_default();
    }
}

/// A block's sums of all rows.
fn dots(groups: &[Words; 4], x: &Widened) -> [u32; 8] {
    let [start, _, x @ ..] = x;
    let mut dots = [*start; 8];
    for (group, [a, b, c, d]) in groups.iter().zip(x.as_chunks::<4>().0) {
        for (dot, word) in dots.iter_mut().zip(group) {
            let word = u32::from_le(*word);
            let product = |word: u32, x: &u32| (word & NIBBLES).wrapping_mul(*x);
            *dot = dot
                .wrapping_add(product(word, a))
                .wrapping_add(product(word >> 4, b))
                .wrapping_add(product(word >> 8, c))
                .wrapping_add(product(word >> 12, d));
        }
    }
    dots
}
