//! AVX2: a register holds a group, 8 rows × 4 columns of int8.
//!
//! ```text
//! q8, per group and token:  x4 = the token's 4 activations in every row
//!   maddubs(|w|, sign(x4, w))  → i16, two per row      at most 2 · 127 · 127 < 2¹⁵
//!   maddwd(·, 1)               → i32, one per row; added up
//! q4, per block and token:
//!   Σ maddubs(n, x4)           → i16, two per row      at most 8 · 2 · 15 · 127 < 2¹⁵
//!   maddwd(·, 4·s)             → i32, one per row; added up
//!   maddwd(s·(z - 32), Σx)     → the same for the zero points, two blocks at a time
//! ```
//!
//! Up to 8 tokens share each load of weights; their sums stay in registers. More share weights that are laid out for
//! them, of two bands that share each load of activations: nibbles, [`expand`], or [`bytes`] whose products are [`light`].
//! In narrow rows few are: [`widened`]. Keys and values, in the cache: [`wide`].

mod bytes;
mod expand;
mod light;
mod wide;
mod widened;

use core::arch::x86_64::*;

pub(super) use wide::q8_wide;

use super::ahead;
use super::registers::{Parameters, broadcast, load, store};
use crate::format::encoding::{BLOCK, q4::Pair};
use crate::kernel::{Group, Ints, Kernel, Nibbles, Sums, Two, Widened, gemv};

static KERNEL: Kernel = Kernel {
    name: "x86_64-avx2",
    f32,
    q8: |groups, x, sums| {
        // SAFETY: the table is handed out by `kernel()`, which has seen AVX2.
        unsafe { q8(groups, x, sums) }
    },
    q4: |groups, pairs, x, sums| {
        // SAFETY: as above.
        unsafe { q4(groups, pairs, x, sums) }
    },
    two: Some(Two {
        q8: |bands, x, sums| {
            // SAFETY: as above.
            unsafe { q8_two(bands, x, sums) }
        },
        q4: |bands, x, sums| {
            // SAFETY: as above.
            unsafe { q4_two(bands, x, sums) }
        },
    }),
    avx2: true,
    widens_q8: true,
    gemv_q8: |bands, x, scale, out| gemv::q8(KERNEL.q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(KERNEL.q4, bands, x, scale, out),
    q8_wide,
    elementwise: super::elementwise_for!("avx2"),
};

/// Columns from which on most of a row's numbers are [`light`]: the largest one makes the others small.
const WIDE: usize = 384;

/// See [`crate::kernel::widen`].
pub(in crate::kernel) fn widen(values: &[i8], out: &mut [Widened]) {
    if values.len() < WIDE {
        return widened::widen(values, out);
    }
    light::widen(values, out);
}

/// The kernel, on machines that have AVX2.
pub(super) fn kernel() -> Option<&'static Kernel> {
    super::detect::avx2().then_some(&KERNEL)
}

/// Four columns of two bands, `$at` bytes from the block's first weights, by the activations of three tokens, `$k` bytes
/// from the block's first ones: a block's `first`, or `more` of them to be added.
macro_rules! columns {
    ($at:literal, $k:literal, $add:ident) => {
        concat!(
            "vmovdqa {v}, ymmword ptr [{weights} + ", $at, "]\n",
            "vmovdqa {w}, ymmword ptr [{weights} + ", $at, " + 32]\n",
            columns!(@token $add, "{x}", $k, "a0", "b0"),
            columns!(@token $add, "{x} + {cols}", $k, "a1", "b1"),
            columns!(@token $add, "{x} + 2 * {cols}", $k, "a2", "b2"),
        )
    };
    (@token first, $x:literal, $k:literal, $a:literal, $b:literal) => {
        concat!(
            "vpbroadcastd {p}, dword ptr [", $x, " + ", $k, "]\n",
            "vpmaddubsw {", $a, "}, {v}, {p}\n",
            "vpmaddubsw {", $b, "}, {w}, {p}\n",
        )
    };
    (@token more, $x:literal, $k:literal, $a:literal, $b:literal) => {
        concat!(
            "vpbroadcastd {p}, dword ptr [", $x, " + ", $k, "]\n",
            "vpmaddubsw {q}, {v}, {p}\n",
            "vpmaddubsw {p}, {w}, {p}\n",
            "vpaddw {", $a, "}, {", $a, "}, {q}\n",
            "vpaddw {", $b, "}, {", $b, "}, {p}\n",
        )
    };
}
use columns;

