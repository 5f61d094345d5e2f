//! Attention of some heads of one token, which share keys and values, over all positions up to the
//! token's own: one pass with a running softmax (arXiv 1805.02867), in chunks of 64 positions.
//!
//! ```text
//! per chunk:  score[p] = (q · k[p]) / sqrt(head_dim)
//!             m' = max(m, max score);   a = exp(m - m')        m starts at -∞
//!             w[p] = exp(score[p] - m')
//!             divisor = divisor · a + Σ w[p];   out = out · a + Σ w[p] · v[p];   m = m'
//! at the end: out / divisor
//! ```
//!
//! Chunks start at multiples of 64, so a token's result does not depend on how its pass was cut. With
//! an int8 cache both sums are exact integer dot products: queries have 12 bits and a sign, a
//! chunk's weights (times the values' scales) 14 bits. In floats the sum over v goes by ascending p.

use super::cache::{Head, Int8};
use crate::format::BAND_ROWS;
use crate::kernel::elementwise::Strided;
use crate::kernel::{Kernel, Sums};
use crate::math::{dot, exp, max};

/// Positions per step of the running softmax.
const CHUNK: usize = 64;

/// Heads that share a read of keys and values; their scratch lies on the stack, which
/// microcontrollers have little of. Any number gives the same bits.
pub(super) const MOST_HEADS: usize = if cfg!(target_pointer_width = "64") { 4 } else { 1 };

/// The largest magnitude of a 16-bit query: 4095 · 127 · 4096 dimensions fit 31 bits.
pub(super) const QUERY_LIMIT: f32 = 4095.0;

/// The largest 16-bit weight of a chunk: 16383 · 127 · 64 positions fit 31 bits.
const WEIGHT_LIMIT: f32 = 16383.0;

/// Bands of values whose sums are on the stack at a time.
const BANDS: usize = CHUNK / BAND_ROWS;

/// The queries of heads that share keys and values: floats, or (for an int8 cache) 16-bit integers.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub(super) head_dim: usize,
    /// [heads, head_dim]
    pub(super) floats: &'a [f32],
    /// [heads, head_dim rounded up to 4]
    pub(super) wide: &'a [i16],
    /// Per head, what `wide` is multiplied with.
    pub(super) scales: &'a [f32],
    /// 1 / sqrt(head_dim)
    pub(super) softmax_scale: f32,
}

/// What a chunk is worked on with.
struct Scratch {
    /// Scores, then weights, per head.
    scores: [[f32; CHUNK]; MOST_HEADS],
    weights: [i16; MOST_HEADS * CHUNK],
    sums: [Sums<i32>; MOST_HEADS * BANDS],
}

/// A head's running softmax.
#[derive(Clone, Copy)]
struct Running {
    max: f32,
    divisor: f32,
    /// What the output so far has to be multiplied with.
    shrink: f32,
}

/// Attention over `positions` positions into `out` [heads, head_dim], at most [`MOST_HEADS`] heads.
pub(super) fn attend(
    kernel: &Kernel,
    queries: Queries<'_>,
    cache: Head<'_>,
    positions: usize,
    out: &mut [f32],
) {
    let heads = (out.len() / queries.head_dim.max(1)).min(MOST_HEADS);
    let mut scratch = Scratch {
        scores: [[0.0; CHUNK]; MOST_HEADS],
        weights: [0; MOST_HEADS * CHUNK],
        sums: [Sums::default(); MOST_HEADS * BANDS],
    };
    let start = Running { max: f32::NEG_INFINITY, divisor: 0.0, shrink: 0.0 };
    let mut running = [start; MOST_HEADS];
    out.fill(0.0);
    for first in (0..positions).step_by(CHUNK) {
        let count = CHUNK.min(positions - first);
        let largest = fill_scores(kernel, queries, cache, first, count, heads, &mut scratch);
        let each = running.iter_mut().zip(&mut scratch.scores).zip(largest).take(heads);
        for ((running, scores), largest) in each {
            let scores = scores.get_mut(..count).unwrap_or_default();
            let largest = if largest > running.max { largest } else { running.max };
            running.shrink = exp(running.max - largest);
            running.max = largest;
            let sum = (kernel.elementwise.exp_sum)(scores, largest);
            running.divisor = running.divisor * running.shrink + sum;
        }
        add_values(kernel, queries.head_dim, cache, first, count, &running, &mut scratch, out);
    }
    for (out, running) in out.chunks_exact_mut(queries.head_dim.max(1)).zip(running) {
        let inverse = 1.0 / running.divisor;
        out.iter_mut().for_each(|out| *out *= inverse);
    }
}

