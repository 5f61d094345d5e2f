//! Processors with words of 64 bits and no vectors: RV64, x86-64 without AVX2. One multiplication makes the
//! products of four rows.
//!
//! ```text
//! four rows' nibbles, transposed by halves:
//!   two words, a row in each half:   a | b,  c | d
//!   low:   16 bits of a, c, b, d     k0|k4 k1|k5 of each
//!   high:  the others                k2|k6 k3|k7
//! (low >> 0, 4, 8, 12) & 000F000F000F000F → n[a][k] + n[c][k] · 2¹⁶ + n[b][k] · 2³² + n[d][k] · 2⁴⁸
//!                                    for k = 0, 4, 1, 5; of high: 2, 6, 3, 7
//! times x[k], added up over a block  → A + C · 2¹⁶ + B · 2³² + D · 2⁴⁸ modulo 2⁶⁴, each Σ n·x of a row
//! less 8 · Σx in each quarter        → the same of Σ (n - 8)·x, within ±32512
//! a quarter with its sign is a row's sum, once the one below has been subtracted
//! total += s · (4 · Σ (n - 8)·x + z · Σx)
//! ```
//!
//! Bytes go by two rows: (w + 128) in the halves of a word, times x, added up over all columns, less 128 · Σx.
//!
//! Words are loaded from addresses that are multiples of 8; other buffers go to the scalar kernel, and so do
//! floats. (Words of 32 bits: `word`.)
#![allow(unsafe_code)]

use super::{Group, Ints, Kernel, Sums, Wide, gemv, rows, scalar};
use crate::format::encoding::q4::Pair;
use crate::format::{BAND_ROWS, BLOCK};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "word-quads",
    q8,
    q4,
    two: None,
    #[cfg(target_arch = "x86_64")]
    avx2: false,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| gemv::q8(q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(q4, bands, x, scale, out),
    q8_wide,
    ..scalar::KERNEL
};

/// The lowest byte of each half.
const BYTES: u64 = 0x0000_00FF_0000_00FF;

/// The lowest nibble of each quarter.
const NIBBLES: u64 = 0x000F_000F_000F_000F;

/// The lower quarter of each half.
const LOWER: u64 = 0x0000_FFFF_0000_FFFF;

/// The lowest bit of each quarter.
const ONES: u64 = 0x0001_0001_0001_0001;

/// Rows of the quarters, of four.
const ROWS: [usize; 4] = [0, 2, 1, 3];

/// A group as words, two rows each.
type Words = [u64; 4];

fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let Some(groups) = words(groups) else {
        return (scalar::KERNEL.q8)(groups, x, sums);
    };
    for (x, sums) in rows(x.values, x.cols).zip(sums) {
        *sums = bytes(groups, x);
    }
}

fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    if words(weights.groups).is_none() {
        return (scalar::KERNEL.q8_wide)(weights, x, tokens, sums);
    }
    for (groups, sums) in weights.bands().zip(sums.chunks_exact_mut(tokens.max(1))) {
        let groups = words(groups).unwrap_or_default();
        for (x, sums) in rows(x, weights.per_band * 4).zip(sums) {
            *sums = bytes(groups, x);
        }
    }
}

