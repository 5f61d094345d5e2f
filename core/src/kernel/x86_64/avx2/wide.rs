//! AVX2 for keys and values in the int8 cache: w widened to 16 bits, VPMADDWD by x gives i32, two per row.

use core::arch::x86_64::*;

use super::super::{ahead, registers::store};
use crate::kernel::{Group, Sums, Wide};

/// See [`crate::kernel::DotQ8Wide`]; only for tables that are handed out where AVX2 has been seen.
pub(in super::super) fn q8_wide(
    weights: Wide<'_>,
    x: &[i16],
    tokens: usize,
    sums: &mut [Sums<i32>],
) {
    let cols = weights.per_band * 4;
    if cols == 0 || tokens == 0 || x.len() < tokens * cols {
        return;
    }
    let mut done = 0;
    macro_rules! tiles {
        ($($size:literal)+) => {
            $(while tokens - done >= $size {
                let x = &x[done * cols..(done + $size) * cols];
                // SAFETY: by this function's contract.
                unsafe { tile::<$size>(weights, x, done, sums.chunks_exact_mut(tokens)) };
                done += $size;
            })+
        };
    }
    tiles!(6 4 3 2 1);
}

/// T tokens, by all bands: a band is short, so what comes before its columns counts. `sums` are those of all tokens,
/// band by band.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<'s, const T: usize>(
    weights: Wide<'_>,
    x: &[i16],
    first: usize,
    sums: impl Iterator<Item = &'s mut [Sums<i32>]>,
) {
    let cols = weights.per_band * 4;
    debug_assert!(x.len() == T * cols);
    let x: [*const i16; T] = core::array::from_fn(|t| x.as_ptr().wrapping_add(t * cols));
    for (groups, sums) in weights.bands().zip(sums) {
        let mut totals = [[_mm256_setzero_si256(); 2]; T];
        let (twos, last) = groups.as_chunks::<2>();
        for (i, two) in twos.iter().enumerate() {
            if first == 0 {
                ahead::line(two.as_ptr().wrapping_add(weights.ahead).cast());
            }
            for (g, group) in (2 * i..).zip(two) {
                // SAFETY: each token has columns of all groups of a band that count.
                unsafe { add(&mut totals, group, x.map(|x| x.wrapping_add(4 * g))) }
            }
        }
        if let [group] = last {
            // SAFETY: as above.
            unsafe { add(&mut totals, group, x.map(|x| x.wrapping_add(8 * twos.len()))) }
        }
        let Some(sums) = sums.get_mut(first..).and_then(<[_]>::first_chunk_mut::<T>) else {
            return;
        };
        for (sums, [first, second]) in sums.iter_mut().zip(totals) {
            store(sums, super::rows(first, second));
        }
    }
}

/// Adds the products of a group and the four activations of each token at `x` to its totals of two rows each: of rows 0 to 3, and 4
/// to 7.
///
/// # Safety
/// There are four.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add<const T: usize>(totals: &mut [[__m256i; 2]; T], group: &Group, x: [*const i16; T]) {
    let [low, high] = [0, 16].map(|at| {
        // SAFETY: a group has 32 bytes.
        let half = unsafe { _mm_loadu_si128(group.as_ptr().wrapping_add(at).cast()) };
        _mm256_cvtepi8_epi16(half)
    });
    for ([first, second], x) in totals.iter_mut().zip(x) {
        // SAFETY: by this function's contract.
        let x = _mm256_set1_epi64x(unsafe { x.cast::<i64>().read_unaligned() });
        *first = _mm256_add_epi32(*first, _mm256_madd_epi16(low, x));
        *second = _mm256_add_epi32(*second, _mm256_madd_epi16(high, x));
    }
}
