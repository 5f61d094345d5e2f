//! AVX2 for many tokens by nibbles: some columns' weights are laid out once for all of them, a byte each, and with
//! them what the blocks are multiplied with.
//!
//! Two bands and four tokens make 45 multiply-accumulates a cycle on a Zen 4, of the 48 that three instructions a cycle
//! would (VPMADDUBSW, VPADDW and a block's VPMADDWD and VPADDD). Other shapes, 1 to 3 bands and 3 to 6 tokens, make 42 to
//! 46; the compiler's own code for this one, which spills, 41.

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::super::ahead::Next;
use super::super::registers::{Parameters, broadcast, load, store};
use crate::format::BLOCK;
use crate::kernel::{Ints, Nibbles, Sums};

/// Tokens from which on this is cheaper.
pub(super) const WORTH_EXPANDING: usize = 16;

/// Blocks that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 24;

/// Tokens that share each load of weights.
const MOST: usize = 4;

/// Registers of a block's weights.
const PER_BLOCK: usize = BLOCK / 4;

/// Four columns of two bands, `$at` bytes from the block's first weights, by the activations of four tokens, `$k` bytes
/// from the block's first ones: a block's `first`, or `more` of them to be added.
macro_rules! columns {
    ($at:literal, $k:literal, $add:ident) => {
        concat!(
            "vmovdqa {v}, ymmword ptr [{weights} + ", $at, "]\n",
            "vmovdqa {w}, ymmword ptr [{weights} + ", $at, " + 32]\n",
            columns!(@token $add, "{x0}", $k, "a0", "b0"),
            columns!(@token $add, "{x0} + {cols}", $k, "a1", "b1"),
            columns!(@token $add, "{x0} + 2 * {cols}", $k, "a2", "b2"),
            columns!(@token $add, "{x3}", $k, "a3", "b3"),
        )
    };
    (@token first, $x:literal, $k:literal, $a:literal, $b:literal) => {
        concat!(
            "vpbroadcastd {x}, dword ptr [", $x, " + ", $k, "]\n",
            "vpmaddubsw {", $a, "}, {v}, {x}\n",
            "vpmaddubsw {", $b, "}, {w}, {x}\n",
        )
    };
    (@token more, $x:literal, $k:literal, $a:literal, $b:literal) => {
        concat!(
            "vpbroadcastd {x}, dword ptr [", $x, " + ", $k, "]\n",
            "vpmaddubsw {y}, {v}, {x}\n",
            "vpmaddubsw {x}, {w}, {x}\n",
            "vpaddw {", $a, "}, {", $a, "}, {y}\n",
            "vpaddw {", $b, "}, {", $b, "}, {x}\n",
        )
    };
}

/// A block's sum times steps, added to the total that lies `$at` bytes from the first.
macro_rules! total {
    ($at:literal, $sum:literal, $steps:literal) => {
        concat!(
            "vpmaddwd {",
            $sum,
            "}, {",
            $sum,
            "}, {",
            $steps,
            "}\n",
            "vpaddd {",
            $sum,
            "}, {",
            $sum,
            "}, ymmword ptr [{totals} + ",
            $at,
            "]\n",
            "vmovdqa ymmword ptr [{totals} + ",
            $at,
            "], {",
            $sum,
            "}\n",
        )
    };
}