/// Dot products of floats; only for tables that are handed out where AVX2 has been seen.
pub(super) fn f32(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]) {
    let cols = columns.len().max(1);
    let (pairs, _) = sums.as_chunks_mut::<2>();
    for (x, sums) in x.chunks_exact(2 * cols).zip(pairs) {
        // SAFETY: by this function's contract.
        unsafe { f32_tile(columns, x, sums) }
    }
    let tokens = (x.len() / cols).min(sums.len());
    if tokens % 2 == 1 {
        let (x, sums) = (&x[(tokens - 1) * cols..tokens * cols], &mut sums[tokens - 1]);
        // SAFETY: as above.
        unsafe { f32_tile(columns, x, core::array::from_mut(sums)) }
    }
}

/// T tokens; four sums of each row in flight, in the order that the scalar kernel adds.
#[target_feature(enable = "avx2")]
fn f32_tile<const T: usize>(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>; T]) {
    let cols = columns.len();
    debug_assert!(x.len() == T * cols);
    let mut partial = [[_mm256_setzero_ps(); 4]; T];
    for (g, four) in columns.chunks(4).enumerate() {
        for (k, column) in four.iter().enumerate() {
            // SAFETY: a column has 32 bytes.
            let w = unsafe { _mm256_loadu_ps(column.as_ptr().cast()) };
            for (t, partial) in partial.iter_mut().enumerate() {
                // SAFETY: token t < T of `cols` columns, and 4·g + k < cols.
                let x = unsafe { *x.get_unchecked(t * cols + 4 * g + k) };
                partial[k] = _mm256_add_ps(partial[k], _mm256_mul_ps(w, _mm256_set1_ps(x)));
            }
        }
    }
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(partial) {
        let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        // SAFETY: 8 × 4 bytes.
        unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), sum) }
    }
}

#[target_feature(enable = "avx2")]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let many = x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens();
    if many && light::there(&x) {
        let sums = &mut sums[..x.tokens()];
        if x.cols < WIDE {
            return widened::q8(groups, x, sums);
        }
        return bytes::q8([groups], x, [sums]);
    }
    super::tiles!(x, sums, [4] [3] [2] [1] q8_tile(groups));
}

#[target_feature(enable = "avx2")]
fn q8_two(bands: [&[Group]; 2], x: Ints<'_>, sums: [&mut [Sums<i32>]; 2]) {
    if super::are_many(&x, &sums) && x.cols >= WIDE && light::there(&x) {
        return bytes::q8(bands, x, sums);
    }
    for (groups, sums) in bands.into_iter().zip(sums) {
        q8(groups, x, sums);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn q8_tile<const T: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let ones = _mm256_set1_epi16(1);
    let mut totals = [_mm256_setzero_si256(); T];
    for (g, group) in groups.iter().take(x.cols / 4).enumerate() {
        ahead::group(group, g);
        let w = load(group);
        let magnitude = _mm256_abs_epi8(w);
        for (t, total) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ 4·g + 4 columns.
            let x = unsafe { broadcast(x.values.as_ptr().add(t * x.cols + 4 * g)) };
            let products = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, w));
            *total = _mm256_add_epi32(*total, _mm256_madd_epi16(products, ones));
        }
    }
    for (sums, total) in sums.iter_mut().zip(totals) {
        store(sums, total);
    }
}

