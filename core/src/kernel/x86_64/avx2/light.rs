//! Activations of 8 bits that are light enough for products to be added up in 16 bits.
//!
//! VPMADDUBSW makes 32 products of bytes and adds them up in twos, held to 16 bits; to widen each of these sums costs as much
//! again. Of a unit of 16 columns a row's products make two sums of eight. Where by Cauchy and Schwarz
//!
//! ```text
//! |Σ w·x| ≤ √(Σ w²) · √(Σ x²) ≤ 210 · 156 < 2¹⁵
//! ```
//!
//! they may be added up modulo 2¹⁶, with w + 128 in place of w, less 128 · Σx. No sum of two is held back if the two activations
//! add up to 128 at most: 255 · 128 < 2¹⁵. Of 576 normally distributed numbers, the largest 127, 95 in 100 groups of activations and
//! 99 in 100 units of weights are light, of 2,048 97 and all; the others go a longer way.

use core::arch::x86_64::*;

use crate::format::BLOCK;
use crate::kernel::{Ints, Widened};

/// Groups of a unit.
pub(super) const UNIT: usize = 4;

/// The most that the squares of a light unit's weights add up to, for each of the two sums of a row.
pub(super) const WEIGHTS: i32 = 210 * 210;

/// The same of activations.
const ACTIVATIONS: i32 = 156 * 156;

/// The most that two activations side by side may add up to.
const TWO: i32 = 128;

/// What stands for the number of a token's heavy groups if they are more than every other one: then all are.
const ALL: u32 = u32::MAX;

/// The words of a token's part of [`Ints::widened`].
///
/// ```text
/// the light groups' activations, of others 0 [cols / 4]
/// -128 · Σ of these, of each unit and sum a number of 16 bits [cols / 16]
/// how many groups are heavy; which [cols / 8]
/// ```
struct Places {
    offsets: usize,
    count: usize,
}

impl Places {
    const fn of(blocks: usize) -> Self {
        Self { offsets: blocks * BLOCK / 4, count: blocks * (BLOCK / 4 + BLOCK / 16) }
    }
}

/// What [`widen`] has made of a token.
#[derive(Clone, Copy)]
pub(super) struct Light<'a> {
    words: &'a [u32],
    blocks: usize,
}

impl<'a> Light<'a> {
    /// Of token `t`, of whole blocks.
    pub(super) fn of(x: &Ints<'a>, t: usize) -> Self {
        let blocks = x.cols / BLOCK;
        let words = x.widened.get(t * blocks..(t + 1) * blocks).unwrap_or_default();
        Self { words: words.as_flattened(), blocks }
    }

    /// The groups that are not among the light ones, in any order; `None` if that is all of them.
    pub(super) fn heavy(self) -> Option<&'a [u32]> {
        let words = self.words.get(Places::of(self.blocks).count..).unwrap_or_default();
        let (&count, places) = words.split_first()?;
        let count = usize::try_from(count).ok().filter(|&count| count <= most(self.blocks))?;
        places.get(..count)
    }
}

/// Words from one token to the next.
pub(super) fn stride(cols: usize) -> usize {
    cols / BLOCK * size_of::<Widened>() / 4
}

/// From a token's values to its offsets, in words.
pub(super) fn offsets(cols: usize) -> usize {
    Places::of(cols / BLOCK).offsets
}

/// Whether all tokens, of whole blocks, have been through [`widen`].
pub(super) fn there(x: &Ints<'_>) -> bool {
    x.cols.is_multiple_of(BLOCK) && x.cols > 0 && x.widened.len() >= x.tokens() * (x.cols / BLOCK)
}

