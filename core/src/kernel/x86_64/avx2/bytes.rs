//! AVX2 for many tokens by bytes: some columns' weights are laid out once for all of them, w + 128, so that [`light`] products
//! are added up in 16 bits, those of 16 columns at a time. What is heavy is taken apart:
//!
//! ```text
//! Σ w·x = Σ light w · light x        by 16 bits
//!       + Σ heavy w · light x        units of weights, here
//!       + Σ w · heavy x              groups of activations, as `super::light::widen` lists them
//! ```

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::super::ahead::Next;
use super::super::registers::{broadcast, load, store_sums};
use super::columns;
use super::light::{self, Light, UNIT, WEIGHTS};
use crate::kernel::{Group, Ints, Sums};

/// Groups that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 192;

/// Tokens that share each load of weights.
const MOST: usize = 3;

/// A token's offsets of a unit, added to its two sums.
macro_rules! less {
    ($offsets:literal, $a:literal, $b:literal) => {
        concat!(
            "vpbroadcastd {p}, dword ptr [",
            $offsets,
            "]\n",
            "vpaddw {",
            $a,
            "}, {",
            $a,
            "}, {p}\n",
            "vpaddw {",
            $b,
            "}, {",
            $b,
            "}, {p}\n",
        )
    };
}

/// A unit's sums, widened and added to the total.
macro_rules! total {
    ($sum:literal, $total:literal) => {
        concat!(
            "vpmaddwd {",
            $sum,
            "}, {",
            $sum,
            "}, ymmword ptr [{ones}]\n",
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

/// Some groups of B bands, the bands in turn.
struct Expanded<const B: usize> {
    /// w + 128; 128 where that is heavy, and behind the last group up to a whole unit.
    weights: [[MaybeUninit<__m256i>; B]; TOGETHER],
    /// Heavy units of each band, as many as the number says.
    heavy: [([u8; TOGETHER / UNIT], usize); B],
}

impl<const B: usize> Expanded<B> {
    #[inline]
    fn new() -> Self {
        Self {
            weights: [const { [const { MaybeUninit::uninit() }; B] }; TOGETHER],
            heavy: [([0; TOGETHER / UNIT], 0); B],
        }
    }

    /// Lays out some groups of each band, begun units and whole ones.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn fill(&mut self, bands: &[&[Group]; B], part: &Range<usize>) {
        let none = _mm256_set1_epi8(-128);
        for (b, groups) in bands.iter().enumerate() {
            let (list, count) = &mut self.heavy[b];
            *count = 0;
            let units = groups[part.clone()].chunks(UNIT);
            for ((u, unit), weights) in (0..).zip(units).zip(self.weights.as_chunks_mut().0) {
                let weights: &mut [_; UNIT] = weights;
                let heavy = is_heavy(unit);
                for (g, weights) in weights.iter_mut().enumerate() {
                    let w = unit.get(g).filter(|_| !heavy).map(|group| load(group));
                    weights[b].write(w.map_or(none, |w| _mm256_xor_si256(w, none)));
                }
                if heavy {
                    list[*count] = u;
                    *count += 1;
                }
            }
        }
    }

    /// Makes the sums of T tokens, from `token` on, the products with groups that have been laid out; adds them unless these are the
    /// first, with which come the heavy activations of all.
    ///
    /// # Safety
    /// These groups of each band, which begin with a unit, have been laid out, and all tokens have been widened (`light::there`), of as
    /// many columns.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn tile<const T: usize>(
        &self,
        bands: &[&[Group]; B],
        sums: &mut [&mut [Sums<i32>]; B],
        token: usize,
        x: &Ints<'_>,
        part: &Range<usize>,
    ) {
        let mut totals = [[_mm256_setzero_si256(); T]; B];
        let stride = light::stride(x.cols);
        let values: *const u32 = x.widened.as_ptr().cast();
        let values = values.wrapping_add(token * stride);
        let first = values.wrapping_add(part.start).cast();
        let offsets = values.wrapping_add(light::offsets(x.cols) + part.start / UNIT).cast();
        let units = part.len().div_ceil(UNIT);
        // SAFETY: by this function's contract; there are units.
        unsafe {
            if let ([a, b], 3) = (totals.as_mut_slice(), T) {
                if let (Some(a), Some(b)) = (a.first_chunk_mut(), b.first_chunk_mut()) {
                    self.products_of_six(first, offsets, 4 * stride, units, a, b);
                }
            } else {
                self.products(first, offsets, 4 * stride, units, &mut totals);
            }
        }
        for (b, (list, count)) in self.heavy.iter().enumerate() {
            for unit in list.iter().take(*count).map(|&unit| part.start + usize::from(unit) * UNIT)
            {
                let groups = bands[b][unit..part.end].iter().take(UNIT);
                for (group, place) in groups.zip(unit..) {
                    for (t, total) in totals[b].iter_mut().enumerate() {
                        // SAFETY: token t has group `place`.
                        let x = unsafe { broadcast(values.add(t * stride + place).cast()) };
                        *total = add(*total, load(group), x);
                    }
                }
            }
        }
        if part.start == 0 {
            let count = super::super::groups_of_all(bands, x);
            for t in 0..T {
                let mut own: [_; B] = core::array::from_fn(|b| totals[b][t]);
                let values = x.values.as_ptr().wrapping_add((token + t) * x.cols);
                // SAFETY: token t has columns of `count` groups, and so has each band.
                unsafe {
                    match Light::of(x, token + t).heavy() {
                        Some(places) => {
                            for &place in places {
                                let place = place as usize;
                                if place < count {
                                    add_group(&mut own, bands, values, place);
                                }
                            }
                        }
                        None => {
                            for place in 0..count {
                                add_group(&mut own, bands, values, place);
                            }
                        }
                    }
                }
                totals.iter_mut().zip(own).for_each(|(totals, own)| totals[t] = own);
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            for (sums, total) in sums[token..token + T].iter_mut().zip(totals) {
                store_sums(sums, total, part.start > 0);
            }
        }
    }

    /// Adds Σ w·x over some units to the totals, by the light activations at `x` and the offsets at `offsets`, for each other token `stride`
    /// bytes farther.
    ///
    /// # Safety
    /// The units have been laid out, and have activations and offsets.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn products<const T: usize>(
        &self,
        x: *const i8,
        offsets: *const i8,
        stride: usize,
        units: usize,
        totals: &mut [[__m256i; T]; B],
    ) {
        for (u, weights) in self.weights.as_chunks::<UNIT>().0.iter().take(units).enumerate() {
            for t in 0..T {
                // SAFETY: by this function's contract.
                let mut sums = [unsafe { broadcast(offsets.add(t * stride + 4 * u)) }; B];
                for (g, weights) in weights.iter().enumerate() {
                    // SAFETY: as above.
                    let x = unsafe { broadcast(x.add(t * stride + 4 * (u * UNIT + g))) };
                    for (sum, w) in sums.iter_mut().zip(weights) {
                        // SAFETY: as above.
                        let products = _mm256_maddubs_epi16(unsafe { w.assume_init() }, x);
                        *sum = _mm256_add_epi16(*sum, products);
                    }
                }
                for (totals, sum) in totals.iter_mut().zip(sums) {
                    let wide = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
                    totals[t] = _mm256_add_epi32(totals[t], wide);
                }
            }
        }
    }

    /// The same for two bands, whose totals are `a` and `b`, and three tokens, in registers as those of
    /// [`super::expand`]'s.
    ///
    /// # Safety
    /// As there; there are two bands, and some units.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn products_of_six(
        &self,
        x: *const i8,
        offsets: *const i8,
        stride: usize,
        units: usize,
        [a0, a1, a2]: &mut [__m256i; 3],
        [b0, b1, b2]: &mut [__m256i; 3],
    ) {
        debug_assert!(B == 2 && units > 0);
        let ones = _mm256_set1_epi16(1);
        // SAFETY: reads what this function's contract says is there.
        unsafe {
            asm!(
                "2:",
                columns!("0", "0", first),
                less!("{offsets}", "a0", "b0"),
                less!("{offsets} + {cols}", "a1", "b1"),
                less!("{offsets} + 2 * {cols}", "a2", "b2"),
                columns!("64", "4", more),
                columns!("128", "8", more),
                columns!("192", "12", more),
                total!("a0", "total_a0"),
                total!("a1", "total_a1"),
                total!("a2", "total_a2"),
                total!("b0", "total_b0"),
                total!("b1", "total_b1"),
                total!("b2", "total_b2"),
                "add {weights}, 256",
                "add {offsets}, 4",
                "add {x}, 16",
                "dec {units}",
                "jnz 2b",
                weights = inout(reg) self.weights.as_ptr() => _,
                offsets = inout(reg) offsets => _,
                ones = in(reg) &raw const ones,
                x = inout(reg) x => _,
                cols = in(reg) stride,
                units = inout(reg) units => _,
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

/// Whether the squares of some groups' weights add up to more than light ones may.
#[inline]
#[target_feature(enable = "avx2")]
fn is_heavy(groups: &[Group]) -> bool {
    let mut squares = [_mm256_setzero_si256(); 2];
    for group in groups {
        for (squares, half) in squares.iter_mut().zip(group.as_chunks::<16>().0) {
            // SAFETY: 16 bytes.
            let w = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(half.as_ptr().cast()) });
            *squares = _mm256_add_epi32(*squares, _mm256_madd_epi16(w, w));
        }
    }
    let [first, second] = squares;
    let largest = _mm256_max_epi32(first, second);
    _mm256_movemask_epi8(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(WEIGHTS))) != 0
}

/// A group's products, of any weights and activations, added to the total of each row.
#[inline]
#[target_feature(enable = "avx2")]
fn add(total: __m256i, w: __m256i, x: __m256i) -> __m256i {
    let products = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    _mm256_add_epi32(total, _mm256_madd_epi16(products, _mm256_set1_epi16(1)))
}

/// Group `place` of each band by a token's activations, whose first is at `x`, added to the band's total.
///
/// # Safety
/// All have that group.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_group<const B: usize>(
    totals: &mut [__m256i; B],
    bands: &[&[Group]; B],
    x: *const i8,
    place: usize,
) {
    // SAFETY: by this function's contract.
    let x = unsafe { broadcast(x.add(4 * place)) };
    for (total, groups) in totals.iter_mut().zip(bands) {
        // SAFETY: as above.
        *total = add(*total, load(unsafe { groups.get_unchecked(place) }), x);
    }
}

