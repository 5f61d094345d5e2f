//! AVX2 for many tokens by nibbles: some columns' weights are laid out once for all of them, a byte each, and with
//! them what the blocks are multiplied with.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::super::registers::{Parameters, broadcast, load, prefetch, store};
use super::AHEAD;
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints, Sums};

/// Tokens from which on this is cheaper.
pub(super) const WORTH_EXPANDING: usize = 16;

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 4;

/// Some blocks of a band.
struct Expanded {
    /// n, 8 rows × 4 columns each.
    weights: [MaybeUninit<__m256i>; TOGETHER * PER_BLOCK],
    /// 4·s of each block, twice for each row.
    steps: [__m256i; TOGETHER],
    /// s·(z - 32) of two blocks each.
    offsets: [__m256i; TOGETHER / 2],
    /// How many blocks there are.
    count: usize,
}

impl Expanded {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        Self {
            weights: [const { MaybeUninit::uninit() }; TOGETHER * PER_BLOCK],
            steps: [_mm256_setzero_si256(); TOGETHER],
            offsets: [_mm256_setzero_si256(); TOGETHER / 2],
            count: 0,
        }
    }

    /// Lays out some blocks.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn fill(&mut self, blocks: &[[Group; 4]], pairs: &[Pair]) {
        let nibble = _mm256_set1_epi8(0xF);
        let twos = self.weights.as_chunks_mut::<2>().0.iter_mut();
        for ([low, high], group) in twos.zip(blocks.as_flattened()) {
            prefetch::<AHEAD>(group);
            let w = load(group);
            low.write(_mm256_and_si256(w, nibble));
            high.write(_mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble));
        }
        let steps = self.steps.as_chunks_mut::<2>().0.iter_mut();
        for ((steps, offsets), pair) in steps.zip(&mut self.offsets).zip(pairs) {
            let parameters = Parameters::of(pair);
            *steps = parameters.sub_scales.map(|s| _mm256_slli_epi16::<2>(s));
            *offsets = parameters.offsets;
        }
        self.count = blocks.len().min(2 * pairs.len());
    }

    /// Makes the sums the products with the activations from block `first` on; adds them if that is not 0.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn add_to(&self, sums: &mut [Sums<i32>], x: Ints<'_>, first: usize) {
        let (mut x, mut done) = (x, 0);
        macro_rules! tiles {
            ($($size:literal)+) => {
                $(while let Some(sums) =
                    sums.get_mut(done..).and_then(<[_]>::first_chunk_mut::<$size>)
                {
                    self.tile::<$size>(sums, x, first);
                    (x, done) = (x.split($size).1, done + $size);
                })+
            };
        }
        tiles!(4 2 1);
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn tile<const T: usize>(&self, sums: &mut [Sums<i32>; T], x: Ints<'_>, first: usize) {
        debug_assert!(x.values.len() >= T * x.cols && (first + self.count) * BLOCK <= x.cols);
        // SAFETY: weights of as many blocks have been written.
        let weights = unsafe { self.weights[..self.count * PER_BLOCK].assume_init_ref() };
        let mut totals = [_mm256_setzero_si256(); T];
        let blocks = weights.as_chunks::<PER_BLOCK>().0.iter().zip(&self.steps);
        for (b, (weights, steps)) in (first..).zip(blocks) {
            let mut dots = [_mm256_setzero_si256(); T];
            for (g, w) in weights.iter().enumerate() {
                for (t, dot) in dots.iter_mut().enumerate() {
                    // SAFETY: token t < T of x.cols ≥ 32·b + 4·g + 4 columns.
                    let x =
                        unsafe { broadcast(x.values.as_ptr().add(t * x.cols + b * BLOCK + 4 * g)) };
                    *dot = _mm256_add_epi16(*dot, _mm256_maddubs_epi16(*w, x));
                }
            }
            for (total, dot) in totals.iter_mut().zip(dots) {
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(dot, *steps));
            }
        }
        let pairs = (first / 2..).zip(self.offsets.iter().take(self.count.div_ceil(2)));
        for (p, offsets) in pairs {
            let whole = 2 * p + 2 <= x.cols / BLOCK;
            for (t, total) in totals.iter_mut().enumerate() {
                let sums = if whole {
                    // SAFETY: token t < T has x.cols / 32 ≥ 2·p + 2 block sums.
                    unsafe {
                        let sums = x.block_sums.as_ptr().add(t * (x.cols / BLOCK) + 2 * p);
                        broadcast(sums.cast())
                    }
                } else {
                    _mm256_set1_epi32(super::super::pair_sums(x, t, p))
                };
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(*offsets, sums));
            }
        }
        for (sums, mut total) in sums.iter_mut().zip(totals) {
            if first > 0 {
                // SAFETY: 8 × 4 bytes.
                let before = unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) };
                total = _mm256_add_epi32(total, before);
            }
            store(sums, total);
        }
    }
}

/// See [`crate::kernel::DotQ4`]; as many sums as tokens, whose block sums are all there.
#[target_feature(enable = "avx2")]
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == sums.len());
    let mut expanded = Expanded::new();
    let blocks = super::super::blocks(groups, x);
    if blocks.is_empty() || pairs.is_empty() {
        return sums.fill(Sums::default());
    }
    let parts = blocks.chunks(TOGETHER).zip(pairs.chunks(TOGETHER / 2));
    for (first, (blocks, pairs)) in (0..).step_by(TOGETHER).zip(parts) {
        expanded.fill(blocks, pairs);
        expanded.add_to(sums, x, first);
    }
}
