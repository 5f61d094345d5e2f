//! The KV cache: one head's keys and values of all positions are contiguous.

use super::quantize::quantize_short;
use crate::plan::{Cutter, KvBuffers, Shape};

/// The keys and values of one head, from position 0 on.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    F32 { keys: &'a [f32], values: &'a [f32] },
    F16 { keys: &'a [u16], values: &'a [u16] },
    Int8 { keys: &'a [i8], values: &'a [i8], key_scales: &'a [u16], value_scales: &'a [u16] },
}

/// Where a head's vectors lie: `first`.. in units of vectors.
fn first_vector(shape: &Shape, layer: usize, head: usize) -> usize {
    (layer * shape.kv_heads + head) * shape.context
}

/// Vector `index` of `len` numbers.
fn vector<T>(all: &mut [T], index: usize, len: usize) -> &mut [T] {
    all.get_mut(index * len..(index + 1) * len).unwrap_or_default()
}

/// Writes a token's `key` and `value`, [kv_heads, head_dim] each, at `position` of `layer`.
pub(super) fn store(
    cache: &mut KvBuffers<Cutter<'_>>,
    shape: &Shape,
    layer: usize,
    position: usize,
    key: &[f32],
    value: &[f32],
) {
    let len = shape.head_dim.max(1);
    for (head, (key, value)) in key.chunks_exact(len).zip(value.chunks_exact(len)).enumerate() {
        let index = first_vector(shape, layer, head) + position;
        match cache {
            KvBuffers::F32 { keys, values } => {
                copy(key, vector(keys, index, len), |x| x);
                copy(value, vector(values, index, len), |x| x);
            }
            KvBuffers::F16 { keys, values } => {
                copy(key, vector(keys, index, len), |x| half::f16::from_f32(x).to_bits());
                copy(value, vector(values, index, len), |x| half::f16::from_f32(x).to_bits());
            }
            KvBuffers::Int8 { keys, values, key_scales, value_scales } => {
                let scales = key_scales.get_mut(index).zip(value_scales.get_mut(index));
                let Some((key_scale, value_scale)) = scales else { continue };
                *key_scale = quantize_short(key, vector(keys, index, len));
                *value_scale = quantize_short(value, vector(values, index, len));
            }
        }
    }
}

fn copy<T>(from: &[f32], to: &mut [T], convert: impl Fn(f32) -> T) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = convert(*from);
    }
}

/// Head `head` of `layer`, its first `positions` positions.
pub(super) fn head<'a>(
    cache: &'a KvBuffers<Cutter<'_>>,
    shape: &Shape,
    layer: usize,
    head: usize,
    positions: usize,
) -> Head<'a> {
    let first = first_vector(shape, layer, head);
    fn part<T>(all: &[T], first: usize, count: usize, len: usize) -> &[T] {
        all.get(first * len..(first + count) * len).unwrap_or_default()
    }
    let len = shape.head_dim;
    match cache {
        KvBuffers::F32 { keys, values } => Head::F32 {
            keys: part(keys, first, positions, len),
            values: part(values, first, positions, len),
        },
        KvBuffers::F16 { keys, values } => Head::F16 {
            keys: part(keys, first, positions, len),
            values: part(values, first, positions, len),
        },
        KvBuffers::Int8 { keys, values, key_scales, value_scales } => Head::Int8 {
            keys: part(keys, first, positions, len),
            values: part(values, first, positions, len),
            key_scales: part(key_scales, first, positions, 1),
            value_scales: part(value_scales, first, positions, 1),
        },
    }
}