/// Lays out a token's light activations, and a list of the others.
pub(super) fn widen(values: &[i8], out: &mut [Widened]) {
    let blocks = (values.len() / BLOCK).min(out.len());
    let (places, words) = (Places::of(blocks), out.as_flattened_mut());
    let Some((values_out, words)) = words.split_at_mut_checked(places.offsets) else { return };
    let Some((offsets, words)) = words.split_at_mut_checked(places.count - places.offsets) else {
        return;
    };
    let Some((count, list)) = words.split_first_mut() else { return };
    let (mut heavy, most) = (0, most(blocks));
    let units = values.as_chunks::<16>().0.iter().zip(values_out.as_chunks_mut::<UNIT>().0);
    for (u, ((unit, out), offset)) in units.zip(&mut *offsets).enumerate() {
        let groups = unit.as_chunks::<4>().0;
        for (out, group) in out.iter_mut().zip(groups) {
            *out = u32::from_le_bytes(group.map(i8::cast_unsigned));
        }
        let (light, mut sums) = look(unit);
        if !light {
            for (g, group) in (0..).zip(groups).filter(|(g, _)| is_heavy(groups, *g)) {
                let [a, b, c, d] = group.map(i32::from);
                (sums[0], sums[1]) = (sums[0] - a - b, sums[1] - c - d);
                out[g] = 0;
                if let Some(place) = list.get_mut(heavy).filter(|_| heavy < most) {
                    *place = (u * UNIT + g) as u32;
                }
                heavy += 1;
            }
        }
        let [first, second] = sums.map(|sum| (-128 * sum) as u16);
        *offset = u32::from(first) | u32::from(second) << 16;
    }
    *count = if heavy > most { ALL } else { heavy as u32 };
    if heavy > most {
        values_out.fill(0);
        offsets.fill(0);
    }
}

/// The most heavy groups that there are places for.
const fn most(blocks: usize) -> usize {
    blocks * (BLOCK / 8)
}

/// Whether a unit's group `index` is heavy: two of its activations add up to too much, or the unit's squares would with it, and
/// the smaller ones.
fn is_heavy(groups: &[[i8; 4]], index: usize) -> bool {
    let twos = |group: &[i8; 4]| {
        let [a, b, c, d] = group.map(i32::from);
        [(a, b), (c, d)]
    };
    let beyond = |group: &[i8; 4]| twos(group).iter().any(|(a, b)| (a + b).abs() > TWO);
    let squares = |group: &[i8; 4]| twos(group).map(|(a, b)| a * a + b * b);
    let Some(group) = groups.get(index) else { return false };
    if beyond(group) {
        return true;
    }
    let key = |group: &[i8; 4], index: usize| {
        let [first, second] = squares(group);
        (first.max(second), index)
    };
    let own = key(group, index);
    let smaller = groups.iter().enumerate();
    let smaller = smaller.filter(|(i, other)| !beyond(other) && key(other, *i) <= own);
    let sums = smaller.fold([0, 0], |[a, b], (_, other)| {
        let [first, second] = squares(other);
        [a + first, b + second]
    });
    sums.iter().any(|&sum| sum > ACTIVATIONS)
}

/// Whether all of a unit is light, and its two sums.
fn look(unit: &[i8; 16]) -> (bool, [i32; 2]) {
    // SAFETY: every x86-64 has SSE2; 16 bytes are read, as many written.
    unsafe {
        let bytes = _mm_loadu_si128(unit.as_ptr().cast());
        let words = [_mm_unpacklo_epi8(bytes, bytes), _mm_unpackhi_epi8(bytes, bytes)]
            .map(|twice| _mm_srai_epi16::<8>(twice));
        let twos = words.map(|x| _mm_madd_epi16(x, _mm_set1_epi16(1)));
        let [first, second] = words.map(|x| _mm_madd_epi16(x, x));
        // Every other one is of the first, every other of the second sum.
        let both = |x: __m128i| _mm_add_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
        let squares = both(_mm_add_epi32(first, second));
        let sums = both(_mm_add_epi32(twos[0], twos[1]));
        let more = |x: __m128i, than: i32| _mm_cmpgt_epi32(x, _mm_set1_epi32(than));
        let far = |x: __m128i| {
            let beyond = _mm_or_si128(more(x, TWO), _mm_cmplt_epi32(x, _mm_set1_epi32(-TWO)));
            _mm_movemask_ps(_mm_castsi128_ps(beyond))
        };
        let pairs = far(twos[0]) | far(twos[1]) << 4;
        let long = _mm_movemask_ps(_mm_castsi128_ps(more(squares, ACTIVATIONS)));
        let sums = [_mm_cvtsi128_si32(sums), _mm_cvtsi128_si32(_mm_shuffle_epi32::<1>(sums))];
        (pairs | long == 0, sums)
    }
}
