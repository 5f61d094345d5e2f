//! The KV cache: what is stored of a token, and one head's keys and values as attention reads them.
//!
//! In floats, one head's vectors of all positions are contiguous. In int8 they lie in bands, as q8
//! weights do ([`crate::format::encoding::q8`]), so that the same dot products read them:
//!
//! ```text
//! keys:    rows are positions, columns dimensions    scores = K · q
//! values:  rows are dimensions, columns positions    out    = V · weights
//! ```

use super::quantize::short_quantizer;
use crate::format::BAND_ROWS;
use crate::format::encoding::Float;
use crate::kernel::{Group, Sums, Wide};
use crate::math::nearest;
use crate::plan::{KvBuffers, Parts, Shape, part};

/// The keys and values of one head, from position 0 on.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    F32 { keys: &'a [f32], values: &'a [f32], _float: Float },
    F16 { keys: &'a [u16], values: &'a [u16], _float: Float },
    Int8(Int8<'a>),
}

/// One head in int8.
#[derive(Clone, Copy)]
pub(super) struct Int8<'a> {
    keys: &'a [Group],
    values: &'a [Group],
    /// Scale per key, see [`short_quantizer`].
    key_scales: &'a [Sums<u16>],
    /// Scale per value.
    value_scales: &'a [Sums<u16>],
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
        let groups = groups.unwrap_or_default();
        Wide { groups, stride, per_band: stride, ahead: groups.len() }
    }

    /// Scales of the keys, and of the values, of the bands of positions from `first` on, a multiple of 8.
    pub(super) fn scales(&self, first: usize) -> [&'a [Sums<u16>]; 2] {
        [self.key_scales, self.value_scales]
            .map(|scales| scales.get(first / BAND_ROWS..).unwrap_or_default())
    }

    /// Dimensions from `dim` on, which is a multiple of 8, of the values of `bands` bands of
    /// positions from `first` on, a multiple of 8.
    pub(super) fn values(&self, dim: usize, first: usize, bands: usize) -> Wide<'a> {
        let stride = self.value_groups;
        let groups = self.values.get(dim / BAND_ROWS * stride + first / 4..);
        let per_band = bands * (BAND_ROWS / 4);
        Wide { groups: groups.unwrap_or_default(), stride, per_band, ahead: per_band }
    }
}

/// The index of a head among all layers' heads.
fn index(shape: &Shape, layer: usize, head: usize) -> usize {
    layer * shape.kv_heads + head
}

/// The keys and values of one head, to write to.
pub(super) enum HeadMut<'a> {
    F32 { keys: &'a mut [f32], values: &'a mut [f32], _float: Float },
    F16 { keys: &'a mut [u16], values: &'a mut [u16], _float: Float },
    Int8(Int8Mut<'a>),
}

/// One head in int8.
pub(super) struct Int8Mut<'a> {
    keys: &'a mut [Group],
    values: &'a mut [Group],
    key_scales: &'a mut [Sums<u16>],
    value_scales: &'a mut [Sums<u16>],
}

/// The heads of a layer, one after another.
pub(super) enum Heads<'a> {
    F32 { keys: Parts<'a, f32>, values: Parts<'a, f32>, _float: Float },
    F16 { keys: Parts<'a, u16>, values: Parts<'a, u16>, _float: Float },
    Int8 { keys: Parts<'a, Group>, values: Parts<'a, Group>, scales: [Parts<'a, Sums<u16>>; 2] },
}

/// The heads of `layer`.
pub(super) fn heads<'a>(cache: &'a mut KvBuffers<'_>, shape: &Shape, layer: usize) -> Heads<'a> {
    fn heads<'a, T>(all: &'a mut [T], shape: &Shape, layer: usize, len: usize) -> Parts<'a, T> {
        let per_layer = shape.kv_heads * len;
        let layer = all.get_mut(layer * per_layer..(layer + 1) * per_layer);
        Parts::new(layer.unwrap_or_default(), len)
    }
    let len = shape.context * shape.head_dim;
    match cache {
        KvBuffers::F32 { keys, values, float } => Heads::F32 {
            keys: heads(keys, shape, layer, len),
            values: heads(values, shape, layer, len),
            _float: *float,
        },
        KvBuffers::F16 { keys, values, float } => Heads::F16 {
            keys: heads(keys, shape, layer, len),
            values: heads(values, shape, layer, len),
            _float: *float,
        },
        KvBuffers::Int8 { keys, values, key_scales, value_scales } => Heads::Int8 {
            keys: heads(keys, shape, layer, shape.key_groups() * shape.position_bands()),
            values: heads(values, shape, layer, shape.value_groups() * shape.dimension_bands()),
            scales: [key_scales, value_scales]
                .map(|scales| heads(scales, shape, layer, shape.position_bands())),
        },
    }
}

impl<'a> Iterator for Heads<'a> {
    type Item = HeadMut<'a>;

    fn next(&mut self) -> Option<HeadMut<'a>> {
        Some(match self {
            Self::F32 { keys, values, _float } => {
                HeadMut::F32 { keys: keys.next()?, values: values.next()?, _float: *_float }
            }
            Self::F16 { keys, values, _float } => {
                HeadMut::F16 { keys: keys.next()?, values: values.next()?, _float: *_float }
            }
            Self::Int8 { keys, values, scales: [key_scales, value_scales] } => {
                HeadMut::Int8(Int8Mut {
                    keys: keys.next()?,
                    values: values.next()?,
                    key_scales: key_scales.next()?,
                    value_scales: value_scales.next()?,
                })
            }
        })
    }
}

