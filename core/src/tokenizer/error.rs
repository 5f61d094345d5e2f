//! Why a text was not encoded.

use core::fmt;

/// Why a text was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The scratch is too short for a piece of the text; a later piece may need more still.
    Scratch {
        /// Slots that this piece needs.
        need: usize,
        /// Slots given.
        have: usize,
    },
    /// The output is too short.
    Output {
        /// Tokens of the whole text.
        need: usize,
        /// Tokens that fit.
        have: usize,
    },
    /// A table names a token that does not exist.
    Damaged {
        /// The token's number.
        token: u32,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch { need, have } => write!(
                f,
                "the scratch has {have} slots but a piece of the text needs {need} (`Tokenizer::scratch_len` is always enough)"
            ),
            Self::Output { need, have } => {
                write!(f, "the text has {need} tokens but the output takes only {have}")
            }
            Self::Damaged { token } => write!(
                f,
                "the tokenizer's tables name token {token}, which does not exist (`acorn verify` finds the damage)"
            ),
        }
    }
}

impl core::error::Error for EncodeError {}
