//! The dot products as plain loops: what every other kernel must equal, bit for bit.
//!
//! ```text
//! q8:  sums[r] = Σ_k  w[r][k] · x[k]
//! q4:  sums[r] = Σ_b  s[r][b] · ( Σ_{k in b} n[r][k] · x[k]  -  8 · Σ_{k in b} x[k] )
//! f32: sums[r] = (a₀ + a₁) + (a₂ + a₃),  a_j = Σ_{k ≡ j mod 4} w[r][k] · x[k], k ascending
//! ```
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Group, Kernel, Sums};
use crate::format::encoding::{BAND_ROWS, BLOCK, q4};

/// The scalar kernel.
pub static KERNEL: Kernel = Kernel { name: "scalar", f32, q8, q4 };

fn f32(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]) {
    for (x, sums) in x.chunks_exact(columns.len().max(1)).zip(sums) {
        let mut partial = [[0.0; BAND_ROWS]; 4];
        for (columns, x) in columns.chunks(4).zip(x.chunks(4)) {
            for ((sums, column), x) in partial.iter_mut().zip(columns).zip(x) {
                for (sum, raw) in sums.iter_mut().zip(column.as_chunks::<4>().0) {
                    *sum += f32::from_le_bytes(*raw) * x;
                }
            }
        }
        let [a, b, c, d] = partial;
        for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum = (a + b) + (c + d);
        }
    }
}

fn q8(groups: &[Group], x: &[i8], sums: &mut [Sums<i32>]) {
    let cols = groups.len() * 4;
    if cols == 0 {
        return;
    }
    for (x, sums) in x.chunks_exact(cols).zip(sums) {
        *sums = [0; BAND_ROWS];
        for (group, x) in groups.iter().zip(x.as_chunks::<4>().0) {
            for (sum, w) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
                let products =
                    w.iter().zip(x).map(|(w, x)| i32::from(w.cast_signed()) * i32::from(*x));
                *sum += products.sum::<i32>();
            }
        }
    }
}

fn q4(
    groups: &[Group],
    sub_scales: &[[u8; 4]],
    x: &[i8],
    block_sums: &[i16],
    sums: &mut [Sums<i32>],
) {
    let blocks = sub_scales.len();
    let cols = blocks * BLOCK;
    if cols == 0 {
        return;
    }
    let tokens = x.chunks_exact(cols).zip(block_sums.chunks_exact(blocks.max(1)));
    for ((x, block_sums), sums) in tokens.zip(sums) {
        *sums = [0; BAND_ROWS];
        let x = x.as_chunks::<BLOCK>().0;
        let blocks = groups.as_chunks::<4>().0.iter().zip(sub_scales);
        for (((groups, subs), x), block_sum) in blocks.zip(x).zip(block_sums) {
            let dots = q4_block(groups, x);
            let zero = i32::from(q4::ZERO_POINT) * i32::from(*block_sum);
            for ((sum, sub), dot) in sums.iter_mut().zip(q4::sub_scales(subs)).zip(dots) {
                *sum += i32::from(sub) * (dot - zero);
            }
        }
    }
}

/// Σ n·x over one block, per row.
fn q4_block(groups: &[Group; 4], x: &[i8; BLOCK]) -> Sums<i32> {
    let mut dots = [0; BAND_ROWS];
    for (group, x) in groups.iter().zip(x.as_chunks::<8>().0) {
        let ([low, high], _) = x.as_chunks::<4>() else { continue };
        for (dot, quad) in dots.iter_mut().zip(group.as_chunks::<4>().0) {
            for ((n, low), high) in quad.iter().zip(low).zip(high) {
                *dot += i32::from(n & 0xF) * i32::from(*low) + i32::from(n >> 4) * i32::from(*high);
            }
        }
    }
    dots
}