impl HeadMut<'_> {
    /// Writes a token's `key` and `value` [head_dim] at `position`.
    #[cfg_attr(not(acorn_mcu), inline(always))]
    pub(super) fn store(&mut self, shape: &Shape, position: usize, key: &[f32], value: &[f32]) {
        fn vector<T>(all: &mut [T], position: usize, len: usize) -> &mut [T] {
            all.get_mut(position * len..(position + 1) * len).unwrap_or_default()
        }
        let len = shape.head_dim;
        match self {
            Self::F32 { keys, values, .. } => {
                copy(key, vector(keys, position, len), |x| x);
                copy(value, vector(values, position, len), |x| x);
            }
            Self::F16 { keys, values, .. } => {
                copy(key, vector(keys, position, len), |x| half::f16::from_f32(x).to_bits());
                copy(value, vector(values, position, len), |x| half::f16::from_f32(x).to_bits());
            }
            Self::Int8(Int8Mut { keys, values, key_scales, value_scales }) => {
                let [key_scale, value_scale] = [key_scales, value_scales]
                    .map(|scales| scales.as_flattened_mut().get_mut(position));
                let Some((key_scale, value_scale)) = key_scale.zip(value_scale) else { return };
                let (inverse, value_inverse);
                (*key_scale, inverse) = short_quantizer(key);
                (*value_scale, value_inverse) = short_quantizer(value);
                let (key_groups, value_groups) = (shape.key_groups(), shape.value_groups());
                if cfg!(acorn_mcu) {
                    // Less code.
                    for (dim, key) in key.iter().enumerate() {
                        put(keys, key_groups, position, dim, nearest(key * inverse));
                    }
                    for (dim, value) in value.iter().enumerate() {
                        put(values, value_groups, dim, position, nearest(value * value_inverse));
                    }
                    return;
                }
                // Numbers in bytes, some at a time, which become vectors; then each to its place.
                const SOME: usize = 32;
                // Keys are rows of positions: numbers of four dimensions lie together.
                let (band, row) = (position / BAND_ROWS, position % BAND_ROWS);
                let mut groups = keys.get_mut(band * key_groups..).unwrap_or_default().iter_mut();
                for key in key.chunks(SOME) {
                    let mut bytes = [0; SOME];
                    for (byte, key) in bytes.iter_mut().zip(key) {
                        *byte = nearest(key * inverse) as u8;
                    }
                    let fours = bytes.as_chunks::<4>().0.iter().take(key.len().div_ceil(4));
                    for (four, group) in fours.zip(&mut groups) {
                        if let Some(place) = group.as_chunks_mut::<4>().0.get_mut(row) {
                            *place = *four;
                        }
                    }
                }
                // Values are rows of dimensions: a group has eight of them, four bytes apart.
                let (group, column) = (position / 4, position % 4);
                let groups = values.get_mut(group..).unwrap_or_default();
                let mut groups = groups.iter_mut().step_by(value_groups.max(1));
                for value in value.chunks(SOME) {
                    let mut bytes = [0; SOME];
                    for (byte, value) in bytes.iter_mut().zip(value) {
                        *byte = nearest(value * value_inverse) as u8;
                    }
                    let eights = bytes.as_chunks::<8>().0.iter().take(value.len().div_ceil(8));
                    for (eight, group) in eights.zip(&mut groups) {
                        for (byte, four) in eight.iter().zip(group.as_chunks_mut::<4>().0) {
                            if let Some(place) = four.get_mut(column) {
                                *place = *byte;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes the number at `row` and `col` of bands of `per_band` groups.
fn put(groups: &mut [Group], per_band: usize, row: usize, col: usize, q: i32) {
    let group = groups.get_mut(row / BAND_ROWS * per_band + col / 4);
    if let Some(byte) = group.and_then(|group| group.get_mut(row % BAND_ROWS * 4 + col % 4)) {
        *byte = q as u8;
    }
}

fn copy<T>(from: &[f32], to: &mut [T], convert: impl Fn(f32) -> T) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = convert(*from);
    }
}

/// Head `head` of `layer`.
pub(super) fn head<'a>(
    cache: &'a KvBuffers<'_>,
    shape: &Shape,
    layer: usize,
    head: usize,
) -> Head<'a> {
    let head = index(shape, layer, head);
    let len = shape.head_dim * shape.context;
    match cache {
        KvBuffers::F32 { keys, values, float } => Head::F32 {
            keys: part(keys, head, len),
            values: part(values, head, len),
            _float: *float,
        },
        KvBuffers::F16 { keys, values, float } => Head::F16 {
            keys: part(keys, head, len),
            values: part(values, head, len),
            _float: *float,
        },
        KvBuffers::Int8 { keys, values, key_scales, value_scales } => Head::Int8(Int8 {
            keys: part(keys, head, shape.key_groups() * shape.position_bands()),
            values: part(values, head, shape.value_groups() * shape.dimension_bands()),
            key_scales: part(key_scales, head, shape.position_bands()),
            value_scales: part(value_scales, head, shape.position_bands()),
            key_groups: shape.key_groups(),
            value_groups: shape.value_groups(),
        }),
    }
}
