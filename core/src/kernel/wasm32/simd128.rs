//! WebAssembly's 128-bit vectors. A group's 32 bytes are two registers, rows 0 to 3 and rows 4 to 7, four
//! bytes of each; 8-bit products are added up in 16 bits as long as they fit.
//!
//! ```text
//! x4 = a token's 4 activations, four times
//! q8, per two groups and token, four times (two rows each):
//!   extmul(w, x4), twice, added   → i16, four per row     at most 2 · 127 · 127 < 2¹⁵
//!   extadd_pairwise               → i32, two per row; added up
//! q4, per block and token, four times:
//!   Σ extmul(n, x4)               → i16, four per row     at most 8 · 15 · 127 < 2¹⁵
//!   dot(·, 4·s)                   → i32, two per row; added up
//!   extmul(s·(z - 32), Σx)        → i32, one per row, for the zeros
//! q8_wide, per group and token: w widened to i16; dot(·, x4) → i32, two per row
//! ```

use core::arch::wasm32::*;

use crate::format::BLOCK;
use crate::format::encoding::q4::{Block, Pair};
use crate::kernel::elementwise::Elementwise;
use crate::kernel::tiles::{blocks, tiles, wide_tiles};
use crate::kernel::{Group, Ints, Kernel, Sums, Wide, gemv};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "wasm32-simd128",
    f32,
    q8,
    q4,
    two: None,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| gemv::q8(KERNEL.q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(KERNEL.q4, bands, x, scale, out),
    q8_wide,
    elementwise: Elementwise::PORTABLE,
};

/// 16 bytes.
///
/// # Safety
/// They can be read.
#[inline]
unsafe fn load<T>(at: *const T) -> v128 {
    // SAFETY: by this function's contract; no alignment is needed.
    unsafe { v128_load(at.cast()) }
}

/// Rows 0 to 3, then rows 4 to 7 of a group.
#[inline]
fn halves(group: &Group) -> [v128; 2] {
    // SAFETY: a group has 32 bytes.
    unsafe { [load(group.as_ptr()), load(group.as_ptr().add(16))] }
}

/// The 4 bytes at `quad`, four times.
///
/// # Safety
/// They can be read.
#[inline]
unsafe fn broadcast(quad: *const i8) -> v128 {
    // SAFETY: by this function's contract.
    unsafe { v128_load32_splat(quad.cast()) }
}

/// Products in 16 bits: of rows 0 and 1, then of rows 2 and 3 of a register.
#[inline]
fn multiply(w: v128, x: v128) -> [v128; 2] {
    [i16x8_extmul_low_i8x16(w, x), i16x8_extmul_high_i8x16(w, x)]
}

/// The sums of neighbours.
#[inline]
fn add_pairs(a: v128, b: v128) -> v128 {
    i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b))
}

/// The number of each row.
#[inline]
fn store<T>(sums: &mut Sums<T>, [low, high]: [v128; 2]) {
    const { assert!(size_of::<T>() == 4) };
    // SAFETY: 2 · 4 of 8 numbers of 4 bytes.
    unsafe {
        v128_store(sums.as_mut_ptr().cast(), low);
        v128_store(sums.as_mut_ptr().add(4).cast(), high);
    }
}

fn f32(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]) {
    for (x, sums) in x.chunks_exact(columns.len().max(1)).zip(sums) {
        let mut partial = [[f32x4_splat(0.0); 2]; 4];
        for (columns, x) in columns.chunks(4).zip(x.chunks(4)) {
            for ((partial, column), x) in partial.iter_mut().zip(columns).zip(x) {
                for (sum, w) in partial.iter_mut().zip(halves(column)) {
                    *sum = f32x4_add(*sum, f32x4_mul(w, f32x4_splat(*x)));
                }
            }
        }
        let [a, b, c, d] = partial;
        let sum = |half: usize| f32x4_add(f32x4_add(a[half], b[half]), f32x4_add(c[half], d[half]));
        store(sums, [sum(0), sum(1)]);
    }
}

fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [2] [1] q8_tile(groups));
}

#[inline]
fn q8_tile<const T: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    let mut totals = [[i32x4_splat(0); 4]; T];
    for (i, two) in groups.chunks(2).enumerate() {
        let first = halves(&two[0]);
        // A group that is not there is zeros: there are columns for it, a multiple of 32.
        let second = two.get(1).map_or([i8x16_splat(0); 2], halves);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of x.cols ≥ 8·i + 8 columns.
            let (x, y) = unsafe {
                let x = x.values.as_ptr().add(t * x.cols + 8 * i);
                (broadcast(x), broadcast(x.add(4)))
            };
            for (half, totals) in totals.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let (first, second) = (multiply(first[half], x), multiply(second[half], y));
                for ((total, first), second) in totals.iter_mut().zip(first).zip(second) {
                    let dots = i32x4_extadd_pairwise_i16x8(i16x8_add(first, second));
                    *total = i32x4_add(*total, dots);
                }
            }
        }
    }
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(totals) {
        store(sums, [add_pairs(a, b), add_pairs(c, d)]);
    }
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    tiles!(x, sums, [2] [1] q4_tile((groups, pairs)));
}

