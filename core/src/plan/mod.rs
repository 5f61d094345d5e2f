//! Every size in memory: how many bytes an engine needs for model × context × batch, exactly,
//! before anything is loaded.
//!
//! `Buffers::carve` lists the buffers once; a `Carver` walks the list to count their bytes for the [`Plan`],
//! and again to cut them out of the caller's buffer.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[allow(clippy::arithmetic_side_effects)]
mod carve;
mod inputs;
mod parts;
mod scratch;
mod window;

use carve::Carver;
pub use carve::{ALIGNMENT, Arena, Part};
pub(crate) use carve::{Claim, End, Items, Strips};
pub(crate) use inputs::{InputRow, InputRows, Inputs, IntsRow};
pub(crate) use parts::{Parts, part};
pub(crate) use scratch::CHUNK;

use crate::error::{EngineError, PlanError};
use crate::format::Recipe;
use crate::format::encoding::{Float, Group, padded_cols};
use crate::kernel::Sums;
use crate::model::Model;
use scratch::Scratches;
use window::Window;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvKind {
    /// 4 bytes each: the default for f32 models, which exist for conformance.
    F32,
    /// 2 bytes each (IEEE 754 binary16).
    F16,
    /// 1 byte each and a 2-byte scale per head vector: the default for quantized models.
    Int8,
}

impl KvKind {
    /// The name that options and tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

/// Which tokens' logits a prefill keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum KeepLogits {
    /// Only the last token's: what generation needs.
    #[default]
    Last,
    /// Every token's of a batch: what scoring a text needs.
    All,
    /// Only the last token's, but all go through the last layer: what looking at its inputs needs
    /// ([`crate::engine::PendingProduct`]).
    LastOfAll,
}

/// What an engine shall be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Positions in the KV cache, 1 to the model's context.
    pub context: u32,
    /// Tokens per pass of prefill, at least 1. More is faster and takes more activations.
    pub batch: u32,
    /// How keys and values are stored; `None` for the model's default.
    pub kv: Option<KvKind>,
    /// Threads that may work at once ([`crate::engine::Workers`]), at least 1.
    pub workers: u32,
    /// Which logits are kept.
    pub logits: KeepLogits,
    /// Bytes, at most, of the window that weights are read through where they are not in memory
    /// ([`crate::Engine::streaming`]): at least the model's largest band; twice that and more to read ahead.
    /// `None` where they are read in place.
    pub window: Option<usize>,
}

impl Default for Limits {
    /// Context 256, one token at a time, one thread, weights in place.
    fn default() -> Self {
        let logits = KeepLogits::Last;
        Self { context: 256, batch: 1, kv: None, workers: 1, logits, window: None }
    }
}

/// The exact memory of an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    shape: Shape,
    parts: [usize; Part::ALL.len()],
    total: usize,
}

impl Plan {
    /// Computes the plan. Pure arithmetic.
    ///
    /// # Errors
    /// [`PlanError`] if a limit is 0 or beyond the model, the window takes no band, or the bytes do not fit
    /// this machine's addresses.
    #[inline(never)]
    pub fn new(model: &Model<'_>, limits: &Limits) -> Result<Self, PlanError> {
        let shape = Shape::new(model, limits)?;
        let mut counter = Carver::counter();
        Buffers::carve(&mut counter, &shape).ok_or(PlanError::TooLarge)?;
        let total = counter.total().ok_or(PlanError::TooLarge)?;
        Ok(Self { shape, parts: counter.parts, total })
    }

    /// Bytes of the buffer that an engine needs, aligned to [`ALIGNMENT`].
    pub fn arena_bytes(&self) -> usize {
        self.total
    }

    /// The arena's bytes by part; they sum up to [`Plan::arena_bytes`].
    pub fn parts(&self) -> impl Iterator<Item = (Part, usize)> + '_ {
        Part::ALL.into_iter().zip(self.parts)
    }

    /// Bytes that one position takes in the KV cache.
    pub fn kv_bytes_per_token(&self) -> usize {
        let Shape { kv, head_dim, layers, kv_heads, .. } = self.shape;
        let key_and_value = match kv {
            KvKind::F32 => head_dim.saturating_mul(8),
            KvKind::F16 => head_dim.saturating_mul(4),
            KvKind::Int8 => {
                let padded =
                    head_dim.next_multiple_of(4).saturating_add(head_dim.next_multiple_of(8));
                padded.saturating_add(4)
            }
        };
        layers.saturating_mul(kv_heads).saturating_mul(key_and_value)
    }

    /// How keys and values are stored.
    pub fn kv(&self) -> KvKind {
        self.shape.kv
    }

    /// Positions in the KV cache.
    pub fn context(&self) -> usize {
        self.shape.context
    }

    /// Tokens per pass.
    pub fn batch(&self) -> usize {
        self.shape.batch
    }

    /// Cuts the buffers of `model` out of `arena`.
    pub(crate) fn carve<'a>(
        &self,
        model: &Model<'_>,
        arena: &'a mut [u8],
    ) -> Result<(Shape, Buffers<'a>), EngineError> {
        let same =
            self.shape.recipe == *model.recipe() && self.shape.quantized == model.is_quantized();
        if !same || !self.shape.window.fits(model) {
            return Err(EngineError::OtherModel);
        }
        let (need, have) = (self.total, arena.len());
        if have < need {
            return Err(EngineError::ArenaTooSmall { need, have });
        }
        let mut arena =
            Carver::of(arena).ok_or(EngineError::ArenaMisaligned { need: ALIGNMENT })?;
        let buffers = Buffers::carve(&mut arena, &self.shape);
        Ok((self.shape, buffers.ok_or(EngineError::ArenaTooSmall { need, have })?))
    }
}