/// Σ w·x of each row.
#[inline(always)]
fn bytes<T: Copy + Into<i64>>(groups: &[Words], x: &[T]) -> Sums<i32> {
    let (mut halves, mut total) = ([0u64; 4], 0);
    for (group, x) in groups.iter().zip(x.as_chunks::<4>().0) {
        let x = x.map(|x| x.into().cast_unsigned());
        total = x.iter().fold(total, |total: u64, x| total.wrapping_add(*x));
        for (halves, word) in halves.iter_mut().zip(group) {
            let word = u64::from_le(*word) ^ 0x8080_8080_8080_8080;
            *halves = halves.wrapping_add((word & BYTES).wrapping_mul(x[0]));
            *halves = halves.wrapping_add(((word >> 8) & BYTES).wrapping_mul(x[1]));
            *halves = halves.wrapping_add(((word >> 16) & BYTES).wrapping_mul(x[2]));
            *halves = halves.wrapping_add(((word >> 24) & BYTES).wrapping_mul(x[3]));
        }
    }
    let excess = total.wrapping_mul(128 + (128 << 32));
    let mut sums = [0; BAND_ROWS];
    for (sums, halves) in sums.as_chunks_mut::<2>().0.iter_mut().zip(halves) {
        let both = halves.wrapping_sub(excess).cast_signed();
        let low = both as i32;
        *sums = [low, (both.wrapping_sub(low.into()) >> 32) as i32];
    }
    sums
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let Some(groups) = words(groups) else {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    };
    let cols = x.cols.max(BLOCK);
    let tokens = rows(x.values, cols).zip(rows(x.block_sums, cols / BLOCK));
    for ((x, block_sums), sums) in tokens.zip(sums) {
        *sums = [0; BAND_ROWS];
        let blocks = groups.as_chunks::<4>().0.iter().zip(x.as_chunks::<BLOCK>().0);
        for (index, ((groups, x), &block_sum)) in blocks.zip(block_sums).enumerate() {
            let Some(pair) = pairs.get(index / 2) else { continue };
            add_block(sums, dots(groups, x), pair, index % 2, block_sum.into());
        }
    }
}

/// Adds the sums of a block, the first (`which` 0) or second of a pair.
#[inline(always)]
fn add_block(sums: &mut Sums<i32>, dots: [u64; 2], pair: &Pair, which: usize, block_sum: i32) {
    let [subs, zeros] =
        parameters(pair).map(|word| (word >> (4 * which)) & (15 * 0x0101_0101_0101_0101));
    let eights = i64::from(8 * block_sum).cast_unsigned().wrapping_mul(ONES);
    for (half, (sums, dots)) in sums.as_chunks_mut::<4>().0.iter_mut().zip(dots).enumerate() {
        let mut quarters = dots.wrapping_sub(eights).cast_signed();
        for row in ROWS {
            let dot = i64::from(quarters as i16);
            quarters = quarters.wrapping_sub(dot) >> 16;
            let nibble = |word: u64| (word >> (8 * (4 * half + row))) as u8;
            let (s, z) = (i32::from(nibble(subs)) + 1, i32::from(nibble(zeros)) - 8);
            sums[row] += s * (4 * dot as i32 + z * block_sum);
        }
    }
}

/// Sub-scales less one, and zeros plus eight, a byte per row, of two blocks.
#[inline(always)]
fn parameters(pair: &Pair) -> [u64; 2] {
    let (words, _) = pair.as_chunks::<8>();
    [0, 1].map(|half| words.get(half).map_or(0, |word| u64::from_le_bytes(*word)))
}

/// The groups as words, if they lie where words may.
fn words(groups: &[Group]) -> Option<&[Words]> {
    let words = groups.as_ptr().cast::<Words>();
    // SAFETY: as many bytes, initialised, of any value; aligned if this is reached.
    words.is_aligned().then(|| unsafe { core::slice::from_raw_parts(words, groups.len()) })
}

/// Σ n·x over one block, four rows each, modulo 2¹⁶ of each but what is carried.
#[inline(always)]
fn dots(groups: &[Words; 4], x: &[i8; BLOCK]) -> [u64; 2] {
    let mut dots = [0; 2];
    for (group, x) in groups.iter().zip(x.as_chunks::<8>().0) {
        let x = x.map(|x| i64::from(x).cast_unsigned());
        for (dot, [a, b]) in dots.iter_mut().zip(group.as_chunks::<2>().0) {
            let (a, b) = (u64::from_le(*a), u64::from_le(*b));
            let low = (a & LOWER) | ((b & LOWER) << 16);
            let high = ((a >> 16) & LOWER) | (b & !LOWER);
            let mut sum: u64 = *dot;
            let mut add = |nibbles: u64, x: u64| {
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
