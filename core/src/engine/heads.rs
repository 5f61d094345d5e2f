//! Heads: what becomes of queries, keys and values before attention, and how attention's work is cut
//! into strips of heads that read their keys and values together.

use core::ops::Range;

use super::attention::{MOST_QUERIES, Output, QUERY_LIMIT, Queries, Room, Scratch, attend};
use super::pass::Context;
use super::workers::{halves, share, share_items, share_tokens};
use super::{cache, rope};
use crate::format::recipe::Positions;
use crate::format::tensor_table::Role;
use crate::format::{BAND_ROWS, BLOCK};
use crate::kernel::{Work, rows};
use crate::plan::{Buffers, CHUNK, Items, KvBuffers, Parts, Shape, Strips, part};

/// A layer, and the tokens that pass through it.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) layer: u32,
    /// Position of the first token.
    pub(super) position: usize,
    pub(super) tokens: usize,
}

/// Rotates queries and keys, stores keys and values, quantizes queries for an int8 cache. There are queries from token
/// `first` on.
#[inline(never)] // Its buffers are no part of the stack under the products.
pub(super) fn store(cx: &Context<'_>, buffers: &mut Buffers<'_>, span: Span, first: usize) {
    let shape = cx.shape;
    let through = span.tokens - first;
    let layer = usize::try_from(span.layer).unwrap_or(usize::MAX);
    let (query, kv) = (shape.query_dim.max(1), shape.kv_dim.max(1));
    let (queries, rest) =
        buffers.output.split_at_mut_checked(query * shape.batch).unwrap_or_default();
    let (keys, values) = rest.split_at_mut_checked(kv * shape.batch).unwrap_or_default();
    let int8 = matches!(buffers.cache, KvBuffers::Int8 { .. });
    let rotary = shape.recipe.positions == Positions::Rotary;
    let center =
        (int8 && shape.recipe.key_centers).then(|| cx.model.vector(Role::KeyCenter, span.layer));
    let rotations = &*buffers.rotary;
    if rotary {
        let rows = Parts::new(queries, query).take(through).enumerate();
        share_tokens(cx.workers, through * query, rows, |(row, query)| {
            let rotations = part(rotations, first + row, shape.rotary_dims);
            rope::rotate(query, shape.head_dim, rotations);
        });
    }
    if rotary || center.is_some() {
        let rows = Parts::new(keys, kv).take(span.tokens).enumerate();
        share_tokens(cx.workers, span.tokens * kv, rows, |(token, key)| {
            if rotary {
                let rotations = part(rotations, token, shape.rotary_dims);
                rope::rotate(key, shape.head_dim, rotations);
            }
            if let Some(center) = center {
                key.iter_mut().zip(center.floats()).for_each(|(key, center)| *key -= center);
            }
        });
    }
    let [keys, values] = [keys, values].map(|all| all.get(..span.tokens * kv).unwrap_or_default());
    let (queries, len) = (&*queries, shape.head_dim);
    let heads = cache::heads(&mut buffers.cache, shape, layer).enumerate();
    share_items(cx.workers, 2 * span.tokens * kv, heads, |(index, head)| {
        cx.kernel.run(Stored { head, index, shape, position: span.position, keys, values });
    });
    if int8 {
        let together = heads_together(shape);
        let places = shape.batch * together;
        let wide = Parts::new(buffers.queries.wide, places * shape.wide_dim());
        let strips = wide.zip(Parts::new(buffers.queries.scales, places)).enumerate();
        share_items(cx.workers, through * query, strips, |(strip, (wide, scales))| {
            let (mut wide, mut scales) = (Parts::new(wide, shape.wide_dim()), scales.iter_mut());
            for token in 0..through {
                for head in strip * together..(strip + 1) * together {
                    let (Some(q), Some(scale)) = (wide.next(), scales.next()) else { return };
                    let x = part(queries, token * shape.heads + head, len);
                    *scale = (cx.kernel.elementwise.quantize_wide)(x, QUERY_LIMIT, q);
                }
            }
        });
    }
}

/// Keys and values [tokens, kv_dim], on the way into the cache of the head with that `index`.
struct Stored<'a> {
    head: cache::HeadMut<'a>,
    index: usize,
    shape: &'a Shape,
    /// Of the first token.
    position: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

impl Work for Stored<'_> {
    #[inline(always)]
    fn run(mut self) {
        let kv = self.shape.kv_dim.max(1);
        let tokens = rows(self.keys, kv).zip(rows(self.values, kv));
        for (position, (key, value)) in (self.position..).zip(tokens) {
            let [key, value] = [key, value].map(|all| part(all, self.index, self.shape.head_dim));
            self.head.store(self.shape, position, key, value);
        }
    }
}

