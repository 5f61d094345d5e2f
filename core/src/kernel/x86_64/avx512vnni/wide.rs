//! AVX-512 VNNI for keys and values in the int8 cache: 16-bit activations are split into two of 8 bits.
//!
//! ```text
//! x = 256 · high + low                   low a byte with its sign, high within ±64
//! Σ w·x = 256 · Σ (w + 128)·high + Σ (w + 128)·low - 128 · Σ x     two vpdpbusd per 64 products
//! ```

use core::arch::x86_64::*;

use super::super::ahead;
use super::super::registers::store;
use super::registers::{broadcast, rows, twos, unsigned};
use crate::kernel::{Group, Sums, Wide};

/// Columns for which there is room on the stack; longer rows go another way.
const MOST_COLUMNS: usize = 256;

/// The activations of T tokens.
#[repr(align(64))]
struct Split<const T: usize> {
    low: [[i8; MOST_COLUMNS]; T],
    high: [[i8; MOST_COLUMNS]; T],
    /// 128 · Σ x
    excess: [i32; T],
}

/// See [`crate::kernel::DotQ8Wide`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    let cols = weights.per_band * 4;
    if cols == 0 || tokens == 0 || x.len() < tokens * cols {
        return;
    }
    if cols > MOST_COLUMNS {
        return super::super::avx2::q8_wide(weights, x, tokens, sums);
    }
    let mut done = 0;
    macro_rules! tiles {
        ($([$size:literal, $more:literal])+) => {
            $(while tokens - done >= $size {
                let x = &x[done * cols..];
                tile::<$size, $more>(weights, &split(x, cols), done, sums.chunks_exact_mut(tokens));
                done += $size;
            })+
        };
    }
    tiles!([4, 2] [3, 2] [2, 4] [1, 4]);
}

/// Splits T tokens of `cols` columns; zeros follow.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn split<const T: usize>(x: &[i16], cols: usize) -> Split<T> {
    let mut split =
        Split { low: [[0; MOST_COLUMNS]; T], high: [[0; MOST_COLUMNS]; T], excess: [0; T] };
    let (half, one) = (_mm512_set1_epi16(128), _mm512_set1_epi16(1));
    for (t, x) in x.chunks_exact(cols).take(T).enumerate() {
        let mut total = _mm512_setzero_si512();
        let parts = split.low[t].as_chunks_mut::<32>().0.iter_mut();
        let parts = parts.zip(split.high[t].as_chunks_mut::<32>().0);
        for ((low, high), x) in parts.zip(x.chunks(32)) {
            let there = u32::MAX >> (32 - x.len());
            // SAFETY: as many numbers of 16 bits as bits are set.
            let x = unsafe { _mm512_maskz_loadu_epi16(there, x.as_ptr()) };
            total = _mm512_add_epi32(total, _mm512_madd_epi16(x, one));
            let upper = _mm512_srai_epi16::<8>(_mm512_add_epi16(x, half));
            // SAFETY: 32 bytes each.
            unsafe {
                _mm256_storeu_si256(low.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(x));
                _mm256_storeu_si256(high.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(upper));
            }
        }
        split.excess[t] = 128 * _mm512_reduce_add_epi32(total);
    }
    split
}

/// T tokens, with 2·U sums in flight each; `sums` are those of all tokens, band by band.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tile<'s, const T: usize, const U: usize>(
    weights: Wide<'_>,
    x: &Split<T>,
    first: usize,
    sums: impl Iterator<Item = &'s mut [Sums<i32>]>,
) {
    for (groups, sums) in weights.bands().zip(sums) {
        let mut low = [[_mm512_setzero_si512(); U]; T];
        let mut high = low;
        let mut add = |i: usize, u: usize, two: &[Group; 2]| {
            if first == 0 {
                ahead::line(two.as_ptr().cast::<Group>().wrapping_add(weights.ahead).cast());
            }
            let w = unsigned(two);
            for t in 0..T {
                // SAFETY: there are groups of at most `MOST_COLUMNS` columns (`q8_wide`), 8 of them are these.
                let [x_low, x_high] =
                    [&x.low[t], &x.high[t]].map(|x| unsafe { broadcast(x.as_ptr().add(8 * i)) });
                low[t][u] = _mm512_dpbusd_epi32(low[t][u], w, x_low);
                high[t][u] = _mm512_dpbusd_epi32(high[t][u], w, x_high);
            }
        };
        let (twos, last) = twos(groups);
        let (chunks, rest) = twos.as_chunks::<U>();
        for (i, chunk) in chunks.iter().enumerate() {
            for (u, two) in chunk.iter().enumerate() {
                add(i * U + u, u, two);
            }
        }
        for (i, two) in (chunks.len() * U..).zip(rest.iter().chain(&last)) {
            add(i, 0, two);
        }
        let Some(sums) = sums.get_mut(first..).and_then(<[_]>::first_chunk_mut::<T>) else {
            return;
        };
        for (t, sums) in sums.iter_mut().enumerate() {
            let sum = _mm512_add_epi32(
                super::add_up(low[t]),
                _mm512_slli_epi32::<8>(super::add_up(high[t])),
            );
            store(sums, _mm256_sub_epi32(rows(sum), _mm256_set1_epi32(x.excess[t])));
        }
    }
}
