//! AVX-512 VNNI for many tokens: some columns' weights are laid out once for all of them, so that what remains
//! is one instruction per 64 products, and a read of 8 activations.
//!
//! ```text
//! q8:  w + 128, and -128 as every block's offset
//! q4:  n·s, and s·(z - 32); the sums of products count four times
//! ```

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::super::ahead::Next;
use super::super::registers::{opaque, store};
use super::registers::{
    add_offsets, broadcast, nibbles, offsets, rows, sub_scales, twos, unsigned,
};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums};

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// Tokens that share each load of weights.
const MOST: usize = 16;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 8;

/// Some blocks of a band.
struct Expanded {
    weights: [MaybeUninit<__m512i>; TOGETHER * PER_BLOCK],
    /// Of four blocks each.
    offsets: [__m512i; TOGETHER / 4],
    /// How many registers of weights there are.
    count: usize,
}

impl Expanded {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(offset: i16) -> Self {
        Self {
            weights: [const { MaybeUninit::uninit() }; TOGETHER * PER_BLOCK],
            offsets: [_mm512_set1_epi16(offset); TOGETHER / 4],
            count: 0,
        }
    }

    /// Makes the sums the products with the activations from block `first` on, times 2^`SHIFT`; adds them if that
    /// is not 0.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn add_to<const SHIFT: u32>(
        &self,
        sums: &mut [Sums<i32>],
        x: Ints<'_>,
        first: usize,
        next: &mut Next,
    ) {
        let (mut x, mut done) = (x, 0);
        macro_rules! tiles {
            ($([$size:tt, $more:literal])+) => {
                $(while let Some(sums) =
                    sums.get_mut(done..).and_then(<[_]>::first_chunk_mut::<$size>)
                {
                    self.tile::<$size, $more, SHIFT>(sums, x, first);
                    (x, done) = (x.split($size).1, done + $size);
                    next.step();
                })+
            };
        }
        tiles!([MOST, 1] [8, 2] [4, 4] [2, 4] [1, 8]);
    }

    /// T tokens, with U sums in flight each.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn tile<const T: usize, const U: usize, const SHIFT: u32>(
        &self,
        sums: &mut [Sums<i32>; T],
        x: Ints<'_>,
        first: usize,
    ) {
        debug_assert!(x.values.len() >= T * x.cols && first * BLOCK + 8 * self.count <= x.cols);
        // SAFETY: as many have been written.
        let weights = unsafe { self.weights[..self.count].assume_init_ref() };
        let mut totals = [[_mm512_setzero_si512(); U]; T];
        let base = x.values.as_ptr();
        let mut at: [_; 4] = core::array::from_fn(|i| opaque(4 * i * x.cols + first * BLOCK));
        let strides = [0, x.cols, 2 * x.cols, opaque(3 * x.cols)];
        let mut add = |u: usize, w: __m512i| {
            for (t, totals) in totals.iter_mut().enumerate() {
                // SAFETY: token t < T of x.cols ≥ column + 8 columns.
                let x = unsafe { broadcast(base.wrapping_add(at[t / 4] + strides[t % 4])) };
                totals[u] = _mm512_dpbusd_epi32(totals[u], w, x);
            }
            at = at.map(|at| at + 8);
        };
        let (chunks, rest) = weights.as_chunks::<U>();
        for chunk in chunks {
            for (u, w) in chunk.iter().enumerate() {
                add(u, *w);
            }
        }
        for w in rest {
            add(0, *w);
        }
        let mut totals = totals.map(|totals| {
            let zero = _mm512_setzero_si512();
            let total = totals.into_iter().fold(zero, |a, b| _mm512_add_epi32(a, b));
            _mm512_slli_epi32::<SHIFT>(total)
        });
        let offsets = self.offsets[..self.count.div_ceil(4 * PER_BLOCK)].iter();
        add_offsets(&mut totals, offsets.copied(), x, first);
        for (sums, total) in sums.iter_mut().zip(totals) {
            let mut total = rows(total);
            if first > 0 {
                // SAFETY: 8 × 4 bytes.
                let before = unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) };
                total = _mm256_add_epi32(total, before);
            }
            store(sums, total);
        }
    }
}

/// See [`crate::kernel::DotQ8`]; as many sums as tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == sums.len());
    let mut expanded = Expanded::new(-128);
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    if groups.is_empty() {
        return sums.fill(Sums::default());
    }
    let parts = groups.chunks(TOGETHER * BLOCK / 4);
    let mut next = Next::new(1, groups, &[], parts.len() * x.tokens().div_ceil(MOST));
    for (first, groups) in (0..).step_by(TOGETHER).zip(parts) {
        let (twos, last) = twos(groups);
        for (out, two) in expanded.weights.iter_mut().zip(twos.iter().chain(&last)) {
            out.write(unsigned(two));
        }
        expanded.count = groups.len().div_ceil(2);
        expanded.add_to::<0>(sums, x, first, &mut next);
    }
}

/// See [`crate::kernel::DotQ4`]; as many sums as tokens, whose block sums are all there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == sums.len());
    let mut expanded = Expanded::new(0);
    let blocks = super::super::blocks(groups, x);
    if blocks.is_empty() || pairs.is_empty() {
        return sums.fill(Sums::default());
    }
    let parts = blocks.chunks(TOGETHER).zip(pairs.chunks(TOGETHER / 2));
    let mut next = Next::new(1, groups, pairs, parts.len() * x.tokens().div_ceil(MOST));
    for (first, (blocks, part)) in (0..).step_by(TOGETHER).zip(parts) {
        let twos = expanded.weights.chunks_mut(2 * PER_BLOCK).zip(blocks.chunks(2));
        for (pair, (out, blocks)) in part.iter().zip(twos) {
            for ((out, block), s) in out.chunks_mut(PER_BLOCK).zip(blocks).zip(sub_scales(pair)) {
                for (out, group) in out.iter_mut().zip(block) {
                    out.write(nibbles(group, s));
                }
            }
        }
        for (out, pairs) in expanded.offsets.iter_mut().zip(part.chunks(2)) {
            *out = offsets(pairs);
        }
        expanded.count = blocks.len().min(2 * part.len()) * PER_BLOCK;
        expanded.add_to::<2>(sums, x, first, &mut next);
    }
}
