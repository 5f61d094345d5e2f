//! Calibrated rows of int8 weights: error feedback (GPTQ, arXiv 2210.17323), then coordinate descent,
//! see `gptq` for both. The row's scale is searched a little below the one at which nothing is clipped.

use acorn_core::format::encoding::short;

use super::objective::{Objective, add_scaled};
use super::q8::Row;
use super::{absolute_max, usable};

/// Row scales tried, as parts of the one at which nothing is clipped.
const FACTORS: [f32; 4] = [1.0, 0.985, 0.97, 0.95];

/// Visits of each weight after the first pass.
const SWEEPS: usize = 2;

/// Quantizes `row` [padded], which is aimed at as it is.
pub(super) fn row(row: &[f32], objective: &Objective) -> Row {
    let largest = absolute_max(row) / 127.0;
    let mut best = (f64::INFINITY, Row { weights: vec![0; row.len()], scale: 0.0 });
    for factor in FACTORS {
        let scale = usable(short(largest * factor), 128.0);
        if scale > 0.0 {
            let quants = quantize(row, scale, objective);
            let error: Vec<f32> = row.iter().zip(&quants).map(|(w, q)| w - q * scale).collect();
            let cost = objective.cost(&error);
            if cost < best.0 {
                best = (cost, Row { weights: quants.iter().map(|q| *q as i8).collect(), scale });
            }
        }
    }
    best.1
}

fn quantize(row: &[f32], scale: f32, objective: &Objective) -> Vec<f32> {
    let wanted: Vec<f32> = row.iter().map(|w| w / scale).collect();
    let mut aim = wanted.clone();
    let mut quants = vec![0.0; row.len()];
    for j in 0..row.len() {
        quants[j] = nearest(aim[j]);
        let factors = objective.upper_row(j);
        let error = (aim[j] - quants[j]) / factors[j];
        add_scaled(&mut aim[j + 1..], -error, &factors[j + 1..]);
    }
    let error: Vec<f32> = wanted.iter().zip(&quants).map(|(w, q)| w - q).collect();
    let mut gradient = objective.gradient(&error);
    for _ in 0..SWEEPS {
        for (j, q) in quants.iter_mut().enumerate() {
            let row = objective.hessian_row(j);
            let best = nearest(*q + gradient[j] / row[j]);
            if best != *q {
                add_scaled(&mut gradient, *q - best, row);
                *q = best;
            }
        }
    }
    quants
}

fn nearest(w: f32) -> f32 {
    w.round_ties_even().clamp(-127.0, 127.0)
}

#[cfg(test)]
mod tests {
    use super::super::linalg::Square;
    use super::*;

    /// Numbers in -1..1 without a pattern (splitmix64).
    fn noise(i: usize) -> f32 {
        let mut x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x >> 40) as f32 / 8_388_608.0 - 1.0
    }

    #[test]
    fn products_are_nearer_than_those_of_rounded_rows() {
        let inputs: Vec<f32> =
            (0..64 * 500).map(|i| noise(i) + 2.0 * noise(40_000 + i / 64)).collect();
        let mut square = Square::zero(64);
        square.add_products(&inputs, &inputs, 64);
        let objective = Objective::new(square, None);
        let cost = |row: &[f32], stored: &Row| {
            let error: Vec<f32> = row.iter().zip(stored.floats()).map(|(w, q)| w - q).collect();
            objective.cost(&error)
        };
        let mut sums = (0.0, 0.0);
        for r in 0..20 {
            let original: Vec<f32> = (0..64).map(|i| noise(50_000 + r * 64 + i)).collect();
            let (fitted, rounded) = (row(&original, &objective), Row::new(&original));
            sums.0 += cost(&original, &fitted);
            sums.1 += cost(&original, &rounded);
            assert!(fitted.weights.iter().all(|w| *w > -128));
        }
        assert!(sums.0 < 0.8 * sums.1, "{sums:?}");
        assert_eq!(row(&[0.0; 64], &objective).scale, 0.0);
        assert!(row(&[f32::MAX; 64], &objective).floats().all(f32::is_finite));
    }
}
