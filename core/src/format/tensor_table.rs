//! The list of tensors: encoding, shape and place of each.
//!
//! The recipe decides which tensors there are, in which order, with which shapes ([`expected`]);
//! an entry may choose only its matrix encoding. Tensors follow each other in the weights section,
//! each at a multiple of [`super::ALIGNMENT`], so their places follow too: the table repeats them
//! for readers of the file, and the parser insists that they agree.

use super::encoding::Encoding;
use super::recipe::{Norm, Positions, Recipe};
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
    /// Position embedding [context, hidden], where positions are learned.
    PositionEmbedding,
    /// Gain of the norm before attention `[hidden]`.
    AttentionNorm,
    /// Bias of the norm before attention `[hidden]`.
    AttentionNormBias,
    /// Query projection [heads · head_dim, hidden].
    Query,
    /// Its bias [heads · head_dim].
    QueryBias,
    /// Key projection [kv_heads · head_dim, hidden].
    Key,
    /// Its bias [kv_heads · head_dim].
    KeyBias,
    /// Value projection [kv_heads · head_dim, hidden].
    Value,
    /// Its bias [kv_heads · head_dim].
    ValueBias,
    /// What an int8 cache takes from every (rotated) key [kv_heads · head_dim].
    KeyCenter,
    /// Attention's output projection [hidden, heads · head_dim].
    AttentionOutput,
    /// Its bias `[hidden]`.
    AttentionOutputBias,
    /// Gain of the norm before the feed-forward `[hidden]`.
    FeedForwardNorm,
    /// Bias of the norm before the feed-forward `[hidden]`.
    FeedForwardNormBias,
    /// The feed-forward's gate [ffn, hidden], unless ungated.
    Gate,
    /// Its bias `[ffn]`.
    GateBias,
    /// The feed-forward's up projection [ffn, hidden].
    Up,
    /// Its bias `[ffn]`.
    UpBias,
    /// The feed-forward's down projection [hidden, ffn].
    Down,
    /// Its bias `[hidden]`.
    DownBias,
    /// Gain of the norm before the head `[hidden]`.
    FinalNorm,
    /// Bias of the norm before the head `[hidden]`.
    FinalNormBias,
    /// Output projection [vocab_size, hidden], unless tied.
    Head,
}

impl Role {
    /// The tensors before the layers, in file order.
    pub const FIRST: [Self; 3] = [Self::Embedding, Self::Rotary, Self::PositionEmbedding];

    /// The tensors of a layer, in file order: those that some recipe has.
    pub const LAYER: [Self; 19] = [
        Self::AttentionNorm,
        Self::AttentionNormBias,
        Self::Query,
        Self::QueryBias,
        Self::Key,
        Self::KeyBias,
        Self::Value,
        Self::ValueBias,
        Self::KeyCenter,
        Self::AttentionOutput,
        Self::AttentionOutputBias,
        Self::FeedForwardNorm,
        Self::FeedForwardNormBias,
        Self::Gate,
        Self::GateBias,
        Self::Up,
        Self::UpBias,
        Self::Down,
        Self::DownBias,
    ];

    /// The tensors behind the layers, in file order.
    pub const LAST: [Self; 3] = [Self::FinalNorm, Self::FinalNormBias, Self::Head];

    /// The number in the file.
    pub fn id(self) -> u16 {
        match self {
            Self::Embedding => 1,
            Self::Rotary => 2,
            Self::PositionEmbedding => 3,
            Self::AttentionNorm => 16,
            Self::AttentionNormBias => 21,
            Self::Query => 17,
            Self::QueryBias => 22,
            Self::Key => 18,
            Self::KeyBias => 23,
            Self::Value => 19,
            Self::ValueBias => 24,
            Self::KeyCenter => 26,
            Self::AttentionOutput => 20,
            Self::AttentionOutputBias => 25,
            Self::FeedForwardNorm => 32,
            Self::FeedForwardNormBias => 36,
            Self::Gate => 33,
            Self::GateBias => 37,
            Self::Up => 34,
            Self::UpBias => 38,
            Self::Down => 35,
            Self::DownBias => 39,
            Self::FinalNorm => 48,
            Self::FinalNormBias => 50,
            Self::Head => 49,
        }
    }

