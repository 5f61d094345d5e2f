//! The KV cache: what is stored of a token, and one head's keys and values as attention reads them.
//!
//! In floats, one head's vectors of all positions are contiguous. In int8 they lie in bands, as q8
//! weights do ([`crate::format::encoding::q8`]), so that the same dot products read them:
//!
//! ```text
//! keys:    rows are positions, columns dimensions    scores = K · q
//! values:  rows are dimensions, columns positions    out    = V · weights
//! ```

use super::quantize::quantize_short;
use crate::format::BAND_ROWS;
use crate::kernel::{Group, Wide};
use crate::plan::{Cutter, KvBuffers, Shape};

/// The keys and values of one head, from position 0 on.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    F32 { keys: &'a [f32], values: &'a [f32] },
    F16 { keys: &'a [u16], values: &'a [u16] },
    Int8(Int8<'a>),
}

/// One head in int8.
#[derive(Clone, Copy)]
pub(super) struct Int8<'a> {
    keys: &'a [Group],
    values: &'a [Group],
    /// Scale per key, see [`quantize_short`].
    pub(super) key_scales: &'a [u16],
    /// Scale per value.
    pub(super) value_scales: &'a [u16],
    /// Groups per band of keys, and of values.
    key_groups: usize,
    value_groups: usize,
}

impl<'a> Int8<'a> {
    /// The keys of `positions` positions from `first` on, which is a multiple of 8.
    pub(super) fn keys(&self, first: usize, positions: usize) -> Wide<'a> {
        let stride = self.key_groups;
        let (first, bands) = (first / BAND_ROWS, positions.div_ceil(BAND_ROWS));
        let groups = self.keys.get(first * stride..(first + bands) * stride);
        Wide { groups: groups.unwrap_or_default(), stride, per_band: stride }
    }

    /// Dimensions from `dim` on, which is a multiple of 8, of the values of `positions` positions
    /// from `first` on, a multiple of 4.
    pub(super) fn values(&self, dim: usize, first: usize, positions: usize) -> Wide<'a> {
        let stride = self.value_groups;
        let groups = self.values.get(dim / BAND_ROWS * stride + first / 4..);
        let per_band = positions.div_ceil(4);
        Wide { groups: groups.unwrap_or_default(), stride, per_band }
    }
}

/// The index of a head among all layers' heads.
fn index(shape: &Shape, layer: usize, head: usize) -> usize {
    layer * shape.kv_heads + head
}

/// Part `index` of `len` numbers.
fn part<T>(all: &mut [T], index: usize, len: usize) -> &mut [T] {
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
        let head = index(shape, layer, head);
        let vector = head * shape.context + position;
        match cache {
            KvBuffers::F32 { keys, values } => {
                copy(key, part(keys, vector, len), |x| x);
                copy(value, part(values, vector, len), |x| x);
            }
            KvBuffers::F16 { keys, values } => {
                copy(key, part(keys, vector, len), |x| half::f16::from_f32(x).to_bits());
                copy(value, part(values, vector, len), |x| half::f16::from_f32(x).to_bits());
            }
            KvBuffers::Int8 { keys, values, key_scales, value_scales } => {
                let scales = key_scales.get_mut(vector).zip(value_scales.get_mut(vector));
                let Some((key_scale, value_scale)) = scales else { continue };
                let groups = part(keys, head, shape.key_groups() * shape.position_bands());
                *key_scale = quantize_short(key, |dim, q| {
                    put(groups, shape.key_groups(), position, dim, q);
                });
                let groups = part(values, head, shape.value_groups() * shape.dimension_bands());
                *value_scale = quantize_short(value, |dim, q| {
                    put(groups, shape.value_groups(), dim, position, q);
                });
            }
        }
    }
}

/// Writes the number at `row` and `col` of bands of `per_band` groups.
fn put(groups: &mut [Group], per_band: usize, row: usize, col: usize, q: i8) {
    let group = groups.get_mut(row / BAND_ROWS * per_band + col / 4);
    if let Some(byte) = group.and_then(|group| group.get_mut(row % BAND_ROWS * 4 + col % 4)) {
        *byte = q.cast_unsigned();
    }
}

fn copy<T>(from: &[f32], to: &mut [T], convert: impl Fn(f32) -> T) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = convert(*from);
    }
}

/// Head `head` of `layer`.
pub(super) fn head<'a>(
    cache: &'a KvBuffers<Cutter<'_>>,
    shape: &Shape,
    layer: usize,
    head: usize,
) -> Head<'a> {
    let head = index(shape, layer, head);
    fn part<T>(all: &[T], index: usize, len: usize) -> &[T] {
        all.get(index * len..(index + 1) * len).unwrap_or_default()
    }
    let len = shape.head_dim * shape.context;
    match cache {
        KvBuffers::F32 { keys, values } => {
            Head::F32 { keys: part(keys, head, len), values: part(values, head, len) }
        }
        KvBuffers::F16 { keys, values } => {
            Head::F16 { keys: part(keys, head, len), values: part(values, head, len) }
        }
        KvBuffers::Int8 { keys, values, key_scales, value_scales } => Head::Int8(Int8 {
            keys: part(keys, head, shape.key_groups() * shape.position_bands()),
            values: part(values, head, shape.value_groups() * shape.dimension_bands()),
            key_scales: part(key_scales, head, shape.context),
            value_scales: part(value_scales, head, shape.context),
            key_groups: shape.key_groups(),
            value_groups: shape.value_groups(),
        }),
    }
}
