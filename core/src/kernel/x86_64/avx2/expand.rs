//! AVX2 for many tokens by nibbles: some columns' weights are laid out once for all of them, a byte each, and with
//! them what the blocks are multiplied with.
//!
//! Two bands and three tokens make 48 multiply-accumulates a cycle on a Zen 4, by 3.2 instructions (VPMADDUBSW, VPADDW and a block's
//! VPMADDWD and VPADDD), which is what these make of four a cycle wherever they depend on each other. Four tokens' totals would lie
//! in memory: 48 as well, but 33 to 43 where loads meet the stores at the same place of another page of 4 KiB.

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::super::ahead::Next;
use super::super::registers::{Parameters, broadcast, load, store_sums};
use super::columns;
use crate::format::BLOCK;
use crate::kernel::{Ints, Nibbles, Sums};

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// The most of them: a row that has no more is not cut. (Wider ones in parts of as many lose 1 to 2 %.)
const MOST_TOGETHER: usize = 28;

/// Tokens that share each load of weights.
const MOST: usize = 3;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 4;

/// A block's sum times the steps of the band `$at` bytes from the first one's, added to the total.
macro_rules! total {
    ($at:literal, $sum:literal, $total:literal) => {
        concat!(
            "vpmaddwd {",
            $sum,
            "}, {",
            $sum,
            "}, ymmword ptr [{steps} + ",
            $at,
            "]\n",
            "vpaddd {",
            $total,
            "}, {",
            $total,
            "}, {",
            $sum,
            "}\n",
        )
    };
}

/// Some blocks of B bands, the bands in turn.
struct Expanded<const B: usize> {
    /// n, 8 rows × 4 columns each.
    weights: [[MaybeUninit<__m256i>; B]; MOST_TOGETHER * PER_BLOCK],
    /// 4·s of each block, twice for each row.
    steps: [[MaybeUninit<__m256i>; B]; MOST_TOGETHER],
    /// s·(z - 32) of two blocks each.
    offsets: [[MaybeUninit<__m256i>; B]; MOST_TOGETHER / 2],
}

impl<const B: usize> Expanded<B> {
    #[inline]
    fn new() -> Self {
        // SAFETY: there is nothing in it but what need not be initialized.
        unsafe { MaybeUninit::uninit().assume_init() }
    }

