//! int8 weights.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::super::expand::{Columns, Totals};
use super::super::{load, store, tiles, wide_tiles};
use super::several::by_seven;
use super::{activations, dot16, sdot};
use crate::kernel::{Group, Ints, Sums, Wide};

/// See [`crate::kernel::DotQ8`].
#[target_feature(enable = "dotprod")]
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let count = x.tokens().min(sums.len());
    let (sevens, _) = sums[..count].as_chunks_mut::<7>();
    let done = match groups.as_chunks::<4>().0.as_chunks() {
        (blocks @ [_, ..], [])
            if groups.len() == 8 * blocks.len() && groups.len() * 4 <= x.cols =>
        {
            let mut columns = Columns { x: x.values.as_ptr(), stride: x.cols };
            for sums in &mut *sevens {
                // SAFETY: seven tokens, whose columns are no fewer than the blocks'.
                let totals = unsafe { by_seven(blocks, columns) };
                sums.iter_mut().zip(totals).for_each(|(sums, totals)| store(sums, totals));
                columns = columns.skip(7);
            }
            7 * sevens.len()
        }
        _ => 0,
    };
    if done < count {
        tiles!(x.split(done).1, &mut sums[done..], [8] [4] [2] [1] q8_tile(groups));
    }
}

#[inline]
#[target_feature(enable = "dotprod")]
fn q8_tile<const T: usize>(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    debug_assert!(x.tokens() == T && sums.len() == T);
    if let (1, [sums]) = (T, &mut *sums) {
        return store(sums, one_token(groups, x));
    }
    let (fours, rest) = groups.get(..x.cols / 4).unwrap_or(groups).as_chunks::<4>();
    let columns = Columns { x: x.values.as_ptr(), stride: x.cols };
    // SAFETY: T tokens of x.cols ≥ 16 · `fours` columns.
    let mut totals = unsafe { fours_by::<T>(fours, columns) };
    for (t, (sums, totals)) in sums.iter_mut().zip(&mut totals).enumerate() {
        add_rest(totals, rest, &x.values[t * x.cols + 16 * fours.len()..]);
        store(sums, *totals);
    }
}

/// See [`super::super::expand::Dot::dot`].
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn fours_by<const T: usize>(fours: &[[Group; 4]], x: Columns) -> Totals<T> {
    let mut totals = [[vdupq_n_s32(0); 2]; T];
    let mut x_at: [_; T] = from_fn(|t| x.x.wrapping_add(t * x.stride));
    for groups in fours {
        let groups = groups.each_ref().map(load);
        for (totals, x) in totals.iter_mut().zip(&mut x_at) {
            // SAFETY: so far they went on by 16 columns per four groups.
            unsafe { dot16_at(groups, x, totals) };
        }
    }
    totals
}

/// The products of four groups and the activations at `x`, which goes on to the next 16. One piece of assembler: a
/// compiler would load the activations of all tokens first, and run out of registers.
///
/// # Safety
/// 16 bytes at `x` can be read.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn dot16_at(
    [[a, e], [b, f], [c, g], [d, h]]: [[int8x16_t; 2]; 4],
    x: &mut *const i8,
    [low, high]: &mut [int32x4_t; 2],
) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "ldr {x:q}, [{at}], #16",
            "sdot {low:v}.4s, {a:v}.16b, {x:v}.4b[0]",
            "sdot {high:v}.4s, {e:v}.16b, {x:v}.4b[0]",
            "sdot {low:v}.4s, {b:v}.16b, {x:v}.4b[1]",
            "sdot {high:v}.4s, {f:v}.16b, {x:v}.4b[1]",
            "sdot {low:v}.4s, {c:v}.16b, {x:v}.4b[2]",
            "sdot {high:v}.4s, {g:v}.16b, {x:v}.4b[2]",
            "sdot {low:v}.4s, {d:v}.16b, {x:v}.4b[3]",
            "sdot {high:v}.4s, {h:v}.16b, {x:v}.4b[3]",
            at = inout(reg) *x, low = inout(vreg) *low, high = inout(vreg) *high, x = out(vreg) _,
            a = in(vreg) a, b = in(vreg) b, c = in(vreg) c, d = in(vreg) d,
            e = in(vreg) e, f = in(vreg) f, g = in(vreg) g, h = in(vreg) h,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// The sums of one token; two of each row in flight, so that none waits for the one before.