/// All dimensions that buffers depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) recipe: Recipe,
    pub(crate) quantized: bool,
    pub(crate) kv: KvKind,
    pub(crate) logits: KeepLogits,
    pub(crate) context: usize,
    pub(crate) batch: usize,
    pub(crate) workers: usize,
    pub(crate) hidden: usize,
    pub(crate) query_dim: usize,
    pub(crate) kv_dim: usize,
    pub(crate) head_dim: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) ffn: usize,
    pub(crate) vocab_size: usize,
    pub(crate) rotary_dims: usize,
    pub(crate) layers: usize,
    /// Columns, padded, of the widest matrix.
    pub(crate) width: usize,
    pub(crate) window: Window,
}

impl Shape {
    fn new(model: &Model<'_>, limits: &Limits) -> Result<Self, PlanError> {
        let recipe = *model.recipe();
        if limits.context == 0 || limits.context > recipe.context {
            return Err(PlanError::Context { found: limits.context, most: recipe.context });
        }
        for (name, value) in [("batch", limits.batch), ("workers", limits.workers)] {
            if value == 0 {
                return Err(PlanError::Zero { name });
            }
        }
        let quantized = model.is_quantized();
        let kv = limits.kv.unwrap_or(if quantized { KvKind::Int8 } else { KvKind::F32 });
        if kv != KvKind::Int8 && Float::THERE.is_none() {
            return Err(PlanError::NoFloat { kv: kv.name() });
        }
        let size = |value: u32| usize::try_from(value).map_err(|_| PlanError::TooLarge);
        let widest = recipe.hidden.max(recipe.query_dim()).max(recipe.ffn);
        let width = padded_cols(widest).and_then(|width| usize::try_from(width).ok());
        Ok(Self {
            recipe,
            quantized,
            kv,
            logits: limits.logits,
            context: size(limits.context)?,
            batch: size(limits.batch.min(limits.context))?,
            workers: size(limits.workers)?,
            hidden: size(recipe.hidden)?,
            query_dim: size(recipe.query_dim())?,
            kv_dim: size(recipe.kv_dim())?,
            head_dim: size(recipe.head_dim)?,
            heads: size(recipe.heads)?,
            kv_heads: size(recipe.kv_heads)?,
            ffn: size(recipe.ffn)?,
            vocab_size: size(recipe.vocab_size)?,
            rotary_dims: size(recipe.rotary_dims)?,
            layers: size(recipe.layers)?,
            width: width.ok_or(PlanError::TooLarge)?,
            window: Window::new(model, limits.window)?,
        })
    }
}

/// The int8 cache lies in bands: keys as positions × dimensions, values as dimensions × positions.
impl Shape {
    /// Groups of 4 dimensions in a band of keys.
    pub(crate) fn key_groups(&self) -> usize {
        self.head_dim.div_ceil(4)
    }

    /// Bands of 8 positions.
    pub(crate) fn position_bands(&self) -> usize {
        self.context.div_ceil(8)
    }

    /// Groups of 4 positions in a band of values, all positions that keys have.
    pub(crate) fn value_groups(&self) -> usize {
        self.position_bands().saturating_mul(2)
    }

    /// Bands of 8 dimensions.
    pub(crate) fn dimension_bands(&self) -> usize {
        self.head_dim.div_ceil(8)
    }

    /// Columns of a 16-bit query head.
    pub(crate) fn wide_dim(&self) -> usize {
        self.head_dim.next_multiple_of(4)
    }
}

/// The product of lengths, or `None` where it does not fit.
fn product(factors: &[usize]) -> Option<usize> {
    factors.iter().try_fold(1usize, |product, &factor| product.checked_mul(factor))
}

