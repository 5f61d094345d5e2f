//! Heads: what becomes of queries, keys and values before attention, and how attention's work is cut
//! into strips of heads that read their keys and values together.

use core::ops::Range;

use super::attention::{MOST_QUERIES, Output, QUERY_LIMIT, Queries, attend};
use super::pass::Context;
use super::workers::share;
use super::{cache, rope};
use crate::format::BLOCK;
use crate::format::recipe::Positions;
use crate::format::tensor_table::Role;
use crate::plan::{Buffers, Cutter, KvBuffers, Shape, Strips};

/// A layer, and the tokens that pass through it.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) layer: u32,
    /// Position of the first token.
    pub(super) position: usize,
    pub(super) tokens: usize,
}

/// Rotates queries and keys, stores keys and values, quantizes queries for an int8 cache.
pub(super) fn store(cx: &Context<'_>, buffers: &mut Buffers<Cutter<'_>>, span: Span) {
    let shape = cx.shape;
    let layer = usize::try_from(span.layer).unwrap_or(usize::MAX);
    let (query, kv) = (shape.query_dim.max(1), shape.kv_dim.max(1));
    let (queries, rest) =
        buffers.output.split_at_mut_checked(query * shape.batch).unwrap_or_default();
    let (keys, values) = rest.split_at_mut_checked(kv * shape.batch).unwrap_or_default();
    if shape.recipe.positions == Positions::Rotary {
        let rotations = buffers.rotary.chunks_exact(shape.rotary_dims.max(1));
        let tokens = queries.chunks_exact_mut(query).zip(keys.chunks_exact_mut(kv));
        for ((query, key), rotations) in tokens.zip(rotations).take(span.tokens) {
            rope::rotate(query, shape.head_dim, rotations);
            rope::rotate(key, shape.head_dim, rotations);
        }
    }
    let int8 = matches!(buffers.cache, KvBuffers::Int8 { .. });
    if int8 && shape.recipe.key_centers {
        let center = cx.model.vector(Role::KeyCenter, span.layer);
        for key in keys.chunks_exact_mut(kv).take(span.tokens) {
            key.iter_mut().zip(center.floats()).for_each(|(key, center)| *key -= center);
        }
    }
    let tokens = keys.chunks_exact(kv).zip(values.chunks_exact(kv)).take(span.tokens);
    for (position, (key, value)) in (span.position..).zip(tokens) {
        cache::store(&mut buffers.cache, shape, layer, position, key, value);
    }
    if int8 {
        let (len, together) = (shape.head_dim.max(1), heads_together(shape));
        let heads = queries.chunks_exact(len).take(span.tokens * shape.heads);
        for (index, x) in heads.enumerate() {
            let token = index.checked_div(shape.heads).unwrap_or(0);
            let place = wide_query(shape, token, index - token * shape.heads, together);
            let wide = buffers.queries.wide.get_mut(place * shape.wide_dim()..);
            let q = wide.and_then(|wide| wide.get_mut(..len)).unwrap_or_default();
            if let Some(scale) = buffers.queries.scales.get_mut(place) {
                *scale = (cx.kernel.elementwise.quantize_wide)(x, QUERY_LIMIT, q);
            }
        }
    }
}

/// Attention of the heads in `strips`, all tokens each, into the input of the output projection.
pub(super) fn attend_strips(
    cx: &Context<'_>,
    buffers: &mut Buffers<Cutter<'_>>,
    span: Span,
    strips: Range<usize>,
) {
    let shape = cx.shape;
    let layer = usize::try_from(span.layer).unwrap_or(usize::MAX);
    let (len, stride) = (shape.head_dim.max(1), shape.query_dim.next_multiple_of(BLOCK));
    let heads = heads_together(shape);
    let Buffers { cache, output, input, queries, .. } = buffers;
    let (cache, output, queries) = (&*cache, &*output, &*queries);
    let mixed = input.floats.get_mut(..stride * span.tokens).unwrap_or_default();
    if strips.start == 0 {
        mixed.fill(0.0);
    }
    // Floats of several tokens do not lie together.
    let int8 = matches!(cache, KvBuffers::Int8 { .. });
    let together = if int8 { MOST_QUERIES.checked_div(heads).unwrap_or(1) } else { 1 };
    let outputs = Strips::new(mixed, stride, shape.query_dim, len * heads, strips);
    let softmax_scale = 1.0 / crate::math::sqrt(shape.head_dim as f32);
    let group = shape.heads.checked_div(shape.kv_heads).unwrap_or(1);
    share(cx.workers, || {
        while let Some(mut claim) = outputs.claim(1) {
            for strip in claim.strips() {
                let first = (strip * heads).checked_div(group).unwrap_or(0);
                let head = cache::head(cache, shape, layer, first);
                for token in (0..span.tokens).step_by(together.max(1)) {
                    let tokens = together.min(span.tokens - token);
                    let queries = Queries {
                        positions: span.position + token + 1,
                        softmax_scale,
                        ..queries_of(shape, output, queries, (strip, heads), (token, tokens))
                    };
                    let to = Output { claim: &mut claim, strip, row: token, tokens };
                    attend(cx.kernel, queries, head, to);
                }
            }
        }
    });
}

/// Strips of heads, and the heads of each.
pub(super) fn strips(shape: &Shape) -> (usize, usize) {
    let heads = heads_together(shape);
    (shape.heads.checked_div(heads).unwrap_or(0), heads)
}

/// Heads that read their keys and values together: a divisor of those that share them. Not many
/// where that would leave threads without work.
fn heads_together(shape: &Shape) -> usize {
    let group = shape.heads.checked_div(shape.kv_heads).unwrap_or(1);
    let shared = shape.kv_heads.is_multiple_of(shape.workers.max(1));
    let most = if shared { MOST_QUERIES } else { 1 };
    (1..=most).rev().find(|heads| group.is_multiple_of(*heads)).unwrap_or(1)
}

/// The place of a 16-bit query: [strips of heads, batch, heads of a strip], so that the queries that
/// share keys and values lie together.
fn wide_query(shape: &Shape, token: usize, head: usize, together: usize) -> usize {
    let strip = head.checked_div(together).unwrap_or(0);
    (strip * shape.batch + token) * together + (head - strip * together)
}

/// The queries of a strip of `heads` heads, of `tokens` tokens from `token` on (in floats, of one).
/// Positions and softmax scale are still to be set.
fn queries_of<'q>(
    shape: &Shape,
    floats: &'q [f32],
    queries: &'q crate::plan::Queries<Cutter<'_>>,
    (strip, heads): (usize, usize),
    (token, tokens): (usize, usize),
) -> Queries<'q> {
    fn part<T>(all: &[T], first: usize, count: usize, len: usize) -> &[T] {
        all.get(first * len..(first + count) * len).unwrap_or_default()
    }
    let place = wide_query(shape, token, strip * heads, heads);
    Queries {
        heads,
        head_dim: shape.head_dim,
        floats: part(floats, token * shape.heads + strip * heads, heads, shape.head_dim),
        wide: part(queries.wide, place, tokens * heads, shape.wide_dim()),
        scales: part(queries.scales, place, tokens * heads, 1),
        softmax_scale: 1.0,
        positions: 0,
    }
}
