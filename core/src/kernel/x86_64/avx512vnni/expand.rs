//! AVX-512 VNNI for many tokens: some columns' weights are laid out once for all of them, so that what remains
//! is one instruction per 64 products, and a read of 8 activations for each two bands.
//!
//! ```text
//! q8:  w + 128, and -128 as every block's offset
//! q4:  n·s, and s·(z - 32); the sums of products count four times
//! ```

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::super::ahead::Next;
use super::super::registers::{opaque, store_sums};
use super::registers::{
    add_offsets, broadcast, nibbles, offsets, rows, sub_scales, twos, unsigned,
};
use crate::format::BLOCK;
use crate::kernel::{Group, Ints, Nibbles, Sums};

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// Sums that are made at a time, each of a register.
const SUMS: usize = 24;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 8;

/// Some blocks of B bands, the bands in turn.
struct Expanded<const B: usize> {
    weights: [[MaybeUninit<__m512i>; B]; TOGETHER * PER_BLOCK],
    /// Of four blocks each.
    offsets: [[__m512i; B]; TOGETHER / 4],
    /// How many registers of weights there are of each band.
    count: usize,
}

impl<const B: usize> Expanded<B> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(offset: i16) -> Self {
        Self {
            weights: [const { [const { MaybeUninit::uninit() }; B] }; TOGETHER * PER_BLOCK],
            offsets: [[_mm512_set1_epi16(offset); B]; TOGETHER / 4],
            count: 0,
        }
    }

    /// Makes the sums the products with the activations from block `first` on, times 2^`SHIFT`; adds them if that
    /// is not 0.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn add_to<const SHIFT: u32>(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        mut x: Ints<'_>,
        first: usize,
        next: &mut Next,
    ) {
        let (mut done, most) = (0, SUMS / B);
        macro_rules! tiles {
            ($([$size:literal, $more:literal])+) => {
                $(while $size <= most && x.tokens() >= $size {
                    self.tile::<$size, $more, SHIFT>(sums, done, x, first);
                    (x, done) = (x.split($size).1, done + $size);
                    next.step();
                })+
            };
        }
        tiles!([16, 1] [12, 1] [8, 1] [4, 2] [2, 4] [1, 8]);
    }

    /// The same for the sums of T tokens from `token` on, with U sums in flight each.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn tile<const T: usize, const U: usize, const SHIFT: u32>(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        token: usize,
        x: Ints<'_>,
        first: usize,
    ) {
        debug_assert!(x.values.len() >= T * x.cols && first * BLOCK + 8 * self.count <= x.cols);
        let mut totals = [[[_mm512_setzero_si512(); U]; T]; B];
        let base = x.values.as_ptr();
        let mut at: [_; 4] = core::array::from_fn(|i| opaque(4 * i * x.cols + first * BLOCK));
        let strides = [0, x.cols, 2 * x.cols, opaque(3 * x.cols)];
        let mut add = |u: usize, weights: &[MaybeUninit<__m512i>; B]| {
            for t in 0..T {
                // SAFETY: token t < T of x.cols ≥ column + 8 columns.
                let x = unsafe { broadcast(base.wrapping_add(at[t / 4] + strides[t % 4])) };
                for (totals, w) in totals.iter_mut().zip(weights) {
                    // SAFETY: as many have been written.
                    let w = unsafe { w.assume_init() };
                    totals[t][u] = _mm512_dpbusd_epi32(totals[t][u], w, x);
                }
            }
            at = at.map(|at| at + 8);
        };
        let (chunks, rest) = self.weights[..self.count].as_chunks::<U>();
        for chunk in chunks {
            for (u, weights) in chunk.iter().enumerate() {
                add(u, weights);
            }
        }
        for weights in rest {
            add(0, weights);
        }
        let offsets = &self.offsets[..self.count.div_ceil(4 * PER_BLOCK)];
        for (b, (sums, totals)) in sums.iter_mut().zip(totals).enumerate() {
            let mut totals = totals.map(|totals| {
                let zero = _mm512_setzero_si512();
                let total = totals.into_iter().fold(zero, |a, b| _mm512_add_epi32(a, b));
                _mm512_slli_epi32::<SHIFT>(total)
            });
            add_offsets(&mut totals, offsets.iter().map(|offsets| offsets[b]), x, first);
            for (sums, total) in sums[token..token + T].iter_mut().zip(totals) {
                store_sums(sums, rows(total), first > 0);
            }
        }
    }
}

/// See [`crate::kernel::DotQ8`], for B bands; as many sums of each as tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn q8<const B: usize>(
    bands: [&[Group]; B],
    x: Ints<'_>,
    mut sums: [&mut [Sums<i32>]; B],
) {
    const MOST: usize = TOGETHER * BLOCK / 4;
    debug_assert!(sums.iter().all(|sums| x.tokens() == sums.len()));
    let mut expanded = Expanded::<B>::new(-128);
    let count = super::super::groups_of_all(&bands, &x);
    if count == 0 {
        return sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let steps = count.div_ceil(MOST) * x.tokens().div_ceil(SUMS / B);
    let mut next = Next::new(B, bands[0], &[], steps);
    for part in (0..count).step_by(MOST) {
        let end = count.min(part + MOST);
        for (b, groups) in bands.iter().enumerate() {
            let (twos, last) = twos(&groups[part..end]);
            for (out, two) in expanded.weights.iter_mut().zip(twos.iter().chain(&last)) {
                out[b].write(unsigned(two));
            }
        }
        expanded.count = (end - part).div_ceil(2);
        expanded.add_to::<0>(&mut sums, x, part * 4 / BLOCK, &mut next);
    }
}

/// See [`crate::kernel::DotQ4`], for B bands; as many sums of each as tokens, whose block sums are all there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn q4<const B: usize>(
    bands: [Nibbles<'_>; B],
    x: Ints<'_>,
    mut sums: [&mut [Sums<i32>]; B],
) {
    debug_assert!(sums.iter().all(|sums| x.tokens() == sums.len()));
    let mut expanded = Expanded::<B>::new(0);
    let count = super::super::blocks_of_all(&bands, x);
    if count == 0 {
        return sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let steps = count.div_ceil(TOGETHER) * x.tokens().div_ceil(SUMS / B);
    let mut next = Next::new(B, bands[0].0, bands[0].1, steps);
    for first in (0..count).step_by(TOGETHER) {
        let end = count.min(first + TOGETHER);
        for (b, (groups, pairs)) in bands.iter().enumerate() {
            let blocks = groups.as_chunks::<4>().0[first..end].chunks(2);
            let pairs = &pairs[first / 2..end.div_ceil(2)];
            let out = expanded.weights.as_chunks_mut::<{ 2 * PER_BLOCK }>().0.iter_mut();
            for ((pair, blocks), out) in pairs.iter().zip(blocks).zip(out) {
                let out = out.as_chunks_mut::<PER_BLOCK>().0.iter_mut();
                for ((block, s), out) in blocks.iter().zip(sub_scales(pair)).zip(out) {
                    for (out, group) in out.iter_mut().zip(block) {
                        out[b].write(nibbles(group, s));
                    }
                }
            }
            for (out, pairs) in expanded.offsets.iter_mut().zip(pairs.chunks(2)) {
                out[b] = offsets(pairs);
            }
        }
        expanded.count = (end - first) * PER_BLOCK;
        expanded.add_to::<2>(&mut sums, x, first, &mut next);
    }
}
