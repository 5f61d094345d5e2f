//! The dot products as plain loops: what every other kernel must equal, bit for bit.
//!
//! ```text
//! q8:  sums[r] = Σ_k  w[r][k] · x[k]
//! q4:  sums[r] = Σ_b  s[r][b] · ( 4 · Σ_{k in b} n[r][k] · x[k]  +  (z[r][b] - 32) · Σ_{k in b} x[k] )
//! f32: sums[r] = (a₀ + a₁) + (a₂ + a₃),  a_j = Σ_{k ≡ j mod 4} w[r][k] · x[k], k ascending
//! ```
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::elementwise::Elementwise;
use super::{Group, Ints, Kernel, Sums, Wide, gemv, rows};
use crate::format::encoding::{BAND_ROWS, BLOCK, Float, q4};

/// The scalar kernel.
pub static KERNEL: Kernel = Kernel {
    name: "scalar",
    f32,
    q8,
    q4,
    two: None,
    #[cfg(target_arch = "x86_64")]
    avx2: false,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| gemv::q8(q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(q4, bands, x, scale, out),
    q8_wide,
    elementwise: Elementwise::PORTABLE,
};

fn f32(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]) {
    if Float::THERE.is_none() {
        return;
    }
    for (x, sums) in rows(x, columns.len()).zip(sums) {
        let mut partial = [[0.0; BAND_ROWS]; 4];
        let mut add = |columns: &[Group], x: &[f32]| {
            for ((sums, column), x) in partial.iter_mut().zip(columns).zip(x) {
                for (sum, raw) in sums.iter_mut().zip(column.as_chunks::<4>().0) {
                    *sum += f32::from_le_bytes(*raw) * x;
                }
            }
        };
        let ((quads, rest), (x_quads, x_rest)) = (columns.as_chunks::<4>(), x.as_chunks::<4>());
        quads.iter().zip(x_quads).for_each(|(columns, x)| add(columns, x));
        add(rest, x_rest);
        let [a, b, c, d] = partial;
        for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum = (a + b) + (c + d);
        }
    }
}

#[cfg_attr(acorn_mcu, inline(never))]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    for (x, sums) in rows(x.values, x.cols).zip(sums) {
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

#[cfg_attr(acorn_mcu, inline(never))]
fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    for (groups, sums) in weights.bands().zip(sums.chunks_exact_mut(tokens.max(1))) {
        for (x, sums) in rows(x, weights.per_band * 4).zip(sums) {
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
}

#[cfg_attr(acorn_mcu, inline(never))]
fn q4(groups: &[Group], pairs: &[q4::Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let cols = x.cols.max(BLOCK);
    let tokens = rows(x.values, cols).zip(rows(x.block_sums, cols / BLOCK));
    for ((x, block_sums), sums) in tokens.zip(sums) {
        *sums = [0; BAND_ROWS];
        let blocks = groups.as_chunks::<4>().0.iter().zip(x.as_chunks::<BLOCK>().0);
        for (index, ((groups, x), &block_sum)) in blocks.zip(block_sums).enumerate() {
            let Some(pair) = pairs.get(index / 2) else { continue };
            let block = q4::Block::of(pair, index % 2);
            let parameters = block.sub_scales.iter().zip(block.zeros);
            for ((sum, dot), (&s, z)) in sums.iter_mut().zip(q4_block(groups, x)).zip(parameters) {
                let zero = (i32::from(z) - 32) * i32::from(block_sum);
                *sum += i32::from(s) * (4 * dot + zero);
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