/// Computes the chunk's scores; returns the largest of each head.
fn fill_scores(
    kernel: &Kernel,
    queries: Queries<'_>,
    cache: Head<'_>,
    first: usize,
    count: usize,
    heads: usize,
    scratch: &mut Scratch,
) -> [f32; MOST_HEADS] {
    let len = queries.head_dim.max(1);
    let mut largest = [f32::NEG_INFINITY; MOST_HEADS];
    if let Head::Int8(int8) = cache {
        let keys = int8.keys(first, count);
        (kernel.q8_wide)(keys, queries.wide, heads, &mut scratch.sums);
        let key_scales = int8.key_scales.get(first..).unwrap_or_default();
        let each = largest.iter_mut().zip(&mut scratch.scores).zip(queries.scales).take(heads);
        for (head, ((largest, scores), scale)) in each.enumerate() {
            let sums = scratch.sums.get(head..).unwrap_or_default();
            let sums = Strided { sums, step: heads };
            let scores = scores.get_mut(..count).unwrap_or_default();
            let scale = scale * queries.softmax_scale;
            *largest = (kernel.elementwise.rescale)(sums, key_scales, scale, scores);
        }
        return largest;
    }
    let each = queries.floats.chunks_exact(len).zip(&mut scratch.scores);
    for ((query, scores), largest) in each.zip(&mut largest) {
        let scores = scores.get_mut(..count).unwrap_or_default();
        match cache {
            Head::F32 { keys, .. } => {
                for (score, key) in scores.iter_mut().zip(keys.chunks_exact(len).skip(first)) {
                    *score = dot(query, key) * queries.softmax_scale;
                }
            }
            Head::F16 { keys, .. } => {
                for (score, key) in scores.iter_mut().zip(keys.chunks_exact(len).skip(first)) {
                    *score = dot_f16(query, key) * queries.softmax_scale;
                }
            }
            Head::Int8(_) => {}
        }
        *largest = max(scores);
    }
    largest
}

/// `out = out · shrink + Σ weight · value` for each head.
#[allow(clippy::too_many_arguments)]
fn add_values(
    kernel: &Kernel,
    head_dim: usize,
    cache: Head<'_>,
    first: usize,
    count: usize,
    running: &[Running; MOST_HEADS],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let len = head_dim.max(1);
    if let Head::Int8(int8) = cache {
        return add_int8(kernel, head_dim, int8, first, count, running, scratch, out);
    }
    for ((out, running), weights) in out.chunks_exact_mut(len).zip(running).zip(&scratch.scores) {
        out.iter_mut().for_each(|out| *out *= running.shrink);
        let weights = weights.iter().take(count);
        match cache {
            Head::F32 { values, .. } => {
                for (weight, value) in weights.zip(values.chunks_exact(len).skip(first)) {
                    out.iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
                }
            }
            Head::F16 { values, .. } => {
                for (weight, value) in weights.zip(values.chunks_exact(len).skip(first)) {
                    let value = value.iter().map(|v| half::f16::from_bits(*v).to_f32());
                    out.iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
                }
            }
            Head::Int8(_) => {}
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn add_int8(
    kernel: &Kernel,
    head_dim: usize,
    int8: Int8<'_>,
    first: usize,
    count: usize,
    running: &[Running; MOST_HEADS],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let len = head_dim.max(1);
    let heads = (out.len() / len).min(MOST_HEADS);
    let padded = count.next_multiple_of(4).max(4);
    let value_scales = int8.value_scales.get(first..).unwrap_or_default();
    let mut scales = [0.0; MOST_HEADS];
    let each = scratch.weights.chunks_exact_mut(padded).zip(&mut scratch.scores).take(heads);
    for (scale, (wide, weights)) in scales.iter_mut().zip(each) {
        (kernel.elementwise.weigh)(weights.get_mut(..count).unwrap_or_default(), value_scales);
        // What is beyond the last position counts for nothing, whatever the cache holds there.
        weights.iter_mut().skip(count).for_each(|weight| *weight = 0.0);
        let weights = weights.get(..padded).unwrap_or_default();
        *scale = (kernel.elementwise.quantize_wide)(weights, WEIGHT_LIMIT, wide);
    }
    let wide = scratch.weights.get(..heads * padded).unwrap_or_default();
    for dim in (0..len).step_by(CHUNK) {
        let dims = CHUNK.min(len - dim);
        let bands = dims.div_ceil(BAND_ROWS) * heads;
        let sums = scratch.sums.get_mut(..bands).unwrap_or_default();
        (kernel.q8_wide)(int8.values(dim, first, count), wide, heads, sums);
        let each = out.chunks_exact_mut(len).zip(running).zip(scales);
        for (head, ((out, running), scale)) in each.enumerate() {
            let out = out.get_mut(dim..dim + dims).unwrap_or_default();
            let sums = Strided { sums: sums.get(head..).unwrap_or_default(), step: heads };
            (kernel.elementwise.accumulate)(out, running.shrink, sums, scale);
        }
    }
}

/// Σ a·b by lanes, b in half precision.
fn dot_f16(a: &[f32], b: &[u16]) -> f32 {
    let mut lanes = [0.0; crate::math::LANES];
    for (a, b) in a.chunks(lanes.len()).zip(b.chunks(lanes.len())) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * half::f16::from_bits(*b).to_f32();
        }
    }
    crate::math::sum_lanes(lanes)
}
