//! Dot products of floats. A column of 8 rows is two registers; each row has four sums in flight, which
//! is the order that the scalar kernel adds in. Two tokens share a read.

use core::arch::aarch64::*;

use crate::kernel::{Group, Sums};

/// See [`crate::kernel::DotF32`].
pub(super) fn f32(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]) {
    let cols = columns.len().max(1);
    let count = (x.len() / cols).min(sums.len());
    let (twos, last) = sums.split_at_mut_checked(count / 2 * 2).unwrap_or_default();
    for (sums, x) in twos.as_chunks_mut::<2>().0.iter_mut().zip(x.chunks_exact(2 * cols)) {
        // SAFETY: every AArch64 processor has NEON.
        unsafe { tile(columns, x, sums) }
    }
    if let (Some(x), Some(sums)) = (x.chunks_exact(cols).nth(twos.len()), last.first_mut()) {
        // SAFETY: as above.
        unsafe { tile(columns, x, core::array::from_mut(sums)) }
    }
}

/// T tokens.
#[inline]
#[target_feature(enable = "neon")]
fn tile<const T: usize>(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>; T]) {
    let cols = columns.len();
    debug_assert!(x.len() == T * cols);
    let mut partial = [[[vdupq_n_f32(0.0); 2]; 4]; T];
    let (fours, rest) = columns.as_chunks::<4>();
    let mut add = |k: usize, column: usize, weights: &Group| {
        for (t, partial) in partial.iter_mut().enumerate() {
            // SAFETY: a column has 32 bytes; token t < T of `cols` columns has this one.
            let (w, x) = unsafe {
                let w = weights.as_ptr().cast::<f32>();
                ([vld1q_f32(w), vld1q_f32(w.add(4))], *x.as_ptr().add(t * cols + column))
            };
            for (sum, w) in partial[k].iter_mut().zip(w) {
                *sum = vaddq_f32(*sum, vmulq_n_f32(w, x));
            }
        }
    };
    for (i, four) in fours.iter().enumerate() {
        for (k, weights) in four.iter().enumerate() {
            add(k, 4 * i + k, weights);
        }
    }
    for (k, weights) in rest.iter().enumerate() {
        add(k % 4, 4 * fours.len() + k, weights);
    }
    for (sums, [a, b, c, d]) in sums.iter_mut().zip(partial) {
        for (half, sums) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let sum = vaddq_f32(vaddq_f32(a[half], b[half]), vaddq_f32(c[half], d[half]));
            // SAFETY: 4 numbers.
            unsafe { vst1q_f32(sums.as_mut_ptr(), sum) }
        }
    }
}
