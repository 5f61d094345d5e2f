//! The architecture as data: all that the engine knows of a model besides its weights.

use super::wire::{Fields, Record};
use crate::error::FormatErrorKind;

/// Bytes of the recipe section.
pub const LEN: usize = 64;

/// A decoder of pre-norm residual blocks: RMSNorm, grouped-query attention with rotary positions,
/// RMSNorm, a SiLU-gated feed-forward.
///
/// Values are within the bounds that [`Recipe::check`] states; a recipe inside a
/// [`crate::Model`] has passed it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Tokens in the vocabulary: rows of the embedding and of the head.
    pub vocab_size: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Residual blocks.
    pub layers: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of a head; even.
    pub head_dim: u32,
    /// Width of the feed-forward's middle.
    pub ffn: u32,
    /// The longest context that the model was made for, in tokens.
    pub context: u32,
    /// The first this many dimensions of a query or key head are rotated, dimension i with
    /// i + `rotary_dims`/2 (RoFormer, arXiv 2104.09864, in the half-split form); even, ≤ `head_dim`.
    pub rotary_dims: u32,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f32,
    /// Whether the head is the token embedding.
    pub tied_head: bool,
}

impl Record<LEN> for Recipe {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.u32(&mut self.vocab_size)?;
        walk.u32(&mut self.hidden)?;
        walk.u32(&mut self.layers)?;
        walk.u32(&mut self.heads)?;
        walk.u32(&mut self.kv_heads)?;
        walk.u32(&mut self.head_dim)?;
        walk.u32(&mut self.ffn)?;
        walk.u32(&mut self.context)?;
        walk.u32(&mut self.rotary_dims)?;
        walk.f32(&mut self.norm_epsilon)?;
        let mut tied = u8::from(self.tied_head);
        walk.u8(&mut tied)?;
        self.tied_head = match tied {
            0 => false,
            1 => true,
            found => {
                let expected = "0 or 1";
                return Err(FormatErrorKind::Field {
                    name: "tied_head",
                    found: found.into(),
                    expected,
                });
            }
        };
        walk.reserved::<23>()
    }
}

/// The most columns of a matrix: an exact integer dot product of int8 values fits 32 bits.
const MAX_WIDTH: u32 = 1 << 17;

impl Recipe {
    /// Width of all query heads together.
    pub fn query_dim(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Width of all key (or value) heads together.
    pub fn kv_dim(&self) -> u32 {
        self.kv_heads.saturating_mul(self.head_dim)
    }

    /// Checks every field against its bounds, so that all sizes fit and all divisions work.
    pub fn check(&self) -> Result<(), FormatErrorKind> {
        let field = |name, found: u32, ok: bool, expected| match ok {
            true => Ok(()),
            false => Err(FormatErrorKind::Field { name, found: found.into(), expected }),
        };
        let within = |value: u32, most: u32| (1..=most).contains(&value);
        field("vocab_size", self.vocab_size, within(self.vocab_size, 1 << 22), "1 to 4194304")?;
        field("hidden", self.hidden, within(self.hidden, MAX_WIDTH), "1 to 131072")?;
        field("layers", self.layers, within(self.layers, 4096), "1 to 4096")?;
        field("heads", self.heads, within(self.heads, 4096), "1 to 4096")?;
        let divides = self.heads.checked_rem(self.kv_heads) == Some(0);
        field("kv_heads", self.kv_heads, divides, "a divisor of heads")?;
        let even = self.head_dim.is_multiple_of(2);
        field("head_dim", self.head_dim, even && within(self.head_dim, 4096), "even, 2 to 4096")?;
        field(
            "heads × head_dim",
            self.query_dim(),
            within(self.query_dim(), MAX_WIDTH),
            "1 to 131072",
        )?;
        field("ffn", self.ffn, within(self.ffn, MAX_WIDTH), "1 to 131072")?;
        field("context", self.context, within(self.context, 1 << 24), "1 to 16777216")?;
        let even = self.rotary_dims.is_multiple_of(2);
        let rotary = even && within(self.rotary_dims, self.head_dim);
        field("rotary_dims", self.rotary_dims, rotary, "even, 2 to head_dim")?;
        let epsilon = (0.0..=1.0).contains(&self.norm_epsilon);
        field("norm_epsilon (bits)", self.norm_epsilon.to_bits(), epsilon, "a float from 0 to 1")
    }
}
