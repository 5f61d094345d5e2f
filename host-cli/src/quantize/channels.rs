//! The channels between what makes and what takes them, and the factors that even them out.

use acorn_core::format::encoding::BLOCK;

use super::Quant;
use super::layer::Rows;

/// Tokens, and rows of the takers, in which the largest numbers are looked for.
const TOKENS: usize = 2048;
const ROWS: usize = 8192;

/// α and β that are tried. Going on from the best of them, factor by factor, brings nothing more.
const EXPONENTS: [f64; 5] = [0.0, 0.3, 0.45, 0.6, 0.8];

/// The largest factor, and its inverse the least: a channel that is never used has none of its own.
const MOST: f64 = 64.0;

/// Numbers above this are left as they are: times a factor, some might not be finite.
const TOO_LARGE: f32 = 1e30;

/// Channels, as the error of [`super::balance`] needs them.
pub(super) struct Channels {
    /// What makes each column.
    maker: Vec<usize>,
    makers: usize,
    /// Of some tokens [tokens, cols].
    inputs: Vec<f32>,
    /// Some rows of the takers [rows, cols].
    weights: Vec<f32>,
    /// Mean square of the inputs, per column.
    input_squares: Vec<f64>,
    /// Sum of squares of the weights, per column.
    weight_squares: Vec<f64>,
    /// Weights that share a scale, and steps of that scale up to the largest one.
    block: usize,
    steps: f64,
}

impl Channels {
    /// For inputs of `maker.len()` columns and takers of that many rows in all, `weight(row, out)`.
    pub(super) fn new(
        maker: Vec<usize>,
        inputs: &Rows,
        rows: usize,
        weight: impl Fn(usize, &mut [f32]),
        quant: Quant,
    ) -> Self {
        let cols = maker.len();
        let tokens = inputs.values.chunks_exact(inputs.stride.max(1));
        let every = tokens.len().div_ceil(TOKENS).max(1);
        let mut input_squares = squares(cols, tokens.clone());
        let count = tokens.len().max(1) as f64;
        input_squares.iter_mut().for_each(|sum| *sum /= count);
        let inputs = tokens.step_by(every).flat_map(|row| &row[..cols]).copied().collect();
        let mut weights = Vec::new();
        let mut row = vec![0.0; cols];
        for r in (0..rows).step_by(rows.div_ceil(ROWS).max(1)) {
            weight(r, &mut row);
            weights.extend(&row);
        }
        let weight_squares = squares(cols, weights.chunks_exact(cols.max(1)));
        let (block, steps) = match quant {
            Quant::Q4 => (BLOCK, 7.5),
            Quant::Q8 | Quant::F32 => (cols.max(1), 127.0),
        };
        let makers = maker.iter().max().map_or(0, |last| last + 1);
        Self { maker, makers, inputs, weights, input_squares, weight_squares, block, steps }
    }

    /// The best factors, one per maker; `None` where nothing is better than to leave them.
    pub(super) fn best(&self) -> Option<Vec<f32>> {
        let largest = self.inputs.iter().chain(&self.weights).fold(0f32, |max, x| max.max(x.abs()));
        if largest > TOO_LARGE {
            return None;
        }
        let (mut least, mut best) = (self.error(&vec![1.0; self.makers]), None);
        for alpha in EXPONENTS {
            for beta in EXPONENTS {
                let factors = self.candidate(alpha, beta);
                let error = self.error(&factors);
                if error < least {
                    (least, best) = (error, Some(factors));
                }
            }
        }
        best
    }

    /// The columns' factors, from those of the makers.
    pub(super) fn of_columns(&self, factors: &[f32]) -> Vec<f32> {
        self.maker.iter().map(|maker| factors[*maker]).collect()
    }

