//! Attention of some queries (heads that share keys and values, of some tokens) over all positions up
//! to each token's own: one pass with a running softmax (arXiv 1805.02867), in chunks of 128 positions.
//!
//! ```text
//! per chunk:  score[p] = (q · k[p]) · log2(e) / sqrt(head_dim)
//!             m' = max(m, max score);   a = 2^(m - m')         m starts at -∞
//!             w[p] = 2^(score[p] - m')
//!             divisor = divisor · a + Σ w[p];   out = out · a + Σ w[p] · v[p];   m = m'
//! at the end: out / divisor
//! ```
//!
//! Chunks start at multiples of 128, so a token's result does not depend on how its pass was cut. With
//! an int8 cache both sums are exact integer dot products: queries have 12 bits and a sign, a
//! chunk's weights (times the values' scales) 14 bits, scores 16 bits behind the point. In floats the sum over v goes by ascending p.
//!
//! A chunk's scores are a whole number of bands; behind the last position they are -∞, so their weights 0.

use super::cache::{Head, Int8};
use crate::format::BAND_ROWS;
use crate::kernel::elementwise::{Scores, Softmax, Strided};
use crate::kernel::{Kernel, Sums, rows};
use crate::math::{dot, exp2_fixed, exp2_of_negative};
use crate::plan::{CHUNK, Claim, Parts};

/// Queries that share a read of keys and values; on microcontrollers that is no gain. Any number gives the same
/// bits.
pub(super) const MOST_QUERIES: usize = if cfg!(target_pointer_width = "64") { 8 } else { 1 };

/// The largest magnitude of a 16-bit query: 4095 · 127 · 4096 dimensions fit 31 bits.
pub(super) const QUERY_LIMIT: f32 = 4095.0;

/// The largest 16-bit weight of a chunk: 16383 · 127 · 128 positions fit 31 bits.
const WEIGHT_LIMIT: f32 = 16383.0;

/// Bands of positions of a chunk, and of values whose sums are on the stack at a time.
const BANDS: usize = CHUNK / BAND_ROWS;

/// Queries that share keys and values, token by token, each with `heads` heads: floats, or (for an
/// int8 cache) 16-bit integers. At most [`MOST_QUERIES`].
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub(super) heads: usize,
    pub(super) head_dim: usize,
    /// [tokens, heads, head_dim]
    pub(super) floats: &'a [f32],
    /// [tokens, heads, head_dim rounded up to 4]
    pub(super) wide: &'a [i16],
    /// Per query, what `wide` is multiplied with.
    pub(super) scales: &'a [f32],
    /// log2(e) / sqrt(head_dim)
    pub(super) softmax_scale: f32,
    /// The first token's number of positions; each token has one more than the one before.
    pub(super) positions: usize,
}

/// Where the results go: a strip of some rows, one per token.
pub(super) struct Output<'o, 'c> {
    pub(super) claim: &'o mut Claim<'c>,
    pub(super) strip: usize,
    /// The first token's row.
    pub(super) row: usize,
    pub(super) tokens: usize,
}

/// A chunk of positions, for the queries that reach it.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    /// Positions that the last query has there.
    count: usize,
    /// The bands that hold them.
    bands: usize,
    /// The first query that has any.
    from: usize,
    /// One past the last.
    end: usize,
}

impl Chunk {
    /// Positions that query `index` has there.
    fn count_of(&self, queries: &Queries<'_>, index: usize) -> usize {
        let token = index.checked_div(queries.heads).unwrap_or(0);
        (queries.positions + token).saturating_sub(self.first).min(CHUNK)
    }
}

/// What a chunk is worked on with.
pub(super) struct Scratch<'s> {
    /// A query's scores in floats, then weights.
    pub(super) scores: &'s mut [Sums<f32>],
    /// The weights of all queries, one after another.
    pub(super) weights: &'s mut [Sums<i16>],
    /// Sums of all queries, then scores in integers.
    pub(super) sums: &'s mut [Sums<i32>],
}

/// Room for that on the stack, for all queries. Weights stand behind floats, so they are aligned like them.
#[repr(C)]
pub(super) struct Room {
    scores: [Sums<f32>; BANDS],
    weights: [Sums<i16>; MOST_QUERIES * BANDS],
    sums: [Sums<i32>; MOST_QUERIES * BANDS],
}

