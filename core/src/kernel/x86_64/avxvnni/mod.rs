//! AVX-VNNI: what [`avx512vnni`](super::avx512vnni) does, with registers of 256 bits: a group each, 4 columns of
//! 8 rows.
//!
//! Up to 8 tokens share each load of weights. With fewer, each has several sums in flight, so that
//! the instruction's latency does not add up. For more, see [`expand`].

mod expand;

use core::arch::x86_64::*;

use super::ahead;
use super::registers::{Parameters, broadcast, load, store};
use crate::format::encoding::{BLOCK, q4::Pair};
use crate::kernel::{Group, Ints, Kernel, Nibbles, Sums, Two, gemv};

static KERNEL: Kernel = Kernel {
    name: "x86_64-avxvnni",
    f32: super::avx2::f32,
    q8: |groups, x, sums| {
        // SAFETY: the table is handed out by `kernel()`, which has seen the features.
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
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| gemv::q8(KERNEL.q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(KERNEL.q4, bands, x, scale, out),
    // Compilers make the same of `vpdpwssd`.
    q8_wide: super::avx2::q8_wide,
    elementwise: super::elementwise_for!("avx2"),
};

/// The kernel, on machines that have the features.
pub(super) fn kernel() -> Option<&'static Kernel> {
    super::detect::avxvnni().then_some(&KERNEL)
}

/// The sum of the sums in flight.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn add_up<const U: usize>(totals: [__m256i; U]) -> __m256i {
    totals.into_iter().fold(_mm256_setzero_si256(), |sum, total| _mm256_add_epi32(sum, total))
}

#[target_feature(enable = "avx2,avxvnni")]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !super::in_contract(&x) {
        return;
    }
    if x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens() {
        return expand::q8([groups], x, [&mut sums[..x.tokens()]]);
    }
    super::tiles!(x, sums, [8, 1] [4, 2] [2, 4] [1, 8] q8_tile(groups));
}

/// T tokens, with U sums in flight each.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn q8_tile<const T: usize, const U: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let sign = _mm256_set1_epi8(-128);
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    let mut totals = [[_mm256_setzero_si256(); U]; T];
    let (chunks, rest) = groups.as_chunks::<U>();
    let mut column = 0;
    let mut add = |column: usize, group: &Group, u: usize| {
        ahead::group(group, u);
        let w = _mm256_xor_si256(load(group), sign);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ column + 4 columns.
            let x = unsafe { broadcast(x.values.as_ptr().add(t * x.cols + column)) };
            totals[u] = _mm256_dpbusd_avx_epi32(totals[u], w, x);
        }
    };
    for chunk in chunks {
        for (u, group) in chunk.iter().enumerate() {
            add(column + 4 * u, group, u);
        }
        column += 4 * U;
    }
    for (u, group) in rest.iter().enumerate() {
        add(column + 4 * u, group, u);
    }
    let blocks = (x.cols / BLOCK).max(1);
    for ((sums, totals), block_sums) in
        sums.iter_mut().zip(totals).zip(x.block_sums.chunks_exact(blocks))
    {
        let sum = sum_of(block_sums);
        store(sums, _mm256_sub_epi32(add_up(totals), _mm256_set1_epi32(128 * sum)));
    }
}

/// The sum of a token's activations, by its sums of blocks.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_of(block_sums: &[i16]) -> i32 {
    block_sums.iter().map(|&sum| i32::from(sum)).sum()
}

#[target_feature(enable = "avx2,avxvnni")]
fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !super::in_contract(&x) {
        return;
    }
    if x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens() {
        return expand::q4([(groups, pairs)], x, [&mut sums[..x.tokens()]]);
    }
    super::tiles!(x, sums, [8, 1] [4, 2] [2, 4] [1, 8] q4_tile((groups, pairs)));
}

#[target_feature(enable = "avx2,avxvnni")]
fn q8_two(bands: [&[Group]; 2], x: Ints<'_>, sums: [&mut [Sums<i32>]; 2]) {
    if super::are_many(&x, &sums) {
        return expand::q8(bands, x, sums);
    }
    for (groups, sums) in bands.into_iter().zip(sums) {
        q8(groups, x, sums);
    }
}

#[target_feature(enable = "avx2,avxvnni")]
fn q4_two(bands: [Nibbles<'_>; 2], x: Ints<'_>, sums: [&mut [Sums<i32>]; 2]) {
    if super::are_many(&x, &sums) {
        return expand::q4(bands, x, sums);
    }
    for ((groups, pairs), sums) in bands.into_iter().zip(sums) {
        q4(groups, pairs, x, sums);
    }
}

/// T tokens, with U sums in flight each.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn q4_tile<const T: usize, const U: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let nibble = _mm256_set1_epi8(0xF);
    let mut totals = [[_mm256_setzero_si256(); U]; T];
    let mut zeros = [_mm256_setzero_si256(); T];
    for ((p, pair), blocks) in pairs.iter().enumerate().zip(super::blocks(groups, x).chunks(2)) {
        ahead::pair(groups, pairs, p);
        let parameters = Parameters::of(pair);
        for (t, zeros) in zeros.iter_mut().enumerate() {
            let block_sums = if blocks.len() == 2 {
                // SAFETY: token t < T has x.cols / 32 ≥ 2·p + 2 block sums (`q4`, `super::blocks`).
                unsafe {
                    let sums = x.block_sums.as_ptr().add(t * (x.cols / BLOCK) + 2 * p);
                    broadcast(sums.cast())
                }
            } else {
                _mm256_set1_epi32(super::pair_sums(x, t, p))
            };
            *zeros = _mm256_dpwssd_avx_epi32(*zeros, parameters.offsets, block_sums);
        }
        for ((b, groups), s) in blocks.iter().enumerate().zip(parameters.sub_scales) {
            for (g, group) in groups.iter().enumerate() {
                let w = load(group);
                let low = _mm256_mullo_epi16(_mm256_and_si256(w, nibble), s);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble);
                let high = _mm256_mullo_epi16(high, s);
                let column = (2 * p + b) * BLOCK + 8 * g;
                for (t, totals) in totals.iter_mut().enumerate() {
                    // SAFETY: token t < T of x.cols ≥ column + 8 columns (`super::blocks`).
                    let (x_low, x_high) = unsafe {
                        let x = x.values.as_ptr().add(t * x.cols + column);
                        (broadcast(x), broadcast(x.add(4)))
                    };
                    let (u, v) = (2 * g % U, (2 * g + 1) % U);
                    totals[u] = _mm256_dpbusd_avx_epi32(totals[u], low, x_low);
                    totals[v] = _mm256_dpbusd_avx_epi32(totals[v], high, x_high);
                }
            }
        }
    }
    for ((sums, totals), zeros) in sums.iter_mut().zip(totals).zip(zeros) {
        store(sums, _mm256_add_epi32(_mm256_slli_epi32::<2>(add_up(totals)), zeros));
    }
}