    /// The name that tables and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Rotary => "rotary",
            Self::PositionEmbedding => "position_embedding",
            Self::AttentionNorm => "attention_norm",
            Self::AttentionNormBias => "attention_norm_bias",
            Self::Query => "query",
            Self::QueryBias => "query_bias",
            Self::Key => "key",
            Self::KeyBias => "key_bias",
            Self::Value => "value",
            Self::ValueBias => "value_bias",
            Self::KeyCenter => "key_center",
            Self::AttentionOutput => "attention_output",
            Self::AttentionOutputBias => "attention_output_bias",
            Self::FeedForwardNorm => "feed_forward_norm",
            Self::FeedForwardNormBias => "feed_forward_norm_bias",
            Self::Gate => "gate",
            Self::GateBias => "gate_bias",
            Self::Up => "up",
            Self::UpBias => "up_bias",
            Self::Down => "down",
            Self::DownBias => "down_bias",
            Self::FinalNorm => "final_norm",
            Self::FinalNormBias => "final_norm_bias",
            Self::Head => "head",
        }
    }

    /// Whether a model of that recipe has it (in every layer, where it is a layer's).
    pub fn is_in(self, recipe: &Recipe) -> bool {
        match self {
            Self::Rotary => recipe.positions == Positions::Rotary,
            Self::PositionEmbedding => recipe.positions == Positions::Learned,
            Self::AttentionNormBias | Self::FeedForwardNormBias | Self::FinalNormBias => {
                recipe.norm == Norm::Layer
            }
            Self::QueryBias
            | Self::KeyBias
            | Self::ValueBias
            | Self::AttentionOutputBias
            | Self::UpBias
            | Self::DownBias => recipe.biases,
            Self::KeyCenter => recipe.key_centers,
            Self::Gate => !recipe.ungated,
            Self::GateBias => recipe.biases && !recipe.ungated,
            Self::Head => !recipe.tied_head,
            _ => true,
        }
    }

    /// The bias that a projection, or the gain of a norm, may have beside it.
    pub fn bias(self) -> Option<Self> {
        match self {
            Self::AttentionNorm => Some(Self::AttentionNormBias),
            Self::Query => Some(Self::QueryBias),
            Self::Key => Some(Self::KeyBias),
            Self::Value => Some(Self::ValueBias),
            Self::AttentionOutput => Some(Self::AttentionOutputBias),
            Self::FeedForwardNorm => Some(Self::FeedForwardNormBias),
            Self::Gate => Some(Self::GateBias),
            Self::Up => Some(Self::UpBias),
            Self::Down => Some(Self::DownBias),
            Self::FinalNorm => Some(Self::FinalNormBias),
            _ => None,
        }
    }

    /// Rows and columns in a model of that recipe; a vector is [1, n].
    pub fn shape(self, recipe: &Recipe) -> (u32, u32) {
        let (hidden, ffn) = (recipe.hidden, recipe.ffn);
        match self {
            Self::Embedding | Self::Head => (recipe.vocab_size, hidden),
            Self::Rotary => (1, recipe.rotary_dims / 2),
            Self::PositionEmbedding => (recipe.context, hidden),
            Self::AttentionNorm
            | Self::AttentionNormBias
            | Self::AttentionOutputBias
            | Self::FeedForwardNorm
            | Self::FeedForwardNormBias
            | Self::DownBias
            | Self::FinalNorm
            | Self::FinalNormBias => (1, hidden),
            Self::Query => (recipe.query_dim(), hidden),
            Self::QueryBias => (1, recipe.query_dim()),
            Self::Key | Self::Value => (recipe.kv_dim(), hidden),
            Self::KeyBias | Self::ValueBias | Self::KeyCenter => (1, recipe.kv_dim()),
            Self::AttentionOutput => (hidden, recipe.query_dim()),
            Self::Gate | Self::Up => (ffn, hidden),
            Self::GateBias | Self::UpBias => (1, ffn),
            Self::Down => (hidden, ffn),
        }
    }

    /// The one encoding of a tensor that is no matrix.
    pub fn vector_encoding(self) -> Option<Encoding> {
        match self {
            Self::Rotary => Some(Encoding::Turns),
            Self::Embedding
            | Self::PositionEmbedding
            | Self::Query
            | Self::Key
            | Self::Value
            | Self::AttentionOutput
            | Self::Gate
            | Self::Up
            | Self::Down
            | Self::Head => None,
            _ => Some(Encoding::Vector),
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

/// The tensor at that place of the table, with its layer: [`Places`] turned around. O(roles).
pub fn at(recipe: &Recipe, place: usize) -> Option<(Role, u32)> {
    let count = |roles: &[Role]| roles.iter().filter(|role| role.is_in(recipe)).count();
    let nth = |roles: &[Role], n| roles.iter().filter(|role| role.is_in(recipe)).nth(n).copied();
    let Some(after_first) = place.checked_sub(count(&Role::FIRST)) else {
        return nth(&Role::FIRST, place).map(|role| (role, 0));
    };
    let per_layer = count(&Role::LAYER);
    let layer = u32::try_from(after_first.checked_div(per_layer)?).ok()?;
    if layer < recipe.layers {
        return nth(&Role::LAYER, after_first.checked_rem(per_layer)?).map(|role| (role, layer));
    }
    let layers = usize::try_from(recipe.layers).ok()?.checked_mul(per_layer)?;
    nth(&Role::LAST, after_first.checked_sub(layers)?).map(|role| (role, 0))
}

/// The tensors of a model of that recipe, in file order, with their layers.
pub fn expected(recipe: &Recipe) -> impl Iterator<Item = (Role, u32)> + use<> {
    let recipe = *recipe;
    (0..).map_while(move |index| at(&recipe, index))
}

/// Where the tensors of a model of one recipe stand in the table: [`expected`] turned around.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    layers: usize,
    /// Tensors before the layers, and of each layer.
    first: usize,
    per_layer: usize,
    /// Per role, how many are before it among those before, in or behind the layers; none where there is no
    /// such tensor.
    within: [Option<u8>; ROLES],
}

/// How many roles there are. Their discriminants are in file order.
const ROLES: usize = Role::FIRST.len() + Role::LAYER.len() + Role::LAST.len();

impl Places {
    /// The places for a recipe.
    pub fn new(recipe: &Recipe) -> Self {
        let mut within = [None; ROLES];
        let mut all = within.iter_mut();
        let mut count = |roles: &[Role]| {
            let mut count = 0u8;
            for (role, place) in roles.iter().zip(&mut all) {
                if role.is_in(recipe) {
                    *place = Some(count);
                    count = count.saturating_add(1);
                }
            }
            usize::from(count)
        };
        let (first, per_layer, _) = (count(&Role::FIRST), count(&Role::LAYER), count(&Role::LAST));
        let layers = usize::try_from(recipe.layers).unwrap_or(usize::MAX);
        Self { layers, first, per_layer, within }
    }

    /// The index of a tensor in the table; `None` where there is no such.
    #[allow(
        clippy::as_conversions,
        reason = "there is no other way from a discriminant to a number"
    )]
    pub fn of(&self, role: Role, layer: u32) -> Option<usize> {
        let index = role as usize;
        let within = usize::from((*self.within.get(index)?)?);
        let Some(index) = index.checked_sub(Role::FIRST.len()) else { return Some(within) };
        let layers = match index < Role::LAYER.len() {
            true => usize::try_from(layer).ok().filter(|&layer| layer < self.layers)?,
            false => self.layers,
        };
        layers.checked_mul(self.per_layer)?.checked_add(within)?.checked_add(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_of_every_recipe_has_its_place() {
        for bits in 0..64u32 {
            let flag = |bit: u32| bits & (1 << bit) != 0;
            let recipe = Recipe {
                layers: 3,
                tied_head: flag(0),
                norm: if flag(1) { Norm::Layer } else { Norm::Rms },
                positions: if flag(2) { Positions::Learned } else { Positions::Rotary },
                ungated: flag(3),
                biases: flag(4),
                key_centers: flag(5),
                ..Recipe::default()
            };
            let has = |(role, _): &(Role, u32)| role.is_in(&recipe);
            let layers = (0..recipe.layers).flat_map(|layer| Role::LAYER.map(|role| (role, layer)));
            let first = Role::FIRST.map(|role| (role, 0)).into_iter();
            let all = first.chain(layers).chain(Role::LAST.map(|role| (role, 0))).filter(has);
            assert!(all.clone().eq(expected(&recipe)));
            let places = Places::new(&recipe);
            for (index, (role, layer)) in all.enumerate() {
                assert_eq!(places.of(role, layer), Some(index), "{role:?} {layer}");
                assert_eq!(at(&recipe, index), Some((role, layer)));
            }
            assert_eq!(places.of(Role::Query, 3), None);
            assert_eq!(at(&recipe, expected(&recipe).count()), None);
            assert_eq!(at(&recipe, usize::MAX), None);
            let all = Role::FIRST.into_iter().chain(Role::LAYER).chain(Role::LAST);
            for role in all.filter(|role| !role.is_in(&recipe)) {
                assert_eq!(places.of(role, 0), None, "{role:?}");
            }
        }
    }
}
