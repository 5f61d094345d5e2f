//! The architecture as data: all that the engine knows of a model besides its weights.

use super::wire::{Fields, Record};
use crate::error::FormatErrorKind;

/// Bytes of the recipe section.
pub const LEN: usize = 64;

/// How a token's vector is normalized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// By its root mean square, then a gain (arXiv 1910.07467).
    #[default]
    Rms,
    /// Centred, by its standard deviation, then a gain and a bias (arXiv 1607.06450).
    Layer,
}

impl Norm {
    /// All kinds; the number in the file is the place here.
    pub const ALL: [Self; 2] = [Self::Rms, Self::Layer];

    /// The name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rms => "RMSNorm",
            Self::Layer => "LayerNorm",
        }
    }
}

/// How a token's position comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Positions {
    /// Queries and keys are rotated (RoFormer, arXiv 2104.09864).
    #[default]
    Rotary,
    /// A trained vector per position is added to the token's embedding.
    Learned,
}

impl Positions {
    /// All kinds; the number in the file is the place here.
    pub const ALL: [Self; 2] = [Self::Rotary, Self::Learned];

    /// The name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotary => "rotary",
            Self::Learned => "learned",
        }
    }
}

/// The function in the middle of the feed-forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x).
    #[default]
    Silu,
    /// x · Φ(x), Φ the normal distribution's (arXiv 1606.08415).
    GeluErf,
    /// The same with Φ approximated by a tanh.
    GeluTanh,
}

impl Activation {
    /// All functions; the number in the file is the place here.
    pub const ALL: [Self; 3] = [Self::Silu, Self::GeluErf, Self::GeluTanh];

    /// The name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silu => "SiLU",
            Self::GeluErf => "GELU",
            Self::GeluTanh => "GELU (tanh)",
        }
    }
}

/// A decoder of pre-norm residual blocks: a norm, grouped-query attention, a norm, a feed-forward.
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
    /// 0 where positions are not rotary.
    pub rotary_dims: u32,
    /// Added to the mean square, or the variance, in a norm.
    pub norm_epsilon: f32,
    /// Whether the head is the token embedding.
    pub tied_head: bool,
    /// The norms.
    pub norm: Norm,
    /// The positions.
    pub positions: Positions,
    /// The feed-forward's function.
    pub activation: Activation,
    /// Whether the feed-forward is `down(f(up(x)))`, without a gate: else `down(f(gate(x)) · up(x))`.
    pub ungated: bool,
    /// Whether every projection of a layer has a bias.
    pub biases: bool,
    /// Whether each layer has a centre of its keys, which an int8 cache takes from every key before
    /// it rounds: a constant in all keys moves all scores of a query alike, and softmax does not see it.
    pub key_centers: bool,
}

const NO_OR_YES: [bool; 2] = [false, true];

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
        walk.choice(&mut self.tied_head, &NO_OR_YES, "tied_head", "0 or 1")?;
        walk.choice(&mut self.norm, &Norm::ALL, "norm", "0 or 1")?;
        walk.choice(&mut self.positions, &Positions::ALL, "positions", "0 or 1")?;
        walk.choice(&mut self.activation, &Activation::ALL, "activation", "0 to 2")?;
        walk.choice(&mut self.ungated, &NO_OR_YES, "ungated", "0 or 1")?;
        walk.choice(&mut self.biases, &NO_OR_YES, "biases", "0 or 1")?;
        walk.choice(&mut self.key_centers, &NO_OR_YES, "key_centers", "0 or 1")?;
        walk.reserved::<17>()
    }
}

/// The most columns of a matrix: an exact integer dot product of int8 values fits 32 bits.
const MAX_WIDTH: u32 = 1 << 17;

/// What [`Recipe::check`] checks, in this order: a field, and what it must be.
const BOUNDS: [(&str, &str); 12] = [
    ("vocab_size", "1 to 4194304"),
    ("hidden", "1 to 131072"),
    ("layers", "1 to 4096"),
    ("heads", "1 to 4096"),
    ("kv_heads", "a divisor of heads"),
    ("head_dim", "even, 2 to 4096"),
    ("heads × head_dim", "1 to 131072"),
    ("ffn", "1 to 131072"),
    ("context", "1 to 16777216"),
    ("rotary_dims", "even, 2 to head_dim"),
    ("rotary_dims", "0 with learned positions"),
    ("norm_epsilon (bits)", "a float from 0 to 1"),
];

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
        let within = |value: u32, most: u32| (1..=most).contains(&value);
        let wide = |value: u32| (value, within(value, MAX_WIDTH));
        let divides = self.heads.checked_rem(self.kv_heads) == Some(0);
        let even = |value: u32, most: u32| value.is_multiple_of(2) && within(value, most);
        let rotary = self.positions == Positions::Rotary;
        let turns = !rotary || even(self.rotary_dims, self.head_dim);
        let still = rotary || self.rotary_dims == 0;
        let epsilon = (0.0..=1.0).contains(&self.norm_epsilon);
        // Each field's value, and whether that is as it must be.
        let fields = [
            (self.vocab_size, within(self.vocab_size, 1 << 22)),
            wide(self.hidden),
            (self.layers, within(self.layers, 4096)),
            (self.heads, within(self.heads, 4096)),
            (self.kv_heads, divides),
            (self.head_dim, even(self.head_dim, 4096)),
            wide(self.query_dim()),
            wide(self.ffn),
            (self.context, within(self.context, 1 << 24)),
            (self.rotary_dims, turns),
            (self.rotary_dims, still),
            (self.norm_epsilon.to_bits(), epsilon),
        ];
        match BOUNDS.iter().zip(fields).find(|(_, (_, ok))| !ok) {
            None => Ok(()),
            Some((&(name, expected), (found, _))) => {
                Err(FormatErrorKind::Field { name, found: found.into(), expected })
            }
        }
    }
}
