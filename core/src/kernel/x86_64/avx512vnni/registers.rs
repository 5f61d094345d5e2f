//! What registers of 512 bits are filled with: 8 rows, 8 columns of a row side by side.

use core::arch::x86_64::*;

use super::super::registers::{Parameters, load};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Ints};

/// The 8 bytes at `x`, in every row.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn broadcast<T>(x: *const T) -> __m512i {
    // SAFETY: by this function's contract.
    _mm512_set1_epi64(unsafe { x.cast::<i64>().read_unaligned() })
}

/// The sum of each row's two sums.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn rows(sums: __m512i) -> __m256i {
    _mm512_cvtepi64_epi32(_mm512_add_epi32(sums, _mm512_srli_epi64::<32>(sums)))
}

/// Groups in twos; to the last of an odd number zeros, which activations of 0 wait for.
#[inline]
pub(super) fn twos(groups: &[Group]) -> (&[[Group; 2]], Option<[Group; 2]>) {
    let (twos, last) = groups.as_chunks();
    (twos, last.first().map(|group| [*group, [0; size_of::<Group>()]]))
}

/// Two groups of int8, and 128.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn unsigned(two: &[Group; 2]) -> __m512i {
    let rows = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    // SAFETY: 64 bytes.
    let w = unsafe { _mm512_loadu_si512(two.as_ptr().cast()) };
    _mm512_xor_si512(_mm512_permutexvar_epi32(rows, w), _mm512_set1_epi8(-128))
}

/// A group's nibbles n in bytes, times `s` ≤ 16. Of a 16-bit product of two of them neither carries over.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn nibbles(group: &Group, s: __m512i) -> __m512i {
    let w = _mm512_cvtepu32_epi64(load(group));
    // a & (b | c)
    const AND_OR: i32 = 0xE0;
    let nibble = _mm512_set1_epi8(0xF);
    let n = _mm512_ternarylogic_epi32::<AND_OR>(nibble, w, _mm512_slli_epi64::<28>(w));
    _mm512_mullo_epi16(n, s)
}

/// The sub-scales s of the two blocks of a pair, four times for each row, in 16 bits each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn sub_scales(pair: &Pair) -> [__m512i; 2] {
    // SAFETY: a pair has 16 bytes.
    let bytes = _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(pair.as_ptr().cast()) });
    // The byte of row `r`, four times, zeros between.
    let row = |r: i64| 0x8000_8000_8000_8000_u64.cast_signed() | (r * 0x0001_0001_0001_0001);
    let rows = _mm512_setr_epi64(row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7));
    let subs = _mm512_shuffle_epi8(bytes, rows);
    let one = _mm512_set1_epi16(1);
    let first = _mm512_and_si512(subs, _mm512_set1_epi16(0xF));
    [first, _mm512_srli_epi16::<4>(subs)].map(|s| _mm512_add_epi16(s, one))
}

/// s·(z - 32) of the four blocks of one or two pairs, for each row.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
pub(super) fn offsets(pairs: &[Pair]) -> __m512i {
    pairs.iter().rev().fold(_mm512_setzero_si512(), |later, pair| {
        let offsets = _mm512_cvtepu32_epi64(Parameters::of(pair).offsets);
        _mm512_or_si512(_mm512_slli_epi64::<32>(later), offsets)
    })
}

/// Adds to each token's sums the products of `offsets`, four blocks each, with its block sums from block
/// `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn add_offsets<const T: usize>(
    totals: &mut [__m512i; T],
    offsets: impl Iterator<Item = __m512i>,
    x: Ints<'_>,
    first: usize,
) {
    let blocks = x.cols / BLOCK;
    debug_assert!(x.block_sums.len() >= T * blocks);
    for (i, offsets) in (first..).step_by(4).zip(offsets) {
        if blocks < 4 {
            for (t, total) in totals.iter_mut().enumerate() {
                let sums = x.block_sums.get(t * blocks..(t + 1) * blocks).unwrap_or_default();
                let sums = sums
                    .iter()
                    .rev()
                    .fold(0, |later, sum| (later << 16) | i64::from(sum.cast_unsigned()));
                *total = _mm512_dpwssd_epi32(*total, offsets, _mm512_set1_epi64(sums));
            }
            return;
        }
        // Where fewer than four remain, the last four, of which the first have been counted.
        let from = i.min(blocks - 4);
        let offsets = _mm512_sll_epi64(offsets, _mm_cvtsi64_si128(16 * (i - from) as i64));
        for (t, total) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of `blocks` ≥ from + 4 sums.
            let sums = unsafe { broadcast(x.block_sums.as_ptr().add(t * blocks + from)) };
            *total = _mm512_dpwssd_epi32(*total, offsets, sums);
        }
    }
}
