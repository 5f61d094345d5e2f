//! Processors with words of 32 bits and nothing wider: Cortex-M0+, Cortex-M3, RV32. One multiplication makes
//! two products of a row, and a third that nobody wants.
//!
//! ```text
//! a row's word of nibbles: k0|k4 k1|k5 k2|k6 k3|k7
//! (word >> 0, 4, 8, 12) & 000F000F      → n[k] + n[k+2] · 2¹⁶,  k = 0, 4, 1, 5
//! activations, once per token: X[k] = x[k+2] + x[k] · 2¹⁶
//! their product modulo 2³²              = n[k]·x[k+2] + (n[k]·x[k] + n[k+2]·x[k+2]) · 2¹⁶
//! added up over a block                 → U + V · 2¹⁶,          |U| ≤ 16 · 15 · 127 < 2¹⁵, V: Σ n·x
//! from 2¹⁵ - 8 · Σx · 2¹⁶ on            → (U + 2¹⁵) + V' · 2¹⁶,  V': Σ (n - 8)·x, within ±32512
//! V' is the upper half with its sign, since the lower one neither borrows nor carries
//! total += s · (4 · V' + z · Σx)
//! ```
//!
//! Words are loaded from addresses that are multiples of 4; other buffers go to the scalar kernel, and so
//! does everything but nibbles.
#![allow(unsafe_code)]

#[cfg(not(acorn_thumb1))]
mod portable;
#[cfg(acorn_thumb1)]
mod thumb;

use super::{Group, Ints, Kernel, Sums, Widened, gemv, scalar};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "word-pairs",
    q4,
    gemv_q4: |bands, x, scale, out| gemv::q4(q4, bands, x, scale, out),
    ..scalar::KERNEL
};

/// The lowest nibble of each half.
#[cfg(not(acorn_thumb1))]
const NIBBLES: u32 = 0x000F_000F;

/// A group as words, one per row.
type Words = [u32; 8];

/// Widens blocks of activations: where a block's sums start, Σx, then X by the words' shifts.
#[cfg(acorn_mcu)]
pub(super) fn widen(values: &[i8], block_sums: &[i16], out: &mut [Widened]) {
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(block_sums);
    for ((x, &sum), out) in blocks.zip(out) {
        *out = widen_block(x, sum);
    }
}

#[cfg_attr(not(acorn_thumb1), inline(never))] // Two callers.
fn widen_block(x: &[i8; BLOCK], sum: i16) -> Widened {
    let mut out = Widened::default();
    let [start, block_sum, words @ ..] = &mut out;
    let sum = i32::from(sum);
    *start = (0x8000 - ((8 * sum) << 16)).cast_unsigned();
    *block_sum = sum.cast_unsigned();
    for (words, x) in words.as_chunks_mut::<4>().0.iter_mut().zip(x.as_chunks::<8>().0) {
        let [x0, x1, x2, x3, x4, x5, x6, x7] = x.map(i32::from);
        *words = [[x0, x2], [x4, x6], [x1, x3], [x5, x7]]
            .map(|[upper, lower]| lower.wrapping_add(upper << 16).cast_unsigned());
    }
    out
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let Some(blocks) = blocks(groups) else {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    };
    #[cfg(not(acorn_thumb1))]
    portable::q4(blocks, pairs, x, sums);
    #[cfg(acorn_thumb1)]
    if x.widened.len() == x.values.len() / BLOCK {
        let tokens = super::rows(x.widened, x.cols / BLOCK);
        tokens.zip(sums).for_each(|(x, sums)| thumb::q4(blocks, pairs, x, sums));
    } else {
        (scalar::KERNEL.q4)(groups, pairs, x, sums);
    }
}

/// The blocks as words, if they lie where words may.
fn blocks(groups: &[Group]) -> Option<&[[Words; 4]]> {
    let words = groups.as_ptr().cast::<Words>();
    // SAFETY: as many bytes, initialised, of any value; aligned if this is reached.
    let words =
        words.is_aligned().then(|| unsafe { core::slice::from_raw_parts(words, groups.len()) })?;
    Some(words.as_chunks().0)
}
