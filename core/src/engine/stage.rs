//! The stages of a pass.

use crate::format::tensor_table::Role;
use crate::plan::Shape;

/// The stages of a pass; those between `Embedding` and `FinalNorm` repeat for each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Embedding,
    AttentionNorm,
    Query,
    Key,
    Value,
    Positions,
    Attention,
    AttentionInput,
    AttentionOutput,
    FeedForwardNorm,
    Gate,
    Up,
    Activation,
    Down,
    FinalNorm,
    Head,
    Done,
}

impl Stage {
    /// The role of the matrix that is multiplied, and its input's columns before padding.
    pub(super) fn product(self, shape: &Shape) -> Option<(Role, usize)> {
        Some(match self {
            Self::Query => (Role::Query, shape.hidden),
            Self::Key => (Role::Key, shape.hidden),
            Self::Value => (Role::Value, shape.hidden),
            Self::AttentionOutput => (Role::AttentionOutput, shape.query_dim),
            Self::Gate => (Role::Gate, shape.hidden),
            Self::Up => (Role::Up, shape.hidden),
            Self::Down => (Role::Down, shape.ffn),
            Self::Head => (Role::Head, shape.hidden),
            _ => return None,
        })
    }
}