/// See [`crate::kernel::DotQ8`], for B bands; as many sums of each as tokens, which have been widened.
#[target_feature(enable = "avx2")]
pub(super) fn q8<const B: usize>(
    bands: [&[Group]; B],
    x: Ints<'_>,
    mut sums: [&mut [Sums<i32>]; B],
) {
    debug_assert!(light::there(&x) && sums.iter().all(|sums| x.tokens() == sums.len()));
    let count = super::super::groups_of_all(&bands, &x);
    let bands = bands.map(|groups| &groups[..count]);
    if count == 0 {
        sums.iter_mut().for_each(|sums| sums.fill(Sums::default()));
    }
    let mut expanded = Expanded::<B>::new();
    let tokens = x.tokens();
    let steps = count.div_ceil(TOGETHER) * tokens.div_ceil(MOST);
    let mut next = Next::new(B, bands[0], &[], steps);
    for first in (0..count).step_by(TOGETHER) {
        let part = first..count.min(first + TOGETHER);
        expanded.fill(&bands, &part);
        let mut done = 0;
        macro_rules! tiles {
            ($($size:tt)+) => {
                $(while tokens - done >= $size && (tokens - done, $size) != (MOST + 1, MOST) {
                    // SAFETY: these have been laid out; tokens have been widened.
                    unsafe { expanded.tile::<$size>(&bands, &mut sums, done, &x, &part) };
                    done += $size;
                    next.step();
                })+
            };
        }
        tiles!(MOST 2 1);
    }
}
