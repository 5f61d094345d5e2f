//! AVX2 for many tokens by bytes, in narrow rows, whose numbers are seldom [light](super::light): weights are laid out once for all
//! tokens as numbers of 16 bits, as activations are.
//!
//! Then 16 products take two instructions, VPMADDWD and VPADDD. Bytes take four for 32 (VPSIGNB, VPMADDUBSW, VPMADDWD, VPADDD),
//! three of which only two of four ports can do: on a Zen 4 the loops make 88 and 62 to 72 billion multiply-accumulates a second.
//!
//! ```text
//! r0: k0 … k3, r1: k0 … k3, … r3: k0 … k3   by   x0 … x3 in every row   → i32, two per row; the other rows likewise
//! ```

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::super::ahead::Next;
use super::super::registers::store_sums;
use crate::format::BLOCK;
use crate::kernel::{Group, Ints, Sums, Widened};

/// Groups that are laid out at a time: on the stack, within the first cache.
const TOGETHER: usize = 192;

/// Tokens that share each load of weights: as many as there are registers for.
const MOST: usize = 6;

/// Four columns of eight rows.
type Quad = [__m256i; 2];

/// Lays out a token's activations one behind the other.
pub(super) fn widen(values: &[i8], out: &mut [Widened]) {
    let room = out.as_flattened_mut();
    let count = values.len().min(2 * room.len());
    // SAFETY: a word has two numbers of 16 bits, and any of them make one; so many are there.
    let out = unsafe { core::slice::from_raw_parts_mut(room.as_mut_ptr().cast::<i16>(), count) };
    for (out, value) in out.iter_mut().zip(values) {
        *out = i16::from(*value);
    }
}

/// See [`crate::kernel::DotQ8`]; as many sums as tokens, which have been widened.
#[target_feature(enable = "avx2")]
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(super::light::there(&x) && x.tokens() == sums.len());
    let mut weights = [const { MaybeUninit::<Quad>::uninit() }; TOGETHER];
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    if groups.is_empty() {
        sums.fill(Sums::default());
    }
    let steps = groups.len().div_ceil(TOGETHER) * sums.len().div_ceil(MOST);
    let mut next = Next::new(1, groups, &[], steps);
    let stride = x.cols / BLOCK * size_of::<Widened>() / size_of::<i16>();
    for (first, groups) in (0..).step_by(TOGETHER).zip(groups.chunks(TOGETHER)) {
        for (group, quad) in groups.iter().zip(&mut weights) {
            let half = |at: usize| {
                // SAFETY: 16 of 32 bytes.
                _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(group.as_ptr().add(at).cast()) })
            };
            quad.write([half(0), half(16)]);
        }
        // SAFETY: as many have been written.
        let weights = unsafe { weights[..groups.len()].assume_init_ref() };
        let mut done = 0;
        macro_rules! tiles {
            ($($size:tt)+) => {
                $(while let Some(sums) =
                    sums.get_mut(done..).and_then(<[_]>::first_chunk_mut::<$size>)
                {
                    let x: *const i16 = x.widened.as_ptr().cast();
                    let x = x.wrapping_add(done * stride + 4 * first);
                    // SAFETY: each token has widened columns for all of its groups (`super::light::there`), these from `first` on.
                    unsafe { tile::<$size>(weights, x, stride, sums, first > 0) };
                    done += $size;
                    next.step();
                })+
            };
        }
        tiles!(MOST 4 3 2 1);
    }
}

/// The products of some columns of T tokens, the first one's at `x` and each other's `stride` farther; added to the sums
/// if there are `more`.
///
/// # Safety
/// For each quad of weights there are four activations of each token.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const T: usize>(
    weights: &[Quad],
    x: *const i16,
    stride: usize,
    sums: &mut [Sums<i32>; T],
    more: bool,
) {
    let mut totals = [[_mm256_setzero_si256(); 2]; T];
    for (g, [low, high]) in weights.iter().enumerate() {
        for (t, [first, second]) in totals.iter_mut().enumerate() {
            // SAFETY: by this function's contract.
            let x = unsafe { x.add(t * stride + 4 * g).cast::<i64>().read_unaligned() };
            let x = _mm256_set1_epi64x(x);
            *first = _mm256_add_epi32(*first, _mm256_madd_epi16(*low, x));
            *second = _mm256_add_epi32(*second, _mm256_madd_epi16(*high, x));
        }
    }
    for (sums, [first, second]) in sums.iter_mut().zip(totals) {
        store_sums(sums, super::rows(first, second), more);
    }
}