#[target_feature(enable = "avx2")]
fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !super::in_contract(&x) {
        return;
    }
    if x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens() {
        return expand::q4([(groups, pairs)], x, [&mut sums[..x.tokens()]]);
    }
    super::tiles!(x, sums, [8] [4] [2] [1] q4_tile((groups, pairs)));
}

#[target_feature(enable = "avx2")]
fn q4_two(bands: [Nibbles<'_>; 2], x: Ints<'_>, sums: [&mut [Sums<i32>]; 2]) {
    if super::are_many(&x, &sums) {
        return expand::q4(bands, x, sums);
    }
    for ((groups, pairs), sums) in bands.into_iter().zip(sums) {
        q4(groups, pairs, x, sums);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn q4_tile<const T: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let (both, last) = super::blocks(groups, x).as_chunks::<2>();
    let mut totals = [_mm256_setzero_si256(); T];
    for (p, (blocks, pair)) in both.iter().zip(pairs).enumerate() {
        ahead::pair(groups, pairs, p);
        let parameters = Parameters::of(pair);
        for (t, total) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T has x.cols / 32 ≥ 2·p + 2 block sums (`q4`, `super::blocks`).
            let sums = unsafe { x.block_sums.as_ptr().add(t * (x.cols / BLOCK) + 2 * p) };
            // SAFETY: two of 16 bits.
            let zero = _mm256_madd_epi16(parameters.offsets, unsafe { broadcast(sums.cast()) });
            *total = _mm256_add_epi32(*total, zero);
        }
        for (b, block) in blocks.iter().enumerate() {
            q4_block(block, x, (2 * p + b) * BLOCK, parameters.sub_scales[b], &mut totals);
        }
    }
    if let (Some(block), Some(pair)) = (last.first(), pairs.get(both.len())) {
        ahead::pair(groups, pairs, both.len());
        let parameters = Parameters::of(pair);
        for (t, total) in totals.iter_mut().enumerate() {
            let sums = _mm256_set1_epi32(super::pair_sums(x, t, both.len()));
            *total = _mm256_add_epi32(*total, _mm256_madd_epi16(parameters.offsets, sums));
        }
        let column = both.len() * 2 * BLOCK;
        q4_block(block, x, column, parameters.sub_scales[0], &mut totals);
    }
    for (sums, total) in sums.iter_mut().zip(totals) {
        store(sums, total);
    }
}

/// Adds s·4·Σ n·x of the block whose first column is `column` to the totals.
#[inline]
#[target_feature(enable = "avx2")]
fn q4_block<const T: usize>(
    block: &[Group; 4],
    x: Ints<'_>,
    column: usize,
    sub_scales: __m256i,
    totals: &mut [__m256i; T],
) {
    debug_assert!(column + BLOCK <= x.cols && x.values.len() >= T * x.cols);
    let nibble = _mm256_set1_epi8(0xF);
    let mut dots = [_mm256_setzero_si256(); T];
    for (g, group) in block.iter().enumerate() {
        let w = load(group);
        let low = _mm256_and_si256(w, nibble);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble);
        for (t, dot) in dots.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ column + 32 columns (`super::blocks`).
            let (x_low, x_high) = unsafe {
                let x = x.values.as_ptr().add(t * x.cols + column + 8 * g);
                (broadcast(x), broadcast(x.add(4)))
            };
            let low = _mm256_maddubs_epi16(low, x_low);
            let high = _mm256_maddubs_epi16(high, x_high);
            *dot = _mm256_add_epi16(*dot, _mm256_add_epi16(low, high));
        }
    }
    let steps = _mm256_slli_epi16::<2>(sub_scales);
    for (total, dot) in totals.iter_mut().zip(dots) {
        *total = _mm256_add_epi32(*total, _mm256_madd_epi16(dot, steps));
    }
}

/// One sum per row of two: of rows 0 to 3, and 4 to 7.
#[inline]
#[target_feature(enable = "avx2")]
fn rows(first: __m256i, second: __m256i) -> __m256i {
    // Rows 0 1 4 5 | 2 3 6 7.
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(first, second))
}