    /// Lays out some blocks of band `band`, as many of each band; `part` begins with a pair.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn fill(&mut self, band: usize, (groups, pairs): Nibbles<'_>, part: &Range<usize>) {
        let nibble = _mm256_set1_epi8(0xF);
        let blocks = &groups.as_chunks::<4>().0[part.clone()];
        let weights = self.weights.as_chunks_mut::<{ 2 * PER_BLOCK }>().0.iter_mut();
        let steps = self.steps.as_chunks_mut::<2>().0.iter_mut();
        let out = weights.zip(steps.zip(&mut self.offsets));
        for ((p, blocks), (weights, (steps, offsets))) in
            (part.start / 2..).zip(blocks.chunks(2)).zip(out)
        {
            let parameters = Parameters::of(&pairs[p]);
            for (steps, s) in steps.iter_mut().zip(parameters.sub_scales) {
                steps[band].write(_mm256_slli_epi16::<2>(s));
            }
            offsets[band].write(parameters.offsets);
            let twos = weights.as_chunks_mut::<2>().0.iter_mut();
            for ([low, high], group) in twos.zip(blocks.as_flattened()) {
                let w = load(group);
                low[band].write(_mm256_and_si256(w, nibble));
                high[band].write(_mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble));
            }
        }
    }

    /// Makes the sums the products of blocks that have been laid out with the activations of these `blocks`; adds
    /// them unless these are the first.
    ///
    /// # Safety
    /// As many have been laid out of each band, not none, and all tokens have them, and their sums.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn add_to(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        x: &Ints<'_>,
        blocks: &Range<usize>,
        next: &mut Next,
    ) {
        let (tokens, mut done) = (x.tokens(), 0);
        macro_rules! tiles {
            ($($size:tt)+) => {
                $(while tokens - done >= $size && (tokens - done, $size) != (MOST + 1, MOST) {
                    // SAFETY: by this function's contract.
                    unsafe { self.tile::<$size>(sums, done, x, blocks) };
                    done += $size;
                    next.step();
                })+
            };
        }
        tiles!(MOST 2 1);
    }

    /// The same for the sums of T tokens from `token` on.
    ///
    /// # Safety
    /// As there.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn tile<const T: usize>(
        &self,
        sums: &mut [&mut [Sums<i32>]; B],
        token: usize,
        x: &Ints<'_>,
        blocks: &Range<usize>,
    ) {
        debug_assert!(x.tokens() >= token + T && blocks.end * BLOCK <= x.cols);
        let (first, count) = (blocks.start, blocks.len());
        let mut totals = [[_mm256_setzero_si256(); T]; B];
        // SAFETY: by this function's contract.
        unsafe {
            let x_first = x.values.as_ptr().add(token * x.cols + first * BLOCK);
            if let ([a, b], 3) = (totals.as_mut_slice(), T) {
                if let (Some(a), Some(b)) = (a.first_chunk_mut(), b.first_chunk_mut()) {
                    self.products_of_six(x_first, x.cols, count, a, b);
                }
            } else {
                self.products(x_first, x.cols, count, &mut totals);
            }
        }
        let mut add = |t: usize, offsets: &[MaybeUninit<__m256i>; B], sums: __m256i| {
            for (totals, offsets) in totals.iter_mut().zip(offsets) {
                // SAFETY: as many have been written.
                let offsets = unsafe { offsets.assume_init() };
                totals[t] = _mm256_add_epi32(totals[t], _mm256_madd_epi16(offsets, sums));
            }
        };
        let (pairs, all) = (count / 2, x.cols / BLOCK);
        let block_sums: [*const i16; T] = core::array::from_fn(|t| {
            // SAFETY: each of these tokens has a sum of each of its blocks.
            unsafe { x.block_sums.as_ptr().add((token + t) * all + first) }
        });
        for p in 0..pairs {
            for (t, block_sums) in block_sums.iter().enumerate() {
                // SAFETY: two of 16 bits, of these blocks; offsets have been laid out with the blocks.
                unsafe {
                    let sums = broadcast(block_sums.add(2 * p).cast());
                    add(t, self.offsets.get_unchecked(p), sums);
                }
            }
        }
        if let (1, Some(offsets)) = (count % 2, self.offsets.get(pairs)) {
            for t in 0..T {
                let sums = super::super::pair_sums(*x, token + t, first / 2 + pairs);
                add(t, offsets, _mm256_set1_epi32(sums));
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (sums, total) in sums[token..token + T].iter_mut().zip(totals) {
                store_sums(sums, total, first > 0);
            }
        }
    }

    /// Adds s·4·Σ n·x over `count` blocks to the totals, by the activations at `x` and, for each other token, `cols` farther.
    ///
    /// # Safety
    /// The blocks have been laid out, and have activations.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn products<const T: usize>(
        &self,
        x: *const i8,
        cols: usize,
        count: usize,
        totals: &mut [[__m256i; T]; B],
    ) {
        let blocks = self.weights.as_chunks::<PER_BLOCK>().0.iter().zip(&self.steps);
        for (b, (weights, steps)) in blocks.take(count).enumerate() {
            let mut dots = [[_mm256_setzero_si256(); T]; B];
            for (g, weights) in weights.iter().enumerate() {
                for t in 0..T {
                    // SAFETY: by this function's contract.
                    let x = unsafe { broadcast(x.add(t * cols + b * BLOCK + 4 * g)) };
                    for (dots, w) in dots.iter_mut().zip(weights) {
                        // SAFETY: as above.
                        let products = _mm256_maddubs_epi16(unsafe { w.assume_init() }, x);
                        dots[t] = _mm256_add_epi16(dots[t], products);
                    }
                }
            }
            for ((totals, dots), steps) in totals.iter_mut().zip(dots).zip(steps) {
                // SAFETY: as above.
                let steps = unsafe { steps.assume_init() };
                for (total, dot) in totals.iter_mut().zip(dots) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(dot, steps));
                }
            }
        }
    }

    /// The same for two bands, whose totals are `a` and `b`, and three tokens. Six sums of a block and their totals stay
    /// in registers, which a compiler that regroups them does not see to.
    ///
    /// # Safety
    /// As there; there are two bands, and some blocks.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn products_of_six(
        &self,
        x: *const i8,
        cols: usize,
        count: usize,
        [a0, a1, a2]: &mut [__m256i; 3],
        [b0, b1, b2]: &mut [__m256i; 3],
    ) {
        debug_assert!(B == 2 && count > 0);
        // SAFETY: reads what this function's contract says is there.
        unsafe {
            asm!(
                "2:",
                columns!("0", "0", first),
                columns!("64", "4", more),
                columns!("128", "8", more),
                columns!("192", "12", more),
                columns!("256", "16", more),
                columns!("320", "20", more),
                columns!("384", "24", more),
                columns!("448", "28", more),
                total!("0", "a0", "total_a0"),
                total!("0", "a1", "total_a1"),
                total!("0", "a2", "total_a2"),
                total!("32", "b0", "total_b0"),
                total!("32", "b1", "total_b1"),
                total!("32", "b2", "total_b2"),
                "add {weights}, 512",
                "add {steps}, 64",
                "add {x}, 32",
                "dec {count}",
                "jnz 2b",
                weights = inout(reg) self.weights.as_ptr() => _,
                steps = inout(reg) self.steps.as_ptr() => _,
                x = inout(reg) x => _,
                cols = in(reg) cols,
                count = inout(reg) count => _,
                v = out(ymm_reg) _,
                w = out(ymm_reg) _,
                p = out(ymm_reg) _,
                q = out(ymm_reg) _,
                a0 = out(ymm_reg) _,
                a1 = out(ymm_reg) _,
                a2 = out(ymm_reg) _,
                b0 = out(ymm_reg) _,
                b1 = out(ymm_reg) _,
                b2 = out(ymm_reg) _,
                total_a0 = inout(ymm_reg) *a0,
                total_a1 = inout(ymm_reg) *a1,
                total_a2 = inout(ymm_reg) *a2,
                total_b0 = inout(ymm_reg) *b0,
                total_b1 = inout(ymm_reg) *b1,
                total_b2 = inout(ymm_reg) *b2,
                options(nostack, readonly),
            );
        }
    }
}

/// See [`crate::kernel::DotQ4`], for B bands; as many sums of each as tokens, whose block sums are all there.
#[target_feature(enable = "avx2")]
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
    let together = if count <= MOST_TOGETHER { MOST_TOGETHER } else { TOGETHER };
    let steps = count.div_ceil(together) * x.tokens().div_ceil(MOST);
    let (groups, pairs) = bands[0];
    let mut next = Next::new(B, groups, pairs, steps);
    for first in (0..count).step_by(together) {
        let part = first..count.min(first + together);
        for (b, band) in bands.iter().enumerate() {
            expanded.fill(b, *band, &part);
        }
        // SAFETY: so many blocks of each band have been laid out, parameters with them; `blocks` are no more than
        // tokens have, with their sums (`super::super::in_contract`).
        unsafe { expanded.add_to(&mut sums, &x, &part, &mut next) }
    }
}
