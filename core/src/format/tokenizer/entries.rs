//! The entries of the tables: added tokens, merges, classes of characters.

use super::header::KNOWN;
use crate::error::FormatErrorKind;
use crate::format::wire::{Fields, Record};

/// Bytes that an added token has at most: it bounds the time per character of looking for them.
pub const MAX_ADDED_LEN: usize = 256;

/// An added token: text that becomes one token wherever it stands.
///
/// The table is ordered: first those that are not `normalized`, each half by text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// The token.
    pub id: u32,
    /// Decoding for people skips it.
    pub special: bool,
    /// It is looked for after spaces were put in and replaced, and its own text is treated alike.
    pub normalized: bool,
}

impl Record<8> for Added {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.u32(&mut self.id)?;
        walk.choice(&mut self.special, &[false, true], "special", KNOWN)?;
        walk.choice(&mut self.normalized, &[false, true], "normalized", KNOWN)?;
        walk.reserved::<2>()
    }
}

/// A merge: the tokens `left` and `right` side by side become `id`; lower ranks come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// The left token.
    pub left: u32,
    /// The right token.
    pub right: u32,
    /// Its priority: 0 is the first.
    pub rank: u32,
    /// The token they become.
    pub id: u32,
}

/// A class of characters for [`super::Split::Gpt2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// None of the others.
    Other,
    /// Unicode's L.
    Letter,
    /// Unicode's N.
    Number,
    /// Unicode's White_Space.
    Space,
}

impl Class {
    /// How it is stored: two bits.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Other => 0,
            Self::Letter => 1,
            Self::Number => 2,
            Self::Space => 3,
        }
    }
}