impl Room {
    pub(super) const fn new() -> Self {
        Self {
            scores: [[0.0; BAND_ROWS]; BANDS],
            weights: [[0; BAND_ROWS]; MOST_QUERIES * BANDS],
            sums: [[0; BAND_ROWS]; MOST_QUERIES * BANDS],
        }
    }

    pub(super) fn scratch(&mut self) -> Scratch<'_> {
        let Self { scores, weights, sums } = self;
        Scratch { scores, weights, sums }
    }
}

/// A query's running softmax.
#[derive(Clone, Copy)]
struct Running {
    /// The largest score, in floats or in integers.
    max: f32,
    most: i32,
    divisor: f32,
    /// What the output so far has to be multiplied with.
    shrink: f32,
    /// What the 16-bit weights are multiplied with.
    scale: f32,
}

impl Running {
    const START: Self =
        Self { max: f32::NEG_INFINITY, most: i32::MIN, divisor: 0.0, shrink: 0.0, scale: 0.0 };

    /// Goes on to a chunk up to which `max` is the largest score, and whose weights add up to `sum`.
    fn go_on(&mut self, max: f32, sum: f32) {
        self.shrink = exp2_of_negative(self.max - max);
        self.max = max;
        self.divisor = self.divisor * self.shrink + sum;
    }

    /// The same in integers: scores in units of 2⁻¹⁶, weights in units of 2⁻¹⁵.
    fn go_on_int8(&mut self, softmax: Softmax) {
        let distance = softmax.max.wrapping_sub(self.most).cast_unsigned();
        self.shrink = exp2_fixed(distance) as f32 / 32768.0;
        self.most = softmax.max;
        self.divisor = self.divisor * self.shrink + softmax.sum as f32;
        self.scale = softmax.scale;
    }
}

/// Attention over the positions of `cache` that each query may see, added to the output, which is 0.
pub(super) fn attend(
    kernel: &Kernel,
    queries: &Queries<'_>,
    cache: Head<'_>,
    mut output: Output<'_, '_>,
    scratch: &mut Scratch<'_>,
) {
    let tokens = output.tokens;
    let end = (tokens * queries.heads).min(MOST_QUERIES);
    let mut running = [Running::START; MOST_QUERIES];
    let positions = (queries.positions + tokens).saturating_sub(1);
    for first in (0..positions).step_by(CHUNK) {
        // Tokens whose positions end before this chunk have no part in it.
        let from = (first + 1).saturating_sub(queries.positions) * queries.heads;
        let count = CHUNK.min(positions - first);
        let chunk = Chunk { first, count, bands: count.div_ceil(BAND_ROWS), from, end };
        match cache {
            Head::Int8(int8) => {
                add_int8(kernel, queries, int8, chunk, &mut running, scratch, &mut output);
            }
            _ => add_floats(kernel, queries, cache, chunk, &mut running, scratch, &mut output),
        }
    }
    for (index, running) in running.iter().enumerate().take(end) {
        let inverse = 1.0 / running.divisor;
        output.query(queries, index).iter_mut().for_each(|out| *out *= inverse);
    }
}

impl Output<'_, '_> {
    /// The place of query `index`'s result [head_dim].
    fn query(&mut self, queries: &Queries<'_>, index: usize) -> &mut [f32] {
        let token = index.checked_div(queries.heads).unwrap_or(0);
        let head = index - token * queries.heads;
        let row = self.claim.row(self.strip, self.row + token);
        let len = queries.head_dim;
        row.get_mut(head * len..(head + 1) * len).unwrap_or_default()
    }
}

