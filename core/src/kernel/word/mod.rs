//! Processors with words of 32 bits and nothing wider: Cortex-M0+, Cortex-M3, RV32. One multiplication makes
//! the products of two rows.
//!
//! ```text
//! two rows' words of nibbles, transposed by halves:
//!   a: k0|k4 k1|k5 k2|k6 k3|k7      low:  a's k0|k4 k1|k5, b's k0|k4 k1|k5
//!   b: the same                     high: a's k2|k6 k3|k7, b's k2|k6 k3|k7
//! (low >> 0, 4, 8, 12) & 000F000F   → n[a][k] + n[b][k] · 2¹⁶   for k = 0, 4, 1, 5; of high: 2, 6, 3, 7
//! times x[k], added up over a block → A + B · 2¹⁶ modulo 2³²,   A, B: Σ n·x of a row
//! less 8 · Σx · (1 + 2¹⁶)           → A' + B' · 2¹⁶,            A', B': Σ (n - 8)·x, within ±32512
//! A' is the lower half with its sign, B' the upper half less what A' borrowed from it
//! total += s · (4 · A' + z · Σx)
//! ```
//!
//! Words are loaded from addresses that are multiples of 4; other buffers go to the scalar kernel, and so
//! does everything but nibbles.
#![allow(unsafe_code)]

use super::{Group, Ints, Kernel, Sums, gemv, rows, scalar};
use crate::format::BLOCK;
use crate::format::encoding::q4::{self, Pair};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "word-pairs",
    q4,
    gemv_q4: |bands, x, scale, out| gemv::q4(q4, bands, x, scale, out),
    ..scalar::KERNEL
};

/// The lowest nibble of each half.
const NIBBLES: u32 = 0x000F_000F;

/// A group as words, one per row.
type Words = [u32; 8];

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let Some(groups) = words(groups) else {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    };
    let cols = x.cols.max(BLOCK);
    let tokens = rows(x.values, cols).zip(rows(x.block_sums, cols / BLOCK));
    for ((x, block_sums), sums) in tokens.zip(sums) {
        *sums = [0; 8];
        let blocks = groups.as_chunks::<4>().0.iter().zip(x.as_chunks::<BLOCK>().0);
        for (index, ((groups, x), &block_sum)) in blocks.zip(block_sums).enumerate() {
            let Some(pair) = pairs.get(index / 2) else { continue };
            let block = q4::Block::of(pair, index % 2);
            let parameters =
                block.sub_scales.as_chunks::<2>().0.iter().zip(block.zeros.as_chunks::<2>().0);
            let dots = dots(groups, x);
            let block_sum = i32::from(block_sum);
            let eights = (8 * block_sum * 0x1_0001).cast_unsigned();
            for ((sums, dots), ([s, t], [y, z])) in
                sums.as_chunks_mut::<2>().0.iter_mut().zip(dots).zip(parameters)
            {
                let both = dots.wrapping_sub(eights).cast_signed();
                let a = i32::from(both as i16);
                let b = both.wrapping_sub(a) >> 16;
                sums[0] += i32::from(*s) * (4 * a + i32::from(*y) * block_sum);
                sums[1] += i32::from(*t) * (4 * b + i32::from(*z) * block_sum);
            }
        }
    }
}

/// The groups as words, if they lie where words may.
fn words(groups: &[Group]) -> Option<&[Words]> {
    let words = groups.as_ptr().cast::<Words>();
    // SAFETY: as many bytes, initialised, of any value; aligned if this is reached.
    words.is_aligned().then(|| unsafe { core::slice::from_raw_parts(words, groups.len()) })
}

/// Σ n·x over one block, modulo 2¹⁶ of the even row and above it of the odd one, per pair of rows.
fn dots(groups: &[Words; 4], x: &[i8; BLOCK]) -> [u32; 4] {
    let mut dots = [0; 4];
    for (group, x) in groups.iter().zip(x.as_chunks::<8>().0) {
        let x = x.map(|x| i32::from(x).cast_unsigned());
        for (dot, [a, b]) in dots.iter_mut().zip(group.as_chunks::<2>().0) {
            let (a, b) = (u32::from_le(*a), u32::from_le(*b));
            let low = (a & 0xFFFF) | (b << 16);
            let high = (a >> 16) | (b & 0xFFFF_0000);
            let mut sum: u32 = *dot;
            let mut add = |nibbles: u32, x: u32| {
                sum = sum.wrapping_add((nibbles & NIBBLES).wrapping_mul(x));
            };
            add(low, x[0]);
            add(low >> 4, x[4]);
            add(low >> 8, x[1]);
            add(low >> 12, x[5]);
            add(high, x[2]);
            add(high >> 4, x[6]);
            add(high >> 8, x[3]);
            add(high >> 12, x[7]);
            *dot = sum;
        }
    }
    dots
}
