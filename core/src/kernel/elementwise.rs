//! What is not a dot product over bands, as plain loops that compilers turn into vectors: written
//! once, compiled for each instruction set (`elementwise_for!` beside the kernels).
//!
//! Every operation is one IEEE operation, reductions go by [`LANES`], and nothing is contracted, so
//! the width of a vector cannot change a bit.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Sums, sqrt};
use crate::format::encoding::{BAND_ROWS, BLOCK, Float};
use crate::format::recipe::Activation;
use crate::math::{
    self, LANES, exp2_fixed, exp2_of_negative, gelu_erf, gelu_tanh, max_abs, silu, sum_lanes,
};

/// Little-endian floats of the file.
pub type Floats<'a> = &'a [[u8; 4]];

/// A feed-forward's function, its gate if there is one, what is gated, and the result.
pub type Activate = fn(f: Activation, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]);

/// The loops of one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Elementwise {
    /// Quantizes one token's `x` to int8, `q = round(x · 127 / max|x|)`, and sums the blocks. Returns
    /// the scale, max|x| / 127. Zeros, or a largest magnitude that is not finite, become zeros with
    /// scale 0. All have as many columns, a multiple of [`BLOCK`].
    pub quantize: fn(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32,
    /// The same to 16 bits: `q = round(x · limit / max|x|)`; returns max|x| / limit.
    pub quantize_wide: fn(x: &[f32], limit: f32, q: &mut [i16]) -> f32,
    /// `out = x / sqrt(mean(x²) + epsilon) · gain` (arXiv 1910.07467).
    pub rms_norm: fn(x: &[f32], gain: Floats<'_>, epsilon: f32, out: &mut [f32]),
    /// `out = (x - mean(x)) / sqrt(mean((x - mean(x))²) + epsilon) · gain + bias` (arXiv 1607.06450).
    pub layer_norm:
        fn(x: &[f32], gain: Floats<'_>, bias: Floats<'_>, epsilon: f32, out: &mut [f32]),
    /// `out = f(gate) · up`, or `out = f(up)` without a gate.
    pub activate: Activate,
    /// `x = 2^(x - m)`, m the largest of x and `max`, see [`math::exp2_of_negative`]; returns m and the
    /// sum, by lanes. For KV caches in floats: without the feature `full` it does nothing.
    pub exp_sum: fn(x: &mut [Sums<f32>], max: f32) -> (f32, f32),
    /// A chunk of attention through a softmax, in integers: makes scores of [`Scores`], and weights of them, each
    /// a power of two ([`math::exp2_fixed`]) of the distance to the largest score. The weights, times the upper
    /// halves of floats, go to `x` and, by [`Self::quantize_wide`], to `q`.
    pub softmax: SoftmaxStep,
    /// `out[8·i + r] = out[8·i + r] · shrink + sums[i · step][r] · scale`.
    pub accumulate: fn(out: &mut [f32], shrink: f32, sums: Strided<'_>, scale: f32),
}

/// See [`Elementwise::softmax`].
pub type SoftmaxStep = fn(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax;

/// Scores of positions in units of 2⁻¹⁶: `sums[i · step][r] · (scales[i][r] · scale)`, the scales the upper
/// halves of floats; from position `count` on the least number.
#[derive(Debug)]
pub struct Scores<'a> {
    /// Of integers; scores and weights take their place.
    pub sums: &'a mut [Sums<i32>],
    /// As in [`Strided`].
    pub step: usize,
    /// Per position.
    pub scales: &'a [Sums<u16>],
    /// For all positions.
    pub scale: f32,
    /// Positions that count.
    pub count: usize,
    /// The largest score of the positions before.
    pub max: i32,
}

/// What comes out of a softmax beside its weights.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    /// The largest score so far.
    pub max: i32,
    /// The weights' sum, before they are multiplied with scales.
    pub sum: i32,
    /// What the 16-bit weights are multiplied with.
    pub scale: f32,
}

/// Every `step`th of some bands' sums.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The sums, the first one that counts first.
    pub sums: &'a [Sums<i32>],
    /// 1 or more.
    pub step: usize,
}

impl<'a> Strided<'a> {
    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = &'a Sums<i32>> {
        self.sums.iter().step_by(self.step.max(1))
    }
}

