//! Calibrated rows of 4-bit weights: error feedback, then coordinate descent.
//!
//! A row's weights are chosen block by block. Within a block each weight is rounded in turn and its
//! error is passed on to those not yet rounded (GPTQ, arXiv 2210.17323, which is OBQ, arXiv 2208.11580,
//! in a fixed order); that is done for every pair of sub-scale and zero that may suit the block, and
//! the pair with the least error stays. What is left goes to the blocks behind. Then some sweeps visit
//! the blocks again, each against all others as they are, and every weight by itself: GPTQ's rounding
//! of the first columns did not know that of the last ones.

use std::ops::Range;

use acorn_core::format::encoding::{BLOCK, short};

use super::objective::{BlockFactor, Objective, add_scaled};
use super::q4::Row;
use super::usable;

/// Row scales tried, as parts of the one at which the widest block has the largest sub-scale.
const FACTORS: [f32; 5] = [0.8, 0.9, 1.0, 1.1, 1.25];

/// Of these, how many best ones go on.
const SWEPT: usize = 3;

/// Sweeps over all blocks after the first pass.
const SWEEPS: usize = 3;

/// Visits of each weight of a block per sweep.
const VISITS: usize = 2;

/// The largest integer that a weight can be.
const REACH: f32 = 640.0;

/// Quantizes `row` [padded], which is aimed at as it is.
pub(super) fn row(row: &[f32], objective: &Objective) -> Row {
    let widest = row.as_chunks::<BLOCK>().0.iter().map(ends).map(covering).fold(0.0, f32::max);
    let tried = FACTORS.iter().filter_map(|factor| {
        let scale = usable(short(widest / 16.0 * factor), REACH);
        (scale > 0.0).then(|| {
            let mut work = Work::new(row, scale, objective);
            work.first_pass();
            work.refit();
            (work.cost(), work)
        })
    });
    let mut tried: Vec<_> = tried.collect();
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    let best = tried.into_iter().take(SWEPT).map(|(_, mut work)| {
        (0..SWEEPS).for_each(|_| work.sweep());
        (work.cost(), work)
    });
    match best.min_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, work)) => work.finish(),
        None => Row::zero(row.len()),
    }
}

/// The sub-scale at which a block's integer weights just reach from `low` to `high`: 15 steps of 4;
/// the zero moves that range to -40..20 at the lowest, and to -25..35 at the highest.
fn covering((low, high): (f32, f32)) -> f32 {
    ((high - low) / 60.0).max(high / 35.0).max(-low / 40.0)
}

