//! AVX-VNNI for many tokens: some columns' weights are laid out once for all of them, so that what remains is one instruction
//! per 32 products, and a read of 4 activations for each two bands.
//!
//! ```text
//! q8:  w + 128; at the end less 128 · Σx
//! q4:  n·s; the sums of products count four times; s·(z - 32) by Σx, two blocks at a time
//! ```

use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::super::ahead::Next;
use super::super::registers::{Parameters, broadcast, load, opaque, store_sums};
use crate::format::BLOCK;
use crate::kernel::{Group, Ints, Nibbles, Sums};

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// Sums that are made at a time: with a band's weights and an activation each they fill the registers.
const SUMS: usize = 12;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 4;

/// Some blocks of B bands, the bands in turn.
struct Expanded<const B: usize> {
    weights: [[MaybeUninit<__m256i>; B]; TOGETHER * PER_BLOCK],
    /// s·(z - 32) of two blocks each, for nibbles.
    offsets: [[MaybeUninit<__m256i>; B]; TOGETHER / 2],
}

impl<const B: usize> Expanded<B> {
    #[inline]
    fn new() -> Self {
        // SAFETY: there is nothing in it but what need not be initialized.
        unsafe { MaybeUninit::uninit().assume_init() }
    }

    /// Lays out some groups of int8 of each band.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bytes(&mut self, bands: &[&[Group]; B], part: &Range<usize>) {
        let sign = _mm256_set1_epi8(-128);
        for (b, groups) in bands.iter().enumerate() {
            for (weights, group) in self.weights.iter_mut().zip(&groups[part.clone()]) {
                weights[b].write(_mm256_xor_si256(load(group), sign));
            }
        }
    }

    /// Lays out some blocks of nibbles of each band; `part` begins with a pair.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn nibbles(&mut self, bands: &[Nibbles<'_>; B], part: &Range<usize>) {
        let nibble = _mm256_set1_epi8(0xF);
        for (b, (groups, pairs)) in bands.iter().enumerate() {
            let blocks = groups.as_chunks::<4>().0[part.clone()].chunks(2);
            let weights = self.weights.as_chunks_mut::<{ 2 * PER_BLOCK }>().0.iter_mut();
            let out = weights.zip(&mut self.offsets);
            for ((pair, blocks), (weights, offsets)) in
                pairs[part.start / 2..].iter().zip(blocks).zip(out)
            {
                let parameters = Parameters::of(pair);
                offsets[b].write(parameters.offsets);
                let weights = weights.as_chunks_mut::<PER_BLOCK>().0.iter_mut();
                for ((block, s), weights) in blocks.iter().zip(parameters.sub_scales).zip(weights) {
                    for (group, weights) in block.iter().zip(weights.as_chunks_mut::<2>().0) {
                        // Of a 16-bit product of two of them neither carries over.
                        let w = load(group);
                        let low = _mm256_and_si256(w, nibble);
                        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble);
                        weights[0][b].write(_mm256_mullo_epi16(low, s));
                        weights[1][b].write(_mm256_mullo_epi16(high, s));
                    }
                }
            }
        }
    }

    /// Makes the sums the products of groups that have been laid out, with those before; adds them unless these are the first.
    ///
    /// # Safety
    /// These `groups` of four columns have been laid out of each band, with offsets if they are of `NIBBLES`, and all tokens have
    /// them, and their sums.
    #[inline]
    #[target_feature(enable = "avx2,avxvnni")]
    unsafe fn add_to<const NIBBLES: bool>(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        mut x: Ints<'_>,
        groups: &Range<usize>,
        next: &mut Next,
    ) {
        let (mut done, most) = (0, SUMS / B);
        // One or two tokens more than the most make two tiles that are not small.
        let uneven = |tokens: usize| tokens == most + 1 || tokens == most + 2;
        macro_rules! tiles {
            ($($size:literal)+) => {
                $(while $size <= most && x.tokens() >= $size && ($size < most || !uneven(x.tokens()))
                {
                    // SAFETY: by this function's contract.
                    unsafe { self.tile::<$size, NIBBLES>(sums, done, x, groups) };
                    (x, done) = (x.split($size).1, done + $size);
                    next.step();
                })+
            };
        }
        tiles!(12 8 6 4 3 2 1);
    }

    /// The same for the sums of T tokens from `token` on.
    ///
    /// # Safety
    /// As there.
    #[inline]
    #[target_feature(enable = "avx2,avxvnni")]
    unsafe fn tile<const T: usize, const NIBBLES: bool>(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        token: usize,
        x: Ints<'_>,
        groups: &Range<usize>,
    ) {
        debug_assert!(x.values.len() >= T * x.cols && 4 * groups.end <= x.cols);
        let mut totals = [[_mm256_setzero_si256(); T]; B];
        let base = x.values.as_ptr();
        let mut at: [_; 3] = core::array::from_fn(|i| opaque(4 * (i * x.cols + groups.start)));
        let strides = [0, x.cols, 2 * x.cols, opaque(3 * x.cols)];
        for weights in &self.weights[..groups.len()] {
            for t in 0..T {
                // SAFETY: by this function's contract.
                let x = unsafe { broadcast(base.wrapping_add(at[t / 4] + strides[t % 4])) };
                for (totals, w) in totals.iter_mut().zip(weights) {
                    // SAFETY: as above.
                    let w = unsafe { w.assume_init() };
                    totals[t] = _mm256_dpbusd_avx_epi32(totals[t], w, x);
                }
            }
            at = at.map(|at| at + 4);
        }
        let blocks = x.cols / BLOCK;
        if NIBBLES {
            totals = totals.map(|totals| totals.map(|total| _mm256_slli_epi32::<2>(total)));
            let first = groups.start / PER_BLOCK;
            let pairs = groups.len().div_ceil(2 * PER_BLOCK);
            for (p, offsets) in (first / 2..).zip(self.offsets.iter().take(pairs)) {
                for t in 0..T {
                    let sums = if 2 * p + 2 <= blocks {
                        // SAFETY: token t < T has x.cols / 32 ≥ 2·p + 2 block sums.
                        unsafe { broadcast(x.block_sums.as_ptr().add(t * blocks + 2 * p).cast()) }
                    } else {
                        _mm256_set1_epi32(super::super::pair_sums(x, t, p))
                    };
                    for (totals, offsets) in totals.iter_mut().zip(offsets) {
                        // SAFETY: by this function's contract.
                        let offsets = unsafe { offsets.assume_init() };
                        totals[t] = _mm256_dpwssd_avx_epi32(totals[t], offsets, sums);
                    }
                }
            }
        } else if groups.start == 0 {
            for (t, block_sums) in x.block_sums.chunks_exact(blocks).take(T).enumerate() {
                let sum = super::sum_of(block_sums);
                for totals in &mut totals {
                    totals[t] = _mm256_sub_epi32(totals[t], _mm256_set1_epi32(128 * sum));
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (sums, total) in sums[token..token + T].iter_mut().zip(totals) {
                store_sums(sums, total, groups.start > 0);
            }
        }
    }
}

/// See [`crate::kernel::DotQ8`], for B bands; as many sums of each as tokens, whose block sums are all there.
#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn q8<const B: usize>(
    bands: [&[Group]; B],
    x: Ints<'_>,
    mut sums: [&mut [Sums<i32>]; B],
) {
    const MOST: usize = TOGETHER * PER_BLOCK;
    debug_assert!(sums.iter().all(|sums| x.tokens() == sums.len()));
    let mut expanded = Expanded::<B>::new();
    let count = super::super::groups_of_all(&bands, &x);
    if count == 0 {
        sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let steps = count.div_ceil(MOST) * x.tokens().div_ceil(SUMS / B);
    let mut next = Next::new(B, bands[0], &[], steps);
    for first in (0..count).step_by(MOST) {
        let part = first..count.min(first + MOST);
        expanded.bytes(&bands, &part);
        // SAFETY: so many groups have been laid out, no more than tokens have columns, with their sums
        // (`super::super::in_contract`).
        unsafe { expanded.add_to::<false>(&mut sums, x, &part, &mut next) }
    }
}

/// See [`crate::kernel::DotQ4`], for B bands; as many sums of each as tokens, whose block sums are all there.
#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn q4<const B: usize>(
    bands: [Nibbles<'_>; B],
    x: Ints<'_>,
    mut sums: [&mut [Sums<i32>]; B],
) {
    debug_assert!(sums.iter().all(|sums| x.tokens() == sums.len()));
    let mut expanded = Expanded::<B>::new();
    let count = super::super::blocks_of_all(&bands, x);
    if count == 0 {
        sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let steps = count.div_ceil(TOGETHER) * x.tokens().div_ceil(SUMS / B);
    let (groups, pairs) = bands[0];
    let mut next = Next::new(B, groups, pairs, steps);
    for first in (0..count).step_by(TOGETHER) {
        let part = first..count.min(first + TOGETHER);
        expanded.nibbles(&bands, &part);
        let groups = part.start * PER_BLOCK..part.end * PER_BLOCK;
        // SAFETY: so many blocks of each band have been laid out, parameters with them; they are no more than
        // tokens have, with their sums (`super::super::in_contract`).
        unsafe { expanded.add_to::<true>(&mut sums, x, &groups, &mut next) }
    }
}
