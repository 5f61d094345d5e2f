//! Dot products as the formulas say them: the oracle of the kernels.

/// A matrix of 8 rows in one band's own numbers, before packing.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Per row its int8 weights, or nibbles.
    pub rows: [Vec<i32>; 8],
    /// Per row its sub-scales, one per 32 columns (for nibbles).
    pub sub_scales: [Vec<i32>; 8],
    /// Per row its zeros, one per 32 columns (for nibbles).
    pub zeros: [Vec<i32>; 8],
}

/// Σ_k w[r][k] · x[k] per row, wide enough for any input.
pub fn q8<T: Copy + Into<i64>>(weights: &Weights, x: &[T]) -> [i64; 8] {
    std::array::from_fn(|r| {
        weights.rows[r].iter().zip(x).map(|(&w, &x)| i64::from(w) * x.into()).sum()
    })
}

/// Σ_k s[r][k / 32] · (4 · (n[r][k] - 8) + z[r][k / 32]) · x[k] per row.
pub fn q4(weights: &Weights, x: &[i8]) -> [i64; 8] {
    std::array::from_fn(|r| {
        let term = |k: usize| {
            let s = i64::from(weights.sub_scales[r][k / 32]);
            let z = i64::from(weights.zeros[r][k / 32]);
            s * (4 * i64::from(weights.rows[r][k] - 8) + z) * i64::from(x[k])
        };
        (0..x.len()).map(term).sum()
    })
}