#[inline]
#[target_feature(enable = "dotprod")]
pub(super) fn one_token(groups: &[Group], x: Ints<'_>) -> [int32x4_t; 2] {
    let groups = groups.get(..x.values.len() / 4).unwrap_or(groups);
    let (fours, rest) = groups.as_chunks::<4>();
    let mut totals = [[vdupq_n_s32(0); 2]; 2];
    for (i, groups) in fours.iter().enumerate() {
        let [a, b, c, d] = groups.each_ref().map(load);
        // SAFETY: x has 16·i + 16 activations or more.
        let x = unsafe { activations(x.values.as_ptr().add(16 * i)) };
        for half in 0..2 {
            let [first, second] = &mut totals;
            first[half] = sdot::<1>(sdot::<0>(first[half], a[half], x), b[half], x);
            second[half] = sdot::<3>(sdot::<2>(second[half], c[half], x), d[half], x);
        }
    }
    let [first, second] = totals;
    let mut totals = [vaddq_s32(first[0], second[0]), vaddq_s32(first[1], second[1])];
    add_rest(&mut totals, rest, &x.values[16 * fours.len()..]);
    totals
}

/// Adds the products of single groups and as many fours of activations.
#[inline]
#[target_feature(enable = "dotprod")]
fn add_rest(totals: &mut [int32x4_t; 2], rest: &[Group], x: &[i8]) {
    for (group, x) in rest.iter().zip(x.as_chunks().0) {
        let x = i32::from_le_bytes(x.map(i8::cast_unsigned));
        dot4(totals, group, vreinterpretq_s8_s32(vdupq_n_s32(x)));
    }
}

/// Adds the products of a group and the first 4 of `x`.
#[inline]
#[target_feature(enable = "dotprod")]
fn dot4(sums: &mut [int32x4_t; 2], group: &Group, x: int8x16_t) {
    for (sum, w) in sums.iter_mut().zip(load(group)) {
        *sum = sdot::<0>(*sum, w, x);
    }
}

#[target_feature(enable = "dotprod")]
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    wide_tiles!(weights, x, tokens, sums, [2] [1] q8_wide_tile);
}

#[inline]
#[target_feature(enable = "dotprod")]
fn q8_wide_tile<const T: usize>(groups: &[Group], x: &[i16], sums: &mut [Sums<i32>]) {
    let cols = groups.len() * 4;
    debug_assert!(x.len() >= T * cols);
    let (fours, rest) = groups.as_chunks::<4>();
    let mut totals = [[[vdupq_n_s32(0); 2]; 2]; T];
    for (i, groups) in fours.iter().enumerate() {
        let [a, b, c, d] = groups.each_ref().map(load);
        for (t, totals) in totals.iter_mut().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 16·i + 16 columns.
            let digits = unsafe {
                let x = x.as_ptr().add(t * cols + 16 * i);
                digits(vld1q_s16(x), vld1q_s16(x.add(8)))
            };
            for (x, totals) in digits.into_iter().zip(totals) {
                for (half, total) in totals.iter_mut().enumerate() {
                    *total = dot16([a[half], b[half], c[half], d[half]], x, *total);
                }
            }
        }
    }
    for (t, totals) in totals.iter_mut().enumerate() {
        for (g, group) in rest.iter().enumerate() {
            // SAFETY: token t < T of `cols` ≥ 16·fours + 4·g + 4 columns.
            let x = unsafe { vld1_s16(x.as_ptr().add(t * cols + 16 * fours.len() + 4 * g)) };
            let x = vcombine_s16(x, x);
            for (x, totals) in digits(x, x).into_iter().zip(totals.iter_mut()) {
                dot4(totals, group, x);
            }
        }
    }
    for (sums, [h, l]) in sums.iter_mut().zip(totals) {
        let total = |half: usize| vaddq_s32(vshlq_n_s32::<7>(h[half]), l[half]);
        store(sums, [total(0), total(1)]);
    }
}

/// h and l of x = 128·h + l, for |x| < 2¹⁴.
#[inline]
#[target_feature(enable = "neon")]
fn digits(first: int16x8_t, second: int16x8_t) -> [int8x16_t; 2] {
    let high = vshrn_high_n_s16::<7>(vshrn_n_s16::<7>(first), second);
    let low = vuzp1q_s8(vreinterpretq_s8_s16(first), vreinterpretq_s8_s16(second));
    [high, vandq_s8(low, vdupq_n_s8(127))]
}