fn ends(block: &[f32; BLOCK]) -> (f32, f32) {
    let low = block.iter().copied().fold(f32::INFINITY, f32::min);
    (low, block.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// A block's parameters.
#[derive(Clone, Copy, Debug)]
struct Steps {
    sub_scale: u8,
    zero: i8,
}

impl Steps {
    /// The integer weight nearest to `w`.
    fn nearest(self, w: f32) -> f32 {
        let step = 4.0 * f32::from(self.sub_scale);
        let zero = f32::from(self.zero) * f32::from(self.sub_scale);
        round((w - zero) * (1.0 / step)).clamp(-8.0, 7.0) * step + zero
    }

    /// Those that may suit a block which covers low..high.
    fn near(low: f32, high: f32) -> impl Iterator<Item = Self> {
        let covering = covering((low, high));
        let least = (0.6 * covering).floor().clamp(1.0, 16.0) as u8;
        let most = (1.15 * covering).ceil().clamp(1.0, 16.0) as u8;
        (least..=most).flat_map(move |sub_scale| {
            let middle = f32::midpoint(low, high) / f32::from(sub_scale) + 2.0;
            let middle = middle.round().clamp(-8.0, 7.0) as i8;
            let zeros = (middle - 1).max(-8)..=(middle + 1).min(7);
            zeros.map(move |zero| Self { sub_scale, zero })
        })
    }
}

/// To the nearest integer, ties to even, for |x| < 2²²: two instructions on every machine.
fn round(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    (x.clamp(-4e6, 4e6) + ROUND) - ROUND
}

/// Rounds a block weight by weight, feeding each error forward. Returns the integer weights and the
/// squared error that no later weight can make up for; `None` once that exceeds `most`.
fn feed_forward(
    aim: &[f32; BLOCK],
    upper: &[[f32; BLOCK]; BLOCK],
    steps: Steps,
    most: f32,
) -> Option<([f32; BLOCK], f32)> {
    let (mut aim, mut quants, mut cost) = (*aim, [0.0; BLOCK], 0.0);
    for (j, factors) in upper.iter().enumerate() {
        quants[j] = steps.nearest(aim[j]);
        let error = (aim[j] - quants[j]) / factors[j];
        cost += error * error;
        if cost >= most {
            return None;
        }
        // The factors of the columns before are 0.
        aim.iter_mut().zip(factors).for_each(|(w, factor)| *w -= error * factor);
    }
    Some((quants, cost))
}

/// The best of [`feed_forward`] with less error than `most`.
fn best_steps(
    aim: &[f32; BLOCK],
    upper: &[[f32; BLOCK]; BLOCK],
    also: Option<Steps>,
    mut most: f32,
) -> Option<(Steps, [f32; BLOCK])> {
    let (low, high) = ends(aim);
    let mut best = None;
    for steps in Steps::near(low, high).chain(also) {
        if let Some((quants, cost)) = feed_forward(aim, upper, steps, most) {
            (most, best) = (cost, Some((steps, quants)));
        }
    }
    best
}

/// A row under work. Weights are in units of the row's scale.
struct Work<'a> {
    objective: &'a Objective,
    row: &'a [f32],
    scale: f32,
    /// The integer weights `s·(4·(n - 8) + z)`.
    quants: Vec<f32>,
    steps: Vec<Steps>,
}

impl<'a> Work<'a> {
    fn new(row: &'a [f32], scale: f32, objective: &'a Objective) -> Self {
        let steps = vec![Steps { sub_scale: 1, zero: 0 }; row.len() / BLOCK];
        Self { objective, row, scale, quants: vec![0.0; row.len()], steps }
    }

    fn first_pass(&mut self) {
        let mut aim: Vec<f32> = self.row.iter().map(|w| w / self.scale).collect();
        for b in 0..self.steps.len() {
            let (first, end) = (b * BLOCK, (b + 1) * BLOCK);
            let mut upper = [[0.0; BLOCK]; BLOCK];
            for (j, row) in upper.iter_mut().enumerate() {
                row.copy_from_slice(&self.objective.upper_row(first + j)[first..end]);
            }
            let (done, behind) = aim.split_at_mut(end);
            let mut block = [0.0; BLOCK];
            block.copy_from_slice(&done[first..]);
            let Some((steps, quants)) = best_steps(&block, &upper, None, f32::INFINITY) else {
                continue;
            };
            self.steps[b] = steps;
            self.quants[first..end].copy_from_slice(&quants);
            for (j, factors) in upper.iter().enumerate() {
                let error = (block[j] - quants[j]) / factors[j];
                block.iter_mut().zip(factors).for_each(|(w, factor)| *w -= error * factor);
                add_scaled(behind, -error, &self.objective.upper_row(first + j)[end..]);
            }
        }
    }

    /// What the row misses at each column.
    fn error(&self) -> Vec<f32> {
        self.row.iter().zip(&self.quants).map(|(w, q)| w - q * self.scale).collect()
    }

    fn cost(&self) -> f64 {
        self.objective.cost(&self.error())
    }

    /// The scale that is best for the integers as they are (least squares), if it is better.
    fn refit(&mut self) {
        let gradient = self.objective.gradient(&self.quants);
        let along = |other: &[f32]| -> f64 {
            gradient.iter().zip(other).map(|(g, x)| f64::from(*g) * f64::from(*x)).sum()
        };
        // The error at scale R is R²·square - 2·R·product + const.
        let (product, square) = (along(self.row), along(&self.quants));
        let error = |scale: f32| f64::from(scale) * (f64::from(scale) * square - 2.0 * product);
        let best = (product / square) as f32;
        if best.is_finite() {
            let scale = usable(short(best), REACH);
            if scale > 0.0 && error(scale) < error(self.scale) {
                self.scale = scale;
            }
        }
    }

    fn sweep(&mut self) {
        let objective = self.objective;
        let error: Vec<f32> =
            self.row.iter().zip(&self.quants).map(|(w, q)| w / self.scale - q).collect();
        let mut gradient = objective.gradient(&error);
        for (b, factor) in objective.blocks.iter().enumerate() {
            let (first, end) = (b * BLOCK, (b + 1) * BLOCK);
            let before = self.block(b);
            self.choose(b, factor, &gradient[first..end]);
            for (j, before) in (first..end).zip(before) {
                let change = self.quants[j] - before;
                if change != 0.0 {
                    add_scaled(&mut gradient, -change, objective.hessian_row(j));
                }
            }
            self.descend(first..end, &mut gradient);
        }
        self.refit();
    }

    fn block(&self, b: usize) -> [f32; BLOCK] {
        let mut block = [0.0; BLOCK];
        block.copy_from_slice(&self.quants[b * BLOCK..(b + 1) * BLOCK]);
        block
    }

    /// Chooses a block's parameters and weights anew, all others given. H·error is zero where the
    /// weights are best; so the block's best real weights are q + H_bb⁻¹ · (H·error)_b.
    fn choose(&mut self, b: usize, factor: &BlockFactor, gradient: &[f32]) {
        let old = self.block(b);
        let mut aim = old;
        for (row, gradient) in factor.inverse.iter().zip(gradient) {
            add_scaled(&mut aim, *gradient, row);
        }
        // The old weights' error in the same measure: ‖(aim - q)·U⁻¹‖², by the same recursion.
        let mut rest = aim;
        let mut cost = 0.0;
        for (j, factors) in factor.upper.iter().enumerate() {
            let error = (rest[j] - old[j]) / factors[j];
            cost += error * error;
            rest.iter_mut().zip(factors).for_each(|(w, factor)| *w -= error * factor);
        }
        let most = cost * (1.0 - 1e-6);
        if let Some((steps, quants)) = best_steps(&aim, &factor.upper, Some(self.steps[b]), most) {
            self.steps[b] = steps;
            self.quants[b * BLOCK..(b + 1) * BLOCK].copy_from_slice(&quants);
        }
    }

    /// Moves each weight to its best value, all others given, as long as that changes anything.
    fn descend(&mut self, cols: Range<usize>, gradient: &mut [f32]) {
        for _ in 0..VISITS {
            for j in cols.clone() {
                let row = self.objective.hessian_row(j);
                let best = self.steps[j / BLOCK].nearest(self.quants[j] + gradient[j] / row[j]);
                let change = best - self.quants[j];
                if change != 0.0 {
                    self.quants[j] = best;
                    add_scaled(gradient, -change, row);
                }
            }
        }
    }

    fn finish(self) -> Row {
        let nibble = |(j, q): (usize, &f32)| {
            let Steps { sub_scale, zero } = self.steps[j / BLOCK];
            let steps = (q / f32::from(sub_scale) - f32::from(zero)) / 4.0;
            (round(steps) as i8 + 8).clamp(0, 15) as u8
        };
        Row {
            nibbles: self.quants.iter().enumerate().map(nibble).collect(),
            sub_scales: self.steps.iter().map(|steps| steps.sub_scale).collect(),
            zeros: self.steps.iter().map(|steps| steps.zero).collect(),
            scale: self.scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::linalg::Square;
    use super::*;

    /// Inputs that have much in common, as those of a network do; and rows.
    fn example(cols: usize) -> (Objective, Vec<Vec<f32>>) {
        let noise = |i: usize| ((i * 2_654_435_761) % 1_000_003) as f32 / 5e5 - 1.0;
        let inputs: Vec<f32> = (0..600 * cols)
            .map(|i| noise(i) + 2.0 * noise(i / cols * 31) + noise(i / cols * 17 + i % cols / 8))
            .collect();
        let mut square = Square::zero(cols);
        square.add_products(&inputs, &inputs, cols);
        let objective = Objective::new(square, None);
        let row = |r: usize| {
            let row = (0..cols).map(|i| noise(r * 7919 + i * 13).powi(3) + 0.1);
            row.chain(std::iter::repeat(0.0)).take(objective.padded).collect()
        };
        let rows = (0..24).map(row).collect();
        (objective, rows)
    }

    fn cost(objective: &Objective, row: &[f32], stored: &Row) -> f64 {
        let error: Vec<f32> = row.iter().zip(stored.floats()).map(|(w, q)| w - q).collect();
        objective.cost(&error)
    }

    #[test]
    fn products_are_nearer_than_those_of_rounded_rows() {
        for cols in [32, 64, 172] {
            let (objective, rows) = example(cols);
            let mut sums = (0.0, 0.0);
            for original in &rows {
                let fitted = cost(&objective, original, &row(original, &objective));
                let rounded = cost(&objective, original, &Row::new(original));
                assert!(fitted <= rounded * 1.001, "{cols}: {fitted} > {rounded}");
                sums = (sums.0 + fitted, sums.1 + rounded);
            }
            assert!(sums.0 < 0.5 * sums.1, "{cols}: {sums:?}");
        }
    }

    #[test]
    fn sweeps_never_lose() {
        let (objective, rows) = example(96);
        for original in &rows {
            let mut work = Work::new(original, 0.002, &objective);
            work.first_pass();
            let mut before = work.cost();
            for _ in 0..4 {
                work.sweep();
                assert!(work.cost() <= before * 1.0001 + 1e-9, "{} > {before}", work.cost());
                before = work.cost();
            }
        }
    }

    #[test]
    fn numbers_stay_in_their_ranges() {
        let (objective, _) = example(64);
        for value in [0.0, 1.0, -3.5, 1e-30, 1e-44, 1e30, f32::MAX, f32::MIN] {
            for row in [vec![value; 64], [value, -value].repeat(32), [0.0, value].repeat(32)] {
                let stored = super::row(&row, &objective);
                assert!(stored.scale.is_finite() && stored.scale >= 0.0, "{value}");
                assert!(stored.nibbles.iter().all(|n| *n < 16), "{value}");
                assert!(stored.sub_scales.iter().all(|s| (1..=16).contains(s)), "{value}");
                assert!(stored.zeros.iter().all(|z| (-8..=7).contains(z)), "{value}");
                assert!(stored.floats().all(f32::is_finite), "{value}");
            }
        }
    }

    #[test]
    fn a_constant_row_is_no_row_of_zeros() {
        let (objective, _) = example(64);
        let stored = row(&[0.7; 64], &objective);
        assert!(stored.floats().all(|w| (w - 0.7).abs() < 0.03), "{stored:?}");
    }
}
