//! Square matrices in f64: as much linear algebra as calibration needs.
//!
//! Every sum has one written order (eight lanes, then pairs), so that the same bits come out on every
//! machine with any number of threads.

use super::parallel;

/// A square matrix, row by row.
#[derive(Clone, Debug)]
pub(super) struct Square {
    pub(super) n: usize,
    pub(super) values: Vec<f64>,
}

impl Square {
    pub(super) fn zero(n: usize) -> Self {
        Self { n, values: vec![0.0; n * n] }
    }

    pub(super) fn identity(n: usize) -> Self {
        let mut identity = Self::zero(n);
        identity.add_to_diagonal(1.0);
        identity
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.n..(row + 1) * self.n]
    }

    pub(super) fn add_to_diagonal(&mut self, value: f64) {
        self.values.iter_mut().step_by(self.n + 1).for_each(|x| *x += value);
    }

    pub(super) fn diagonal_mean(&self) -> f64 {
        self.values.iter().step_by(self.n + 1).sum::<f64>() / self.n.max(1) as f64
    }

    /// Adds `left`ᵀ · `right` / tokens, each [tokens, stride] of which the first n columns count.
    pub(super) fn add_products(&mut self, left: &[f32], right: &[f32], stride: usize) {
        let (n, tokens) = (self.n, (left.len() / stride).max(1) as f64);
        // Some tokens at a time stay in the cache while all rows of a tile take them.
        let (tile, some) = (16, 32 * stride);
        parallel::each(self.values.chunks_mut(tile * n).enumerate(), |(index, rows)| {
            for (left, right) in left.chunks(some).zip(right.chunks(some)) {
                for (i, row) in (index * tile..).zip(rows.chunks_mut(n)) {
                    for (left, right) in left.chunks_exact(stride).zip(right.chunks_exact(stride)) {
                        add_scaled(row, f64::from(left[i]) / tokens, &right[..n]);
                    }
                }
            }
        });
    }

    /// The upper triangular U with Uᵀ·U = the inverse of this symmetric matrix; `None` unless it is
    /// positive definite.
    ///
    /// With J the reversal of rows, J·A·J = L·Lᵀ gives A = (J·L·J)(J·L·J)ᵀ, so U = J·L⁻¹·J.
    pub(super) fn inverse_factor(&self) -> Option<Self> {
        let n = self.n;
        let mut lower = Self::zero(n);
        for i in 0..n {
            for j in 0..=i {
                let (before, rest) = lower.values.split_at_mut(i * n);
                let other = if j == i { &rest[..j] } else { &before[j * n..j * n + j] };
                let sum = self.values[(n - 1 - i) * n + n - 1 - j] - dot(&rest[..j], other);
                if j < i {
                    rest[j] = sum / before[j * n + j];
                } else if sum > 0.0 && sum.is_finite() {
                    rest[i] = sum.sqrt();
                } else {
                    return None;
                }
            }
        }
        let mut inverse = Self::zero(n);
        for i in 0..n {
            let (before, rest) = inverse.values.split_at_mut(i * n);
            let scale = 1.0 / lower.values[i * n + i];
            for k in 0..i {
                let factor = -lower.values[i * n + k] * scale;
                add_scaled_64(&mut rest[..=k], factor, &before[k * n..k * n + k + 1]);
            }
            rest[i] = scale;
        }
        inverse.values.reverse();
        Some(inverse)
    }

    /// This · `other`ᵀ.
    pub(super) fn times_transposed(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.n);
        parallel::each(product.values.chunks_mut(self.n).enumerate(), |(i, row)| {
            for (value, other) in row.iter_mut().zip(other.values.chunks(other.n)) {
                *value = dot(self.row(i), other);
            }
        });
        product
    }

    /// This · `other`.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.n);
        parallel::each(product.values.chunks_mut(self.n).enumerate(), |(i, row)| {
            for (factor, other) in self.row(i).iter().zip(other.values.chunks(other.n)) {
                add_scaled_64(row, *factor, other);
            }
        });
        product
    }
}

/// Σ a·b.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.0.iter().zip(b.0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f64 = a.1.iter().zip(b.1).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

fn add_scaled_64(row: &mut [f64], factor: f64, other: &[f64]) {
    row.iter_mut().zip(other).for_each(|(x, y)| *x += factor * y);
}

fn add_scaled(row: &mut [f64], factor: f64, other: &[f32]) {
    row.iter_mut().zip(other).for_each(|(x, y)| *x += factor * f64::from(*y));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(n: usize) -> Square {
        let x: Vec<f32> =
            (0..4 * n * n).map(|i| ((i * 7919) % 1009) as f32 / 500.0 - 1.0).collect();
        let mut square = Square::zero(n);
        square.add_products(&x, &x, n);
        square.add_to_diagonal(0.01);
        square
    }

    #[test]
    fn the_inverse_factor_is_one() {
        for n in [1, 5, 32, 70] {
            let square = example(n);
            let factor = square.inverse_factor().expect("positive definite");
            // A · UᵀU = 1, and U is upper triangular.
            let unit = square.times_transposed(&factor).times(&factor);
            for (i, row) in unit.values.chunks(n).enumerate() {
                for (j, value) in row.iter().enumerate() {
                    assert!((value - f64::from(i == j)).abs() < 1e-9, "{n} {i} {j} {value}");
                }
                assert!(factor.row(i)[..i].iter().all(|x| *x == 0.0));
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_none() {
        assert!(Square::zero(3).inverse_factor().is_none());
        let mut negative = Square::identity(4);
        negative.values[5] = -1.0;
        assert!(negative.inverse_factor().is_none());
        negative.values[5] = f64::NAN;
        assert!(negative.inverse_factor().is_none());
    }
}