/// Some blocks of B bands, the bands in turn.
struct Expanded<const B: usize> {
    /// n, 8 rows × 4 columns each.
    weights: [[MaybeUninit<__m256i>; B]; TOGETHER * PER_BLOCK],
    /// 4·s of each block, twice for each row.
    steps: [[MaybeUninit<__m256i>; B]; TOGETHER],
    /// s·(z - 32) of two blocks each.
    offsets: [[MaybeUninit<__m256i>; B]; TOGETHER / 2],
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
        mut x: Ints<'_>,
        blocks: &Range<usize>,
        next: &mut Next,
    ) {
        let mut done = 0;
        macro_rules! tiles {
            ($($size:tt)+) => {
                $(while x.tokens() >= $size {
                    // SAFETY: by this function's contract.
                    unsafe { self.tile::<$size>(sums, done, x, blocks) };
                    (x, done) = (x.split($size).1, done + $size);
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
        x: Ints<'_>,
        blocks: &Range<usize>,
    ) {
        debug_assert!(x.values.len() >= T * x.cols && blocks.end * BLOCK <= x.cols);
        let (first, count) = (blocks.start, blocks.len());
        let mut totals = [[_mm256_setzero_si256(); T]; B];
        // SAFETY: by this function's contract.
        unsafe {
            let x_first = x.values.as_ptr().add(first * BLOCK);
            if B == 2 && T == 4 {
                let totals = totals.as_flattened_mut().as_mut_ptr();
                self.products_of_eight(x_first, x.cols, count, totals);
            } else {
                self.products(x_first, x.cols, count, &mut totals);
            }
        }
        let pairs = (first / 2..).zip(self.offsets.iter().take(count.div_ceil(2)));
        for (p, offsets) in pairs {
            let whole = 2 * p + 2 <= x.cols / BLOCK;
            for t in 0..T {
                let sums = if whole {
                    // SAFETY: token t < T has x.cols / 32 ≥ 2·p + 2 block sums.
                    unsafe {
                        let sums = x.block_sums.as_ptr().add(t * (x.cols / BLOCK) + 2 * p);
                        broadcast(sums.cast())
                    }
                } else {
                    _mm256_set1_epi32(super::super::pair_sums(x, t, p))
                };
                for (totals, offsets) in totals.iter_mut().zip(offsets) {
                    // SAFETY: as many have been written.
                    let offsets = unsafe { offsets.assume_init() };
                    totals[t] = _mm256_add_epi32(totals[t], _mm256_madd_epi16(offsets, sums));
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (sums, mut total) in sums[token..token + T].iter_mut().zip(totals) {
                if first > 0 {
                    // SAFETY: 8 × 4 bytes.
                    let before = unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) };
                    total = _mm256_add_epi32(total, before);
                }
                store(sums, total);
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

    /// The same for two bands and four tokens. A block's eight sums stay in registers, which a compiler that regroups
    /// them does not see to.
    ///
    /// # Safety
    /// As there; there are two bands, some blocks, and from `totals` on eight of them.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn products_of_eight(
        &self,
        x: *const i8,
        cols: usize,
        count: usize,
        totals: *mut __m256i,
    ) {
        debug_assert!(B == 2 && count > 0);
        // SAFETY: reads and writes what this function's contract says is there.
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
                "vmovdqa {v}, ymmword ptr [{steps}]",
                "vmovdqa {w}, ymmword ptr [{steps} + 32]",
                total!("0", "a0", "v"),
                total!("32", "a1", "v"),
                total!("64", "a2", "v"),
                total!("96", "a3", "v"),
                total!("128", "b0", "w"),
                total!("160", "b1", "w"),
                total!("192", "b2", "w"),
                total!("224", "b3", "w"),
                "add {weights}, 512",
                "add {steps}, 64",
                "add {x0}, 32",
                "add {x3}, 32",
                "dec {count}",
                "jnz 2b",
                weights = inout(reg) self.weights.as_ptr() => _,
                steps = inout(reg) self.steps.as_ptr() => _,
                x0 = inout(reg) x => _,
                x3 = inout(reg) x.add(3 * cols) => _,
                cols = in(reg) cols,
                count = inout(reg) count => _,
                totals = in(reg) totals,
                v = out(ymm_reg) _,
                w = out(ymm_reg) _,
                x = out(ymm_reg) _,
                y = out(ymm_reg) _,
                a0 = out(ymm_reg) _,
                a1 = out(ymm_reg) _,
                a2 = out(ymm_reg) _,
                a3 = out(ymm_reg) _,
                b0 = out(ymm_reg) _,
                b1 = out(ymm_reg) _,
                b2 = out(ymm_reg) _,
                b3 = out(ymm_reg) _,
                options(nostack),
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
    let count = bands
        .iter()
        .map(|(groups, pairs)| super::super::blocks(groups, x).len().min(2 * pairs.len()));
    let count = count.min().unwrap_or(0);
    if count == 0 {
        sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let steps = count.div_ceil(TOGETHER) * x.tokens().div_ceil(MOST);
    let (groups, pairs) = bands[0];
    let mut next = Next::new(B, groups, pairs, steps);
    for first in (0..count).step_by(TOGETHER) {
        let part = first..count.min(first + TOGETHER);
        for (b, band) in bands.iter().enumerate() {
            expanded.fill(b, *band, &part);
        }
        // SAFETY: so many blocks of each band have been laid out, parameters with them; `blocks` are no more than
        // tokens have, with their sums (`super::super::in_contract`).
        unsafe { expanded.add_to(&mut sums, x, &part, &mut next) }
    }
}