#[inline]
fn q4_tile<const T: usize>(
    (groups, pairs): (&[Group], &[Pair]),
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    let mut totals = [[i32x4_splat(0); 4]; T];
    let mut zeros = [[i32x4_splat(0); 2]; T];
    let pairs = pairs.iter().flat_map(|pair| [Block::of(pair, 0), Block::of(pair, 1)]);
    for (b, (block, parameters)) in blocks(groups, x).iter().zip(pairs).enumerate() {
        let mut dots = [[i16x8_splat(0); 4]; T];
        for (g, group) in block.iter().enumerate() {
            let nibbles = halves(group).map(|w| [v128_and(w, u8x16_splat(0xF)), u8x16_shr(w, 4)]);
            for (t, dots) in dots.iter_mut().enumerate() {
                // SAFETY: token t < T of x.cols ≥ 32·b + 32 columns (`blocks`).
                let x = unsafe {
                    let x = x.values.as_ptr().add(t * x.cols + BLOCK * b + 8 * g);
                    [broadcast(x), broadcast(x.add(4))]
                };
                for (dots, w) in dots.as_chunks_mut::<2>().0.iter_mut().zip(nibbles) {
                    for (w, x) in w.into_iter().zip(x) {
                        let [first, second] = multiply(w, x);
                        *dots = [i16x8_add(dots[0], first), i16x8_add(dots[1], second)];
                    }
                }
            }
        }
        // SAFETY: 8 bytes each.
        let (s, z) = unsafe {
            let s = u16x8_load_extend_u8x8(parameters.sub_scales.as_ptr());
            (s, i16x8_load_extend_i8x8(parameters.zeros.as_ptr()))
        };
        let offsets = i16x8_mul(s, i16x8_sub(z, i16x8_splat(32)));
        let s = u16x8_shl(s, 2);
        // Four times each row's.
        let steps = [
            i16x8_shuffle::<0, 0, 0, 0, 1, 1, 1, 1>(s, s),
            i16x8_shuffle::<2, 2, 2, 2, 3, 3, 3, 3>(s, s),
            i16x8_shuffle::<4, 4, 4, 4, 5, 5, 5, 5>(s, s),
            i16x8_shuffle::<6, 6, 6, 6, 7, 7, 7, 7>(s, s),
        ];
        for (t, ((totals, zeros), dots)) in totals.iter_mut().zip(&mut zeros).zip(dots).enumerate()
        {
            for ((total, dots), steps) in totals.iter_mut().zip(dots).zip(steps) {
                *total = i32x4_add(*total, i32x4_dot_i16x8(dots, steps));
            }
            let sum = x.block_sums.get(t * (x.cols / BLOCK) + b).copied().unwrap_or(0);
            let sum = i16x8_splat(sum);
            zeros[0] = i32x4_add(zeros[0], i32x4_extmul_low_i16x8(offsets, sum));
            zeros[1] = i32x4_add(zeros[1], i32x4_extmul_high_i16x8(offsets, sum));
        }
    }
    for ((sums, [a, b, c, d]), [low, high]) in sums.iter_mut().zip(totals).zip(zeros) {
        store(sums, [i32x4_add(add_pairs(a, b), low), i32x4_add(add_pairs(c, d), high)]);
    }
}

fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    wide_tiles!(weights, x, tokens, sums, [2] [1] q8_wide_tile);
}

#[inline]
fn q8_wide_tile<const T: usize>(groups: &[Group], x: &[i16], sums: &mut [Sums<i32>]) {
    let cols = groups.len() * 4;
    debug_assert!(x.len() >= T * cols);
    let mut totals = [[i32x4_splat(0); 4]; T];
    for (g, group) in groups.iter().enumerate() {
        let [low, high] = halves(group);
        let w = [
            i16x8_extend_low_i8x16(low),
            i16x8_extend_high_i8x16(low),
            i16x8_extend_low_i8x16(high),
            i16x8_extend_high_i8x16(high),
        ];
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 4·g + 4 columns.
            let x = unsafe { v128_load64_splat(x.as_ptr().add(t * cols + 4 * g).cast()) };
            for (total, w) in totals.iter_mut().zip(w) {
                *total = i32x4_add(*total, i32x4_dot_i16x8(w, x));
            }
        }
    }
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(totals) {
        store(sums, [add_pairs(a, b), add_pairs(c, d)]);
    }
}