    /// `E[x²]^(α/2) / (Σw²)^(β/2)`, around 1.
    fn candidate(&self, alpha: f64, beta: f64) -> Vec<f32> {
        let per_maker = |columns: &[f64]| {
            let mut sums = vec![0.0; self.makers];
            self.maker.iter().zip(columns).for_each(|(maker, x)| sums[*maker] += x);
            let mean = mean(&sums).max(f64::MIN_POSITIVE);
            sums.into_iter().map(move |sum| (sum / mean).max(1e-12).ln())
        };
        let (x, w) = (per_maker(&self.input_squares), per_maker(&self.weight_squares));
        let logs: Vec<f64> = x.zip(w).map(|(x, w)| 0.5 * (alpha * x - beta * w)).collect();
        let center = mean(&logs);
        logs.iter().map(|log| (log - center).exp().clamp(1.0 / MOST, MOST) as f32).collect()
    }

    fn error(&self, factors: &[f32]) -> f64 {
        let cols = self.maker.len().max(1);
        let factors = self.of_columns(factors);
        let inverse: Vec<f32> = factors.iter().map(|factor| 1.0 / factor).collect();
        let product = |factors: &[f32], squares: &[f64]| -> Vec<f64> {
            factors.iter().zip(squares).map(|(s, x)| f64::from(*s).powi(2) * x).collect()
        };
        let tokens = self.inputs.chunks_exact(cols);
        let count = tokens.len().max(1) as f64;
        let largest: f64 = tokens.map(|row| largest_square(row, &inverse)).sum();
        let activations = largest / count / (127.0 * 127.0)
            * product(&factors, &self.weight_squares).iter().sum::<f64>();
        let sizes = product(&inverse, &self.input_squares);
        let sizes: Vec<f64> = sizes.chunks(self.block).map(|block| block.iter().sum()).collect();
        let mut weights = 0.0;
        for row in self.weights.chunks_exact(cols) {
            let blocks = row.chunks(self.block).zip(factors.chunks(self.block));
            for ((row, factors), size) in blocks.zip(&sizes) {
                weights += largest_square(row, factors) * size;
            }
        }
        activations + weights / (self.steps * self.steps)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn squares<'a>(cols: usize, rows: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
    let mut sums = vec![0.0; cols];
    for row in rows {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += f64::from(*x).powi(2);
        }
    }
    sums
}

fn largest_square(row: &[f32], factors: &[f32]) -> f64 {
    let largest = row.iter().zip(factors).fold(0f32, |max, (x, s)| max.max((x * s).abs()));
    f64::from(largest).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 tokens of 64 columns, column 5 of them `outlier` times as large; 48 rows of weights.
    fn channels(outlier: f32, quant: Quant) -> Channels {
        let noise = |i: usize| ((i * 7919) % 1009) as f32 / 504.0 - 1.0;
        let large = |i: usize| if i % 64 == 5 { outlier } else { 1.0 };
        let values = (0..32 * 64).map(|i| noise(i) * large(i)).collect();
        let weight = |row: usize, out: &mut [f32]| {
            out.iter_mut().enumerate().for_each(|(i, w)| *w = noise(5000 + row * 64 + i));
        };
        Channels::new((0..64).collect(), &Rows { stride: 64, values }, 48, weight, quant)
    }

    #[test]
    fn an_outlier_is_made_smaller() {
        for quant in [Quant::Q8, Quant::Q4] {
            let channels = channels(50.0, quant);
            let factors = channels.best().expect("factors");
            let others = factors.iter().sum::<f32>() - factors[5];
            assert!(factors[5] > 2.0 * others / 63.0, "{factors:?}");
            assert!(channels.error(&factors) < 0.9 * channels.error(&[1.0; 64]));
        }
    }

    #[test]
    fn what_cannot_be_evened_out_stays() {
        assert!(channels(1e31, Quant::Q8).best().is_none());
        for x in [0.0, f32::MAX, f32::NAN] {
            let inputs = Rows { stride: 4, values: vec![x; 8] };
            let channels =
                Channels::new(vec![0, 1, 0, 1], &inputs, 2, |_, out| out.fill(x), Quant::Q8);
            assert!(channels.best().is_none_or(|best| best.iter().all(|s| *s == 1.0)));
        }
    }
}