/// Attention of the heads in `strips`, all tokens each, into the input of the output projection.
pub(super) fn attend_strips(
    cx: &Context<'_>,
    buffers: &mut Buffers<'_>,
    span: Span,
    strips: Range<usize>,
) {
    let shape = cx.shape;
    let layer = usize::try_from(span.layer).unwrap_or(usize::MAX);
    let (len, stride) = (shape.head_dim.max(1), shape.query_dim.next_multiple_of(BLOCK));
    let heads = heads_together(shape);
    let Buffers { cache, output, input, queries, scratches, .. } = buffers;
    let (cache, output, queries) = (&*cache, &*output, &*queries);
    let mixed = input.floats.get_mut(..stride * span.tokens).unwrap_or_default();
    if strips.start == 0 {
        mixed.fill(0.0);
    }
    // Floats of several tokens do not lie together.
    let int8 = matches!(cache, KvBuffers::Int8 { .. });
    let together = if int8 { MOST_QUERIES.checked_div(heads).unwrap_or(1) } else { 1 };
    let halves = halves(mixed, stride, span.tokens, shape.workers, |tokens, rows| {
        (tokens, Strips::new(rows, stride, shape.query_dim, len * heads, strips.clone()))
    });
    let softmax_scale = core::f32::consts::LOG2_E / crate::kernel::sqrt(shape.head_dim as f32);
    let group = shape.heads.checked_div(shape.kv_heads).unwrap_or(1);
    let scratches = Items::new(
        Parts::new(scratches.scores, CHUNK / BAND_ROWS)
            .zip(Parts::new(scratches.weights, CHUNK / BAND_ROWS))
            .zip(Parts::new(scratches.sums, CHUNK / BAND_ROWS)),
    );
    share(cx.workers, |end| {
        let mut room;
        let mut scratch = if cfg!(acorn_mcu) {
            // As many cores as were planned have one.
            let Some(((scores, weights), sums)) = scratches.next() else { return };
            Scratch { scores, weights, sums }
        } else {
            room = Room::new();
            room.scratch()
        };
        for (half, outputs) in end.first(&halves) {
            while !half.is_empty()
                && let Some(mut claim) = outputs.claim(|_| 1)
            {
                for strip in claim.strips() {
                    let first = (strip * heads).checked_div(group).unwrap_or(0);
                    let head = cache::head(cache, shape, layer, first);
                    for token in half.clone().step_by(together.max(1)) {
                        let tokens = together.min(half.end - token);
                        let queries = Queries {
                            positions: span.position + token + 1,
                            softmax_scale,
                            ..queries_of(shape, output, queries, (strip, heads), (token, tokens))
                        };
                        let row = token - half.start;
                        let to = Output { claim: &mut claim, strip, row, tokens };
                        attend(cx.kernel, &queries, head, to, &mut scratch);
                    }
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

/// Heads that read their keys and values together: a divisor of those that share them, the one with
/// which the threads are done first.
fn heads_together(shape: &Shape) -> usize {
    if MOST_QUERIES == 1 {
        return 1;
    }
    let group = shape.heads.checked_div(shape.kv_heads).unwrap_or(1);
    // Instructions per group of 4 columns of keys or values: it is read and widened once, then
    // multiplied with each head's.
    let strip = |heads: usize| 4 + 5 * heads;
    let strips = |heads: usize| shape.heads.checked_div(heads).unwrap_or(0);
    let most_strips = |heads: usize| strips(heads).div_ceil(shape.workers.max(1));
    let divisors = (1..=MOST_QUERIES).rev().filter(|heads| group.is_multiple_of(*heads));
    divisors.min_by_key(|&heads| most_strips(heads) * strip(heads)).unwrap_or(1)
}

/// The queries of a strip of `heads` heads, of `tokens` tokens from `token` on (in floats, of one).
/// Positions and softmax scale are still to be set.
fn queries_of<'q>(
    shape: &Shape,
    floats: &'q [f32],
    queries: &'q crate::plan::Queries<'_>,
    (strip, heads): (usize, usize),
    (token, tokens): (usize, usize),
) -> Queries<'q> {
    fn parts<T>(all: &[T], first: usize, count: usize, len: usize) -> &[T] {
        all.get(first * len..(first + count) * len).unwrap_or_default()
    }
    // 16-bit queries lie as [strips, batch, heads of a strip], so that those that share keys and values
    // lie together.
    let place = (strip * shape.batch + token) * heads;
    Queries {
        heads,
        head_dim: shape.head_dim,
        floats: parts(floats, token * shape.heads + strip * heads, heads, shape.head_dim),
        wide: parts(queries.wide, place, tokens * heads, shape.wide_dim()),
        scales: parts(queries.scales, place, tokens * heads, 1),
        softmax_scale: 1.0,
        positions: 0,
    }
}