/// Keys and values of all positions: per layer and head all positions, contiguous.
pub(crate) enum KvBuffers<'a> {
    /// [layers, kv_heads, context, head_dim] each.
    F32 {
        /// Keys.
        keys: &'a mut [f32],
        /// Values.
        values: &'a mut [f32],
        /// That there is code for it.
        float: Float,
    },
    /// The same in IEEE half precision.
    F16 {
        /// Keys.
        keys: &'a mut [u16],
        /// Values.
        values: &'a mut [u16],
        /// That there is code for it.
        float: Float,
    },
    /// The same in int8, and scales [layers, kv_heads, position_bands, 8] (the high half of an f32).
    Int8 {
        /// Keys [layers, kv_heads, position_bands, key_groups].
        keys: &'a mut [Group],
        /// Values [layers, kv_heads, dimension_bands, value_groups].
        values: &'a mut [Group],
        /// Scale per key.
        key_scales: &'a mut [Sums<u16>],
        /// Scale per value.
        value_scales: &'a mut [Sums<u16>],
    },
}

impl<'a> KvBuffers<'a> {
    fn carve(carver: &mut Carver<'a>, shape: &Shape) -> Option<Self> {
        let part = Part::KvCache;
        let vectors = product(&[shape.layers, shape.kv_heads, shape.context]);
        let numbers = product(&[vectors?, shape.head_dim]);
        let heads = product(&[shape.layers, shape.kv_heads])?;
        let keys = product(&[heads, shape.position_bands(), shape.key_groups()]);
        let values = product(&[heads, shape.dimension_bands(), shape.value_groups()]);
        let scales = product(&[heads, shape.position_bands()]);
        Some(match shape.kv {
            KvKind::F32 => Self::F32 {
                float: Float::THERE?,
                keys: carver.slice(part, numbers)?,
                values: carver.slice(part, numbers)?,
            },
            KvKind::F16 => Self::F16 {
                float: Float::THERE?,
                keys: carver.slice(part, numbers)?,
                values: carver.slice(part, numbers)?,
            },
            KvKind::Int8 => Self::Int8 {
                keys: carver.slice(part, keys)?,
                values: carver.slice(part, values)?,
                key_scales: carver.slice(part, scales)?,
                value_scales: carver.slice(part, scales)?,
            },
        })
    }
}

/// The queries for an int8 cache, in 16 bits.
pub(crate) struct Queries<'a> {
    /// Of wide_dim each, [strips of heads, batch, heads of a strip].
    pub(crate) wide: &'a mut [i16],
    /// What they are multiplied with, a number each.
    pub(crate) scales: &'a mut [f32],
}

impl<'a> Queries<'a> {
    fn carve(carver: &mut Carver<'a>, shape: &Shape) -> Option<Self> {
        let heads = usize::from(shape.kv == KvKind::Int8).checked_mul(shape.heads);
        let heads = product(&[heads?, shape.batch]);
        let part = Part::Activations;
        Some(Self {
            wide: carver.slice(part, product(&[heads?, shape.wide_dim()]))?,
            scales: carver.slice(part, heads)?,
        })
    }
}

/// All buffers of an engine.
pub(crate) struct Buffers<'a> {
    pub(crate) cache: KvBuffers<'a>,
    /// Tokens under way [batch].
    pub(crate) tokens: &'a mut [u32],
    /// Residual stream [batch, hidden].
    pub(crate) residual: &'a mut [f32],
    /// What goes into the next matrix.
    pub(crate) input: Inputs<'a>,
    /// What comes out of matrices: query, key and value, or gate (where there is one) and up.
    pub(crate) output: &'a mut [f32],
    pub(crate) queries: Queries<'a>,
    pub(crate) scratches: Scratches<'a>,
    /// Cosines, then sines, of each token under way [batch, rotary_dims].
    pub(crate) rotary: &'a mut [f32],
    /// Logits [1 or batch, vocab_size].
    pub(crate) logits: &'a mut [f32],
    /// Of weights that are not in memory.
    pub(crate) window: [&'a mut [u8]; 2],
}

impl<'a> Buffers<'a> {
    /// The one list of buffers.
    fn carve(carver: &mut Carver<'a>, shape: &Shape) -> Option<Self> {
        let &Shape { batch, hidden, .. } = shape;
        let attention = shape.kv_dim.checked_mul(2)?.checked_add(shape.query_dim)?;
        let middle = if shape.recipe.ungated { 1 } else { 2 };
        let output = attention.max(shape.ffn.checked_mul(middle)?);
        let logit_rows = if shape.logits == KeepLogits::All { batch } else { 1 };
        let part = Part::Activations;
        let [present, ahead] = shape.window.halves;
        Some(Self {
            cache: KvBuffers::carve(carver, shape)?,
            tokens: carver.slice(part, Some(batch))?,
            residual: carver.slice(part, product(&[batch, hidden]))?,
            input: Inputs::carve(carver, shape)?,
            output: carver.slice(part, product(&[batch, output]))?,
            queries: Queries::carve(carver, shape)?,
            scratches: Scratches::carve(carver, shape)?,
            rotary: carver.slice(Part::Rotary, product(&[batch, shape.rotary_dims]))?,
            logits: carver.slice(Part::Logits, product(&[logit_rows, shape.vocab_size]))?,
            window: [
                carver.slice(Part::Window, Some(present))?,
                carver.slice(Part::Window, Some(ahead))?,
            ],
        })
    }
}