/// A chunk in floats: per query `out = out · shrink + Σ weight · value`.
fn add_floats(
    kernel: &Kernel,
    queries: &Queries<'_>,
    cache: Head<'_>,
    chunk: Chunk,
    running: &mut [Running; MOST_QUERIES],
    scratch: &mut Scratch<'_>,
    output: &mut Output<'_, '_>,
) {
    let (first, len) = (chunk.first, queries.head_dim.max(1));
    let scores = scratch.scores.get_mut(..chunk.bands).unwrap_or_default();
    let each = rows(queries.floats, len).zip(running);
    for (index, (query, running)) in each.enumerate().take(chunk.end).skip(chunk.from) {
        let count = chunk.count_of(queries, index);
        scores.as_flattened_mut().fill(f32::NEG_INFINITY);
        let each = scores.as_flattened_mut().iter_mut().take(count);
        match cache {
            Head::F32 { keys, .. } => {
                for (score, key) in each.zip(rows(keys, len).skip(first)) {
                    *score = dot(query, key) * queries.softmax_scale;
                }
            }
            Head::F16 { keys, .. } => {
                for (score, key) in each.zip(rows(keys, len).skip(first)) {
                    *score = dot_f16(query, key) * queries.softmax_scale;
                }
            }
            Head::Int8(_) => {}
        }
        let (max, sum) = (kernel.elementwise.exp_sum)(scores, running.max);
        running.go_on(max, sum);
        let out = output.query(queries, index);
        out.iter_mut().for_each(|out| *out *= running.shrink);
        let weights = scores.as_flattened().iter().take(count);
        match cache {
            Head::F32 { values, .. } => {
                for (weight, value) in weights.zip(rows(values, len).skip(first)) {
                    out.iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
                }
            }
            Head::F16 { values, .. } => {
                for (weight, value) in weights.zip(rows(values, len).skip(first)) {
                    let value = value.iter().map(|v| half::f16::from_bits(*v).to_f32());
                    out.iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
                }
            }
            Head::Int8(_) => {}
        }
    }
}

/// The same in int8.
fn add_int8(
    kernel: &Kernel,
    queries: &Queries<'_>,
    int8: Int8<'_>,
    chunk: Chunk,
    running: &mut [Running; MOST_QUERIES],
    scratch: &mut Scratch<'_>,
    output: &mut Output<'_, '_>,
) {
    let Chunk { first, count, bands, from, end } = chunk;
    let together = end - from;
    let keys = int8.keys(first, count);
    let wide = queries.wide.get(from * keys.per_band * 4..).unwrap_or_default();
    (kernel.q8_wide)(keys, wide, together, scratch.sums);
    let [key_scales, value_scales] = int8.scales(first);
    let scores = scratch.scores.get_mut(..bands).unwrap_or_default();
    let each = running.iter_mut().zip(queries.scales).enumerate().take(end).skip(from);
    for ((index, (running, scale)), wide) in each.zip(Parts::new(scratch.weights, bands)) {
        let chunk = Scores {
            sums: scratch.sums.get_mut(index - from..).unwrap_or_default(),
            step: together,
            scales: key_scales,
            scale: scale * (queries.softmax_scale * 65536.0),
            count: chunk.count_of(queries, index),
            max: running.most,
        };
        let softmax = (kernel.elementwise.softmax)(chunk, value_scales, WEIGHT_LIMIT, scores, wide);
        running.go_on_int8(softmax);
    }
    let wide = scratch.weights.get(..together * bands).unwrap_or_default().as_flattened();
    let len = queries.head_dim;
    for dim in (0..len).step_by(CHUNK) {
        let dims = CHUNK.min(len - dim);
        let sums = scratch.sums.get_mut(..dims.div_ceil(BAND_ROWS) * together);
        let sums = sums.unwrap_or_default();
        (kernel.q8_wide)(int8.values(dim, first, bands), wide, together, sums);
        for (index, running) in running.iter().enumerate().take(end).skip(from) {
            let out = output.query(queries, index).get_mut(dim..dim + dims).unwrap_or_default();
            let sums = sums.get(index - from..).unwrap_or_default();
            let sums = Strided { sums, step: together };
            (kernel.elementwise.accumulate)(out, running.shrink, sums, running.scale);
        }
    }
}

/// Σ a·b by lanes, b in half precision.
fn dot_f16(a: &[f32], b: &[u16]) -> f32 {
    let mut lanes = [0.0; crate::math::LANES];
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        if let Some(lane) = lanes.get_mut(index % crate::math::LANES) {
            *lane += a * half::f16::from_bits(*b).to_f32();
        }
    }
    crate::math::sum_lanes(lanes)
}
