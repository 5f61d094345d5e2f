//! AVX-512 VNNI: `vpdpbusd` adds four products of u8 and i8 to an i32, exactly. A register has 8 columns of 8 rows,
//! two sums for each row.
//!
//! ```text
//! r0: k0 … k7, r1: k0 … k7, … r7: k0 … k7   by   x0 … x7 in every row
//!
//! q8, per two groups and token:  vpdpbusd(w + 128, x8); at the end less 128 · Σx
//! q4, per group:                 n·s ≤ 240 is a u8 again: one 16-bit multiply makes two of them
//!     per token:                 vpdpbusd(n·s, x8); at the end times 4
//!                                vpdpwssd(s·(z - 32), Σx) for the zero points, four blocks at a time
//! ```
//!
//! Up to 8 tokens share each load of weights, each with several sums in flight, so that the instruction's latency
//! does not add up. For more, see [`expand`].

mod expand;
mod registers;
mod softmax;
mod wide;

use core::arch::x86_64::*;

use super::ahead;
use super::registers::{load, store};
use crate::format::encoding::{BLOCK, q4::Pair};
use crate::kernel::elementwise::Elementwise;
use crate::kernel::{Group, Ints, Kernel, Nibbles, Sums, Two, gemv};
use registers::{add_offsets, broadcast, nibbles, offsets, rows, sub_scales, twos, unsigned};

static KERNEL: Kernel = Kernel {
    name: "x86_64-avx512vnni",
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
    q8_wide: |weights, x, tokens, sums| {
        // SAFETY: as above.
        unsafe { wide::q8_wide(weights, x, tokens, sums) }
    },
    elementwise: Elementwise {
        softmax: |scores, scales, limit, x, q| {
            // SAFETY: as above.
            unsafe { softmax::softmax(scores, scales, limit, x, q) }
        },
        ..super::elementwise_for!("avx512f,avx512bw,avx512vl")
    },
};

/// The kernel, on machines that have the features.
pub(super) fn kernel() -> Option<&'static Kernel> {
    super::detect::avx512vnni().then_some(&KERNEL)
}

/// The sum of the sums in flight.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_up<const U: usize>(totals: [__m512i; U]) -> __m512i {
    totals.into_iter().fold(_mm512_setzero_si512(), |sum, total| _mm512_add_epi32(sum, total))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !super::in_contract(&x) {
        return;
    }
    if x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens() {
        return expand::q8([groups], x, [&mut sums[..x.tokens()]]);
    }
    match sums {
        [sum] if x.tokens() == 1 => *sum = q8_one(groups, x),
        _ => super::tiles!(x, sums, [8, 2] [4, 4] [2, 4] [1, 8] q8_tile(groups)),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q8_two(bands: [&[Group]; 2], x: Ints<'_>, sums: [&mut [Sums<i32>]; 2]) {
    if super::are_many(&x, &sums) {
        return expand::q8(bands, x, sums);
    }
    for (groups, sums) in bands.into_iter().zip(sums) {
        q8(groups, x, sums);
    }
}

/// One token, by groups: bands lie as they may, and half as many loads of 32 bytes as of 64 cross into another cache line. On
/// a Zen 4, decoding from memory is half as fast again so.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q8_one(groups: &[Group], x: Ints<'_>) -> Sums<i32> {
    const ABREAST: usize = 8;
    let mut totals = [_mm256_setzero_si256(); ABREAST];
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    for (groups, x) in groups.chunks(ABREAST).zip(x.values.chunks(4 * ABREAST)) {
        let each = groups.iter().zip(x.as_chunks::<4>().0).zip(&mut totals);
        for (i, ((group, x), total)) in each.enumerate() {
            ahead::group(group, i);
            let w = _mm256_xor_si256(load(group), _mm256_set1_epi8(-128));
            let x = _mm256_set1_epi32(i32::from_le_bytes(x.map(i8::cast_unsigned)));
            *total = _mm256_dpbusd_epi32(*total, w, x);
        }
    }
    let none = _mm256_setzero_si256();
    let total = totals.into_iter().fold(none, |sum, total| _mm256_add_epi32(sum, total));
    let sum: i32 = x.block_sums.iter().take(x.cols / BLOCK).map(|&sum| i32::from(sum)).sum();
    let mut sums = Sums::default();
    store(&mut sums, _mm256_sub_epi32(total, _mm256_set1_epi32(128 * sum)));
    sums
}

/// T tokens, with U sums in flight each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q8_tile<const T: usize, const U: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let mut totals = [[_mm512_setzero_si512(); U]; T];
    let mut add = |i: usize, u: usize, two: &[Group; 2]| {
        ahead::group(&two[0], 0);
        let w = unsigned(two);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ 8·i + 8 columns.
            let x = unsafe { broadcast(x.values.as_ptr().add(t * x.cols + 8 * i)) };
            totals[u] = _mm512_dpbusd_epi32(totals[u], w, x);
        }
    };
    let (twos, last) = twos(groups.get(..x.cols / 4).unwrap_or(groups));
    let (chunks, rest) = twos.as_chunks::<U>();
    for (i, chunk) in chunks.iter().enumerate() {
        for (u, two) in chunk.iter().enumerate() {
            add(i * U + u, u, two);
        }
    }
    for (i, two) in (chunks.len() * U..).zip(rest.iter().chain(&last)) {
        add(i, 0, two);
    }
    let blocks = (x.cols / BLOCK).max(1);
    for ((sums, totals), block_sums) in
        sums.iter_mut().zip(totals).zip(x.block_sums.chunks_exact(blocks))
    {
        let sum: i32 = block_sums.iter().map(|&sum| i32::from(sum)).sum();
        store(sums, _mm256_sub_epi32(rows(add_up(totals)), _mm256_set1_epi32(128 * sum)));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !super::in_contract(&x) {
        return;
    }
    if x.tokens() >= super::WORTH_EXPANDING && sums.len() >= x.tokens() {
        return expand::q4([(groups, pairs)], x, [&mut sums[..x.tokens()]]);
    }
    super::tiles!(x, sums, [8, 2] [4, 4] [2, 4] [1, 8] q4_tile((groups, pairs)));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn q4_tile<const T: usize, const U: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let mut totals = [[_mm512_setzero_si512(); U]; T];
    for ((p, pair), blocks) in pairs.iter().enumerate().zip(super::blocks(groups, x).chunks(2)) {
        ahead::pair(groups, pairs, p);
        for ((b, groups), s) in blocks.iter().enumerate().zip(sub_scales(pair)) {
            for (g, group) in groups.iter().enumerate() {
                let w = nibbles(group, s);
                let column = (2 * p + b) * BLOCK + 8 * g;
                for (t, totals) in totals.iter_mut().enumerate() {
                    // SAFETY: token t < T of x.cols ≥ column + 8 columns (`super::blocks`).
                    let x = unsafe { broadcast(x.values.as_ptr().add(t * x.cols + column)) };
                    let u = (4 * b + g) % U;
                    totals[u] = _mm512_dpbusd_epi32(totals[u], w, x);
                }
            }
        }
    }
    let mut totals = totals.map(|totals| _mm512_slli_epi32::<2>(add_up(totals)));
    add_offsets(&mut totals, pairs.chunks(2).map(|pairs| offsets(pairs)), x, 0);
    for (sums, total) in sums.iter_mut().zip(totals) {
        store(sums, rows(total));
    }
}