/// A float of which only the upper half is kept.
#[inline(always)]
fn long(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

impl Elementwise {
    /// For any machine.
    pub(crate) const PORTABLE: Self = Self {
        quantize,
        quantize_wide,
        rms_norm,
        layer_norm,
        activate,
        exp_sum,
        softmax,
        accumulate,
    };
}

/// Below this the largest magnitude counts as zero: a limit / it would not be finite.
pub(super) const TINY: f32 = 1e-30;

/// See [`Elementwise::quantize`].
#[cfg_attr(acorn_mcu, inline(never))]
#[cfg_attr(not(acorn_mcu), inline(always))]
pub(super) fn quantize(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32 {
    let largest = max_abs(x);
    if !(TINY..f32::INFINITY).contains(&largest) {
        q.fill(0);
        block_sums.fill(0);
        return 0.0;
    }
    let inverse = 127.0 / largest;
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(q.as_chunks_mut::<BLOCK>().0);
    for ((x, q), block_sum) in blocks.zip(block_sums) {
        *block_sum = 0;
        for (q, x) in q.iter_mut().zip(x) {
            let nearest = math::nearest(x * inverse).clamp(-127, 127) as i16;
            *block_sum += nearest;
            *q = nearest as i8;
        }
    }
    largest / 127.0
}

/// See [`Elementwise::quantize_wide`].
#[cfg_attr(acorn_mcu, inline(never))]
#[cfg_attr(not(acorn_mcu), inline(always))]
pub(super) fn quantize_wide(x: &[f32], limit: f32, q: &mut [i16]) -> f32 {
    let largest = max_abs(x);
    if !(TINY..f32::INFINITY).contains(&largest) {
        q.fill(0);
        return 0.0;
    }
    let inverse = limit / largest;
    for (q, x) in q.iter_mut().zip(x) {
        *q = math::nearest(x * inverse) as i16;
    }
    largest / limit
}

/// See [`Elementwise::rms_norm`].
#[inline(always)]
pub(super) fn rms_norm(x: &[f32], gain: Floats<'_>, epsilon: f32, out: &mut [f32]) {
    let inverse = 1.0 / sqrt(math::sum_squares(x) / x.len() as f32 + epsilon);
    for ((out, x), gain) in out.iter_mut().zip(x).zip(gain) {
        *out = x * inverse * f32::from_le_bytes(*gain);
    }
}

/// See [`Elementwise::layer_norm`].
#[inline(always)]
pub(super) fn layer_norm(
    x: &[f32],
    gain: Floats<'_>,
    bias: Floats<'_>,
    epsilon: f32,
    out: &mut [f32],
) {
    let count = x.len() as f32;
    let mean = math::sum(x) / count;
    let inverse = 1.0 / sqrt(math::sum_squared_differences(x, mean) / count + epsilon);
    for (((out, x), gain), bias) in out.iter_mut().zip(x).zip(gain).zip(bias) {
        *out = (x - mean) * inverse * f32::from_le_bytes(*gain) + f32::from_le_bytes(*bias);
    }
}

/// See [`Elementwise::activate`].
#[cfg_attr(acorn_mcu, inline(never))]
#[cfg_attr(not(acorn_mcu), inline(always))]
pub(super) fn activate(f: Activation, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]) {
    match f {
        Activation::Silu => activate_by(silu, gate, up, out),
        Activation::GeluErf => activate_by(gelu_erf, gate, up, out),
        Activation::GeluTanh => activate_by(gelu_tanh, gate, up, out),
    }
}

#[inline(always)]
fn activate_by(f: impl Fn(f32) -> f32, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]) {
    match gate {
        Some(gate) => {
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = f(*gate) * up;
            }
        }
        None => out.iter_mut().zip(up).for_each(|(out, up)| *out = f(*up)),
    }
}

/// See [`Elementwise::exp_sum`].
#[inline(always)]
pub(super) fn exp_sum(x: &mut [Sums<f32>], max: f32) -> (f32, f32) {
    if Float::THERE.is_none() {
        return (max, 0.0);
    }
    let larger = |max: f32, x: f32| if x > max { x } else { max };
    let mut lanes = [max; LANES];
    for x in &*x {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane = larger(*lane, *x);
        }
    }
    let max = lanes.into_iter().fold(max, larger);
    let mut lanes = [0.0; LANES];
    for x in x {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *x = exp2_of_negative(*x - max);
            *lane += *x;
        }
    }
    (max, sum_lanes(lanes))
}

/// See [`Elementwise::softmax`].
#[cfg_attr(acorn_mcu, inline(never))]
#[cfg_attr(not(acorn_mcu), inline(always))]
pub(super) fn softmax(
    scores: Scores<'_>,
    scales: &[Sums<u16>],
    limit: f32,
    x: &mut [Sums<f32>],
    q: &mut [Sums<i16>],
) -> Softmax {
    let Scores { sums, step, scales: keys, scale, count, max } = scores;
    let mut lanes = [max; LANES];
    let (step, most) = (step.max(1), x.len());
    for (first, (sums, keys)) in
        (0..).step_by(BAND_ROWS).zip(sums.iter_mut().step_by(step).take(most).zip(keys))
    {
        for (sum, key) in sums.iter_mut().zip(keys) {
            *sum = (*sum as f32 * (long(*key) * scale)) as i32;
        }
        if count < first + BAND_ROWS {
            sums.iter_mut().skip(count.saturating_sub(first)).for_each(|sum| *sum = i32::MIN);
        }
        for (lane, sum) in lanes.iter_mut().zip(&*sums) {
            *lane = (*lane).max(*sum);
        }
    }
    let max = lanes.into_iter().fold(max, i32::max);
    let mut lanes = [0; LANES];
    for ((x, sums), scales) in x.iter_mut().zip(sums.iter_mut().step_by(step)).zip(scales) {
        for (((x, sum), scale), lane) in x.iter_mut().zip(sums).zip(scales).zip(&mut lanes) {
            *sum = exp2_fixed(max.wrapping_sub(*sum).cast_unsigned());
            *lane += *sum;
            *x = *sum as f32 * long(*scale);
        }
    }
    let scale = quantize_wide(x.as_flattened(), limit, q.as_flattened_mut());
    Softmax { max, sum: lanes.iter().sum(), scale }
}

/// See [`Elementwise::accumulate`].
#[inline(always)]
pub(super) fn accumulate(out: &mut [f32], shrink: f32, sums: Strided<'_>, scale: f32) {
    let (bands, rest) = out.as_chunks_mut::<BAND_ROWS>();
    let mut sums = sums.iter();
    for (out, sums) in bands.iter_mut().zip(&mut sums) {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = *out * shrink + *sum as f32 * scale;
        }
    }
    for (out, sum) in rest.iter_mut().zip(sums.next().into_iter().flatten()) {
        *out = *out * shrink + *sum as f32 * scale;
    }
}
