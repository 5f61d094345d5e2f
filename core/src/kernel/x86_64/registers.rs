//! What registers of 256 bits are filled with, in every kernel of this folder.

use core::arch::x86_64::*;

use crate::format::encoding::q4::Pair;
use crate::kernel::{Group, Sums};

/// A group's register.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(group: &Group) -> __m256i {
    // SAFETY: a group has 32 bytes.
    unsafe { _mm256_loadu_si256(group.as_ptr().cast()) }
}

/// The i32 of each row.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(sums: &mut Sums<i32>, values: __m256i) {
    // SAFETY: 8 × 4 bytes.
    unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), values) }
}

/// The same, added to what is there if these are `more` of a row's columns.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_sums(sums: &mut Sums<i32>, values: __m256i, more: bool) {
    if !more {
        return store(sums, values);
    }
    // SAFETY: 8 × 4 bytes.
    let before = unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) };
    store(sums, _mm256_add_epi32(values, before));
}

/// The sum of a register's integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_of(x: __m256i) -> i32 {
    let x = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let x = _mm_add_epi32(x, _mm_shuffle_epi32::<0b11_10>(x));
    _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32::<1>(x)))
}

/// The 4 bytes at `quad`, in every row.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn broadcast(quad: *const i8) -> __m256i {
    // SAFETY: by this function's contract.
    _mm256_set1_epi32(unsafe { quad.cast::<i32>().read_unaligned() })
}

/// The parameters of two blocks.
pub(super) struct Parameters {
    /// Per block s, twice for each row.
    pub(super) sub_scales: [__m256i; 2],
    /// s·(z - 32) of the first, then of the second block, for each row.
    pub(super) offsets: __m256i,
}

impl Parameters {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn of(pair: &Pair) -> Self {
        // SAFETY: a pair has 16 bytes.
        let bytes = unsafe { _mm_loadu_si128(pair.as_ptr().cast()) };
        let bytes = _mm256_broadcastsi128_si256(bytes);
        // Each row's byte, twice, in 16 bits each.
        #[rustfmt::skip]
        let rows = _mm256_setr_epi8(
            0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1,
            4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1,
        );
        let behind = _mm256_set1_epi16(8);
        let (low, one) = (_mm256_set1_epi16(0xF), _mm256_set1_epi16(1));
        let subs = _mm256_shuffle_epi8(bytes, rows);
        let zeros = _mm256_shuffle_epi8(bytes, _mm256_add_epi8(rows, behind));
        let first = _mm256_add_epi16(_mm256_and_si256(subs, low), one);
        let second = _mm256_add_epi16(_mm256_srli_epi16::<4>(subs), one);
        let zeros =
            _mm256_blend_epi16::<0xAA>(_mm256_and_si256(zeros, low), _mm256_srli_epi16::<4>(zeros));
        let zeros = _mm256_sub_epi16(zeros, _mm256_set1_epi16(8 + 32));
        let offsets = _mm256_mullo_epi16(_mm256_blend_epi16::<0xAA>(first, second), zeros);
        Self { sub_scales: [first, second], offsets }
    }
}

/// `x`, of which the compiler does not know how it came to be: it would add strides up for each address, which then
/// take longer than the products.
#[inline(always)]
pub(super) fn opaque(mut x: usize) -> usize {
    // SAFETY: no instruction.
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) x, options(pure, nomem, nostack, preserves_flags))
    };
    x
}
