//! Text to tokens and back, over the model's tables and caller-owned buffers.
//!
//! Byte-pair encoding with the semantics of Hugging Face's `tokenizers`, whose results are
//! reproduced exactly. A text goes through these steps, one file each:
//!
//! ```text
//! text ── added tokens cut out ── spaces put first ── pieces ── symbols ── merges ── ids
//!         added.rs                encode.rs           split.rs  encode.rs  bpe.rs, heap.rs
//! ids ── bytes ── spaces dropped ── whole characters
//!        mod.rs   decode.rs         utf8.rs
//! ```
//!
//! The cost of encoding is O(n log n) in the longest piece, for any text and any tables: every
//! merge takes one symbol away, and whoever made the tables can only choose which.
//!
//! ```
//! use acorn_core::tokenizer::{EncodeError, EncodeOptions, Slot, Tokenizer};
//!
//! const TEXT_LEN: usize = 256;
//!
//! fn prompt(tokenizer: &Tokenizer<'_>, text: &str) -> Result<usize, EncodeError> {
//!     let mut scratch = [Slot::EMPTY; Tokenizer::scratch_len(TEXT_LEN)];
//!     let mut ids = [0; TEXT_LEN];
//!     tokenizer.encode(text, EncodeOptions::default(), &mut scratch, &mut ids)
//! }
//! ```
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod added;
mod bpe;
mod decode;
mod encode;
mod error;
mod heap;
mod split;
mod utf8;

pub use bpe::Slot;
pub use decode::Decoder;
pub use error::EncodeError;
pub use utf8::{Invalid, Utf8Stream};

use crate::format::tokenizer::{NONE, Symbols, Tables};

/// What encoding does beyond the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Add the begin- and end-of-sequence tokens that the model wants around a text.
    pub add_special: bool,
    /// Turn the text of an added token (`<|im_start|>`) into that token. Whoever writes the text
    /// can then write control tokens: set it to false for text that is not trusted.
    pub parse_added: bool,
}

impl EncodeOptions {
    /// For text from a person: no control token comes out, whatever the text says.
    pub const UNTRUSTED: Self = Self { add_special: false, parse_added: false };
}

impl Default for EncodeOptions {
    /// As Hugging Face does: special tokens are added, and added tokens are recognised.
    fn default() -> Self {
        Self { add_special: true, parse_added: true }
    }
}

/// A model's tokenizer: a view of its tables.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizer<'a> {
    tables: Tables<'a>,
}

impl<'a> Tokenizer<'a> {
    /// The tokenizer of these tables. Any tables are safe; those that pass [`Tables::verify`]
    /// never give [`EncodeError::Damaged`].
    pub fn new(tables: Tables<'a>) -> Self {
        Self { tables }
    }

    /// The tables in the file.
    pub fn tables(&self) -> &Tables<'a> {
        &self.tables
    }

    /// Slots of scratch that are enough to encode any text of `text_len` bytes: 2⅛ per byte, and
    /// a few. Most texts need far less: as much as their longest piece between two merge borders.
    pub const fn scratch_len(text_len: usize) -> usize {
        // One more symbol than bytes: the space that may be put first.
        bpe::scratch_len(text_len.saturating_add(1))
    }

    /// Encodes `text` into `out`, and says how many tokens that are.
    ///
    /// # Errors
    /// [`EncodeError::Scratch`] where a piece of the text needs more scratch,
    /// [`EncodeError::Output`] where `out` is too short (with the exact length needed, so an empty
    /// `out` measures), [`EncodeError::Damaged`] where the tables name a token that does not exist.
    /// `out` then holds nothing of use.
    pub fn encode(
        &self,
        text: &str,
        options: EncodeOptions,
        scratch: &mut [Slot],
        out: &mut [u32],
    ) -> Result<usize, EncodeError> {
        encode::encode(&self.tables, text, options, scratch, out)
    }

    /// The bytes that a token stands for, spaces as spaces. A token may be a part of a character:
    /// [`Decoder`] puts them together.
    pub fn token_bytes(&self, id: u32) -> Option<&'a [u8]> {
        self.tables.text(id)
    }

    /// Decodes `ids` for people, without special tokens, into `sink`, which gets whole characters.
    pub fn decode(&self, ids: &[u32], mut sink: impl FnMut(&str)) {
        let mut decoder = Decoder::new(*self);
        for &id in ids {
            decoder.push(id, &mut sink);
        }
        decoder.finish(sink);
    }

    /// Tokens: ids are below this.
    pub fn len(&self) -> u32 {
        self.tables.header().tokens
    }

    /// Whether there are no tokens: never, after parsing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The begin-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        Some(self.tables.header().bos).filter(|&id| id != NONE)
    }

    /// The end-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        Some(self.tables.header().eos).filter(|&id| id != NONE)
    }

    /// Whether [`EncodeOptions::add_special`] puts the begin-of-sequence token first.
    pub fn adds_bos(&self) -> bool {
        self.tables.header().add_bos && self.bos().is_some()
    }

    /// The tokens that end a generation.
    pub fn stops(&self) -> impl Iterator<Item = u32> + 'a {
        self.tables.stops()
    }

    /// Whether a token ends a generation.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stops().any(|stop| stop == id)
    }

    /// Whether a token is for control, not for people. O(added tokens).
    pub fn is_special(&self, id: u32) -> bool {
        self.tables.added().any(|added| added.id == id && added.special)
    }

    /// How bytes that are not UTF-8 show in this model's texts.
    fn invalid(&self) -> Invalid {
        match self.tables.header().symbols {
            Symbols::Characters => Invalid::PerByte,
            Symbols::Bytes => Invalid::PerSequence,
        }
    }
}
