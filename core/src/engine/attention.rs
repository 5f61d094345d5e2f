//! One head's attention of one token over all positions up to its own.
//!
//! ```text
//! score[p] = (q · k[p]) / sqrt(head_dim)
//! out      = Σ_p exp(score[p] - max) · v[p]  /  Σ_p exp(score[p] - max)
//! ```
//!
//! With an int8 cache `q · k[p]` is an exact integer dot product. Each output dimension sums over p
//! in ascending order; the divisor is summed by lanes.

use super::cache::Head;
use super::quantize::long_scale;
use crate::math::{dot, exp, max, sum};

/// A query head: floats, and (for an int8 cache) the same as int8 with its scale.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) floats: &'a [f32],
    pub(super) quants: &'a [i8],
    pub(super) scale: f32,
    /// 1 / sqrt(head_dim)
    pub(super) softmax_scale: f32,
}

/// Attention over the positions that `head` covers, into `out` [head_dim]. `scores` has one place
/// per position.
pub(super) fn attend(query: Query<'_>, head: Head<'_>, scores: &mut [f32], out: &mut [f32]) {
    fill_scores(query, head, scores);
    let largest = max(scores);
    for score in scores.iter_mut() {
        *score = exp(*score - largest);
    }
    let inverse = 1.0 / sum(scores);

    out.fill(0.0);
    let len = out.len().max(1);
    match head {
        Head::F32 { values, .. } => {
            for (weight, value) in scores.iter().zip(values.chunks_exact(len)) {
                add_scaled(out, *weight, value, |v| v);
            }
        }
        Head::F16 { values, .. } => {
            for (weight, value) in scores.iter().zip(values.chunks_exact(len)) {
                add_scaled(out, *weight, value, |v| half::f16::from_bits(v).to_f32());
            }
        }
        Head::Int8 { values, value_scales, .. } => {
            let values = values.chunks_exact(len).zip(value_scales);
            for (weight, (value, scale)) in scores.iter().zip(values) {
                add_scaled(out, weight * long_scale(*scale), value, f32::from);
            }
        }
    }
    for out in out {
        *out *= inverse;
    }
}

fn fill_scores(query: Query<'_>, head: Head<'_>, scores: &mut [f32]) {
    let len = query.floats.len().max(1);
    match head {
        Head::F32 { keys, .. } => {
            for (score, key) in scores.iter_mut().zip(keys.chunks_exact(len)) {
                *score = dot(query.floats, key) * query.softmax_scale;
            }
        }
        Head::F16 { keys, .. } => {
            for (score, key) in scores.iter_mut().zip(keys.chunks_exact(len)) {
                *score = dot_f16(query.floats, key) * query.softmax_scale;
            }
        }
        Head::Int8 { keys, key_scales, .. } => {
            let scale = query.scale * query.softmax_scale;
            let keys = keys.chunks_exact(len).zip(key_scales);
            for (score, (key, key_scale)) in scores.iter_mut().zip(keys) {
                let products =
                    query.quants.iter().zip(key).map(|(q, k)| i32::from(*q) * i32::from(*k));
                *score = products.sum::<i32>() as f32 * (long_scale(*key_scale) * scale);
            }
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

fn add_scaled<T: Copy>(out: &mut [f32], weight: f32, value: &[T], float: impl Fn(T) -> f32) {
    for (out, value) in out.iter_mut().zip(value) {
        *out += weight * float(*value);
    }
}
