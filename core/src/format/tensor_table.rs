//! The list of tensors: encoding, shape and place of each.
//!
//! The recipe decides which tensors there are, in which order, with which shapes ([`expected`]);
//! an entry may choose only its matrix encoding. Tensors follow each other in the weights section,
//! each at a multiple of [`super::ALIGNMENT`], so their places follow too: the table repeats them
//! for readers of the file, and the parser insists that they agree.

use super::encoding::Encoding;
use super::recipe::Recipe;
use super::wire::{Fields, Record};
use crate::error::FormatErrorKind;

/// Bytes of one entry.
pub const ENTRY_LEN: usize = 32;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Token embedding [vocab_size, hidden]; also the head where that is tied.
    Embedding,
    /// Angle per position of each rotated pair, in turns / 2³² [rotary_dims / 2].
    Rotary,
    /// Gain of the norm before attention [hidden].
    AttentionNorm,
    /// Query projection [heads · head_dim, hidden].
    Query,
    /// Key projection [kv_heads · head_dim, hidden].
    Key,
    /// Value projection [kv_heads · head_dim, hidden].
    Value,
    /// Attention's output projection [hidden, heads · head_dim].
    AttentionOutput,
    /// Gain of the norm before the feed-forward [hidden].
    FeedForwardNorm,
    /// The feed-forward's gate [ffn, hidden].
    Gate,
    /// The feed-forward's up projection [ffn, hidden].
    Up,
    /// The feed-forward's down projection [hidden, ffn].
    Down,
    /// Gain of the norm before the head [hidden].
    FinalNorm,
    /// Output projection [vocab_size, hidden].
    Head,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 13] = [
        Self::Embedding,
        Self::Rotary,
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::AttentionOutput,
        Self::FeedForwardNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
        Self::FinalNorm,
        Self::Head,
    ];

    /// The tensors of every layer, in file order.
    pub const LAYER: [Self; 9] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::AttentionOutput,
        Self::FeedForwardNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// The number in the file.
    pub fn id(self) -> u16 {
        match self {
            Self::Embedding => 1,
            Self::Rotary => 2,
            Self::AttentionNorm => 16,
            Self::Query => 17,
            Self::Key => 18,
            Self::Value => 19,
            Self::AttentionOutput => 20,
            Self::FeedForwardNorm => 32,
            Self::Gate => 33,
            Self::Up => 34,
            Self::Down => 35,
            Self::FinalNorm => 48,
            Self::Head => 49,
        }
    }

    /// The name that tables and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Rotary => "rotary",
            Self::AttentionNorm => "attention_norm",
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::AttentionOutput => "attention_output",
            Self::FeedForwardNorm => "feed_forward_norm",
            Self::Gate => "gate",
            Self::Up => "up",
            Self::Down => "down",
            Self::FinalNorm => "final_norm",
            Self::Head => "head",
        }
    }

    /// Rows and columns in a model of that recipe; a vector is [1, n].
    pub fn shape(self, recipe: &Recipe) -> (u32, u32) {
        let (hidden, ffn) = (recipe.hidden, recipe.ffn);
        match self {
            Self::Embedding | Self::Head => (recipe.vocab_size, hidden),
            Self::Rotary => (1, recipe.rotary_dims / 2),
            Self::AttentionNorm | Self::FeedForwardNorm | Self::FinalNorm => (1, hidden),
            Self::Query => (recipe.query_dim(), hidden),
            Self::Key | Self::Value => (recipe.kv_dim(), hidden),
            Self::AttentionOutput => (hidden, recipe.query_dim()),
            Self::Gate | Self::Up => (ffn, hidden),
            Self::Down => (hidden, ffn),
        }
    }

    /// The one encoding of a tensor that is no matrix.
    pub fn vector_encoding(self) -> Option<Encoding> {
        match self {
            Self::Rotary => Some(Encoding::Turns),
            Self::AttentionNorm | Self::FeedForwardNorm | Self::FinalNorm => Some(Encoding::Vector),
            _ => None,
        }
    }
}

/// One entry as it stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// [`Role::id`].
    pub role: u16,
    /// [`Encoding::id`].
    pub encoding: u8,
    /// The layer, counted from 0; 0 for tensors of no layer.
    pub layer: u32,
    /// Rows.
    pub rows: u32,
    /// Columns, without padding.
    pub cols: u32,
    /// Where the tensor starts in the weights section.
    pub offset: u64,
    /// Its length in bytes: [`Encoding::tensor_len`].
    pub len: u64,
}

impl Record<ENTRY_LEN> for Entry {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.u16(&mut self.role)?;
        walk.u8(&mut self.encoding)?;
        walk.reserved::<1>()?;
        walk.u32(&mut self.layer)?;
        walk.u32(&mut self.rows)?;
        walk.u32(&mut self.cols)?;
        walk.u64(&mut self.offset)?;
        walk.u64(&mut self.len)
    }
}

impl Entry {
    /// The entry of a tensor of that recipe, placed at `offset` of the weights section. `None`
    /// where its size does not fit 64 bits.
    pub fn new(
        role: Role,
        layer: u32,
        recipe: &Recipe,
        encoding: Encoding,
        offset: u64,
    ) -> Option<Self> {
        let (rows, cols) = role.shape(recipe);
        Some(Self {
            role: role.id(),
            encoding: encoding.id(),
            layer,
            rows,
            cols,
            offset,
            len: encoding.tensor_len(rows, cols)?,
        })
    }
}

/// The tensors of a model of that recipe, in file order, with their layers.
pub fn expected(recipe: &Recipe) -> impl Iterator<Item = (Role, u32)> + use<> {
    let head = (!recipe.tied_head).then_some((Role::Head, 0));
    [(Role::Embedding, 0), (Role::Rotary, 0)]
        .into_iter()
        .chain((0..recipe.layers).flat_map(|layer| Role::LAYER.map(|role| (role, layer))))
        .chain([(Role::FinalNorm, 0)])
        .chain(head)
}
