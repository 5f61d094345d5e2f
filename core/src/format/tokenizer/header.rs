//! The section's header: how text becomes pieces, and how many entries the tables have.

use super::HEADER_LEN;
use crate::error::FormatErrorKind;
use crate::format::size;
use crate::format::wire::{Fields, Record};

/// What byte-pair encoding starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Symbols {
    /// Characters; one without a token becomes its bytes' tokens, or the unknown token.
    #[default]
    Characters,
    /// Bytes (GPT-2's byte-level encoding).
    Bytes,
}

/// When a space is put before a segment of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Prefix {
    /// Never.
    #[default]
    Never,
    /// Before every segment, even one that starts with a space.
    Always,
    /// Before every segment that does not start with a space.
    Missing,
    /// Before the text's first segment, unless it starts with a space.
    MissingFirst,
}

/// How a segment is split into pieces that merges do not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Split {
    /// Not at all.
    #[default]
    None,
    /// Before each space.
    Spaces,
    /// Before each space that follows another character. This changes no token where no merge
    /// crosses such a place; it keeps pieces, and with them the scratch memory, short.
    Words,
    /// As GPT-2's regular expression does: contractions, letters, digits, other, white space.
    Gpt2,
    /// Around each number, then as [`Split::Gpt2`] (SmolLM).
    Gpt2Digits,
}

/// What decoding drops at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strip {
    /// Nothing.
    #[default]
    Nothing,
    /// One space at the very start.
    Space,
    /// Every space of the first token.
    FirstToken,
}

/// The section's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What merging starts from.
    pub symbols: Symbols,
    /// When a space is put first.
    pub prefix: Prefix,
    /// What merges do not cross.
    pub split: Split,
    /// Spaces in the text and U+2581 (▁) are the same character: the tables of characters know it
    /// as U+2581, the tokens' texts as a space.
    pub underline_is_space: bool,
    /// Neighbouring unknown characters become one unknown token.
    pub fuse_unknown: bool,
    /// Encoding puts the begin-of-sequence token first where special tokens are asked for.
    pub add_bos: bool,
    /// Encoding puts the end-of-sequence token last where special tokens are asked for.
    pub add_eos: bool,
    /// What decoding drops at the start.
    pub strip: Strip,
    /// Tokens.
    pub tokens: u32,
    /// Begin of sequence, or [`super::NONE`].
    pub bos: u32,
    /// End of sequence, or [`super::NONE`].
    pub eos: u32,
    /// Unknown, or [`super::NONE`].
    pub unknown: u32,
    /// Bytes of all token texts.
    pub text_len: u32,
    /// Entries of the character table.
    pub characters: u32,
    /// Entries of the merge table.
    pub merges: u32,
    /// Entries of the added tokens' table.
    pub added: u32,
    /// Entries of the stop tokens' table.
    pub stops: u32,
    /// Entries of the table of character classes.
    pub classes: u32,
}

/// What a choice must be.
pub(super) const KNOWN: &str = "a known choice";

impl Record<HEADER_LEN> for Header {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.choice(&mut self.symbols, &[Symbols::Characters, Symbols::Bytes], "symbols", KNOWN)?;
        let prefixes = [Prefix::Never, Prefix::Always, Prefix::Missing, Prefix::MissingFirst];
        walk.choice(&mut self.prefix, &prefixes, "prefix", KNOWN)?;
        let splits = [Split::None, Split::Spaces, Split::Words, Split::Gpt2, Split::Gpt2Digits];
        walk.choice(&mut self.split, &splits, "split", KNOWN)?;
        walk.choice(
            &mut self.strip,
            &[Strip::Nothing, Strip::Space, Strip::FirstToken],
            "strip",
            KNOWN,
        )?;
        for (name, flag) in [
            ("underline_is_space", &mut self.underline_is_space),
            ("fuse_unknown", &mut self.fuse_unknown),
            ("add_bos", &mut self.add_bos),
            ("add_eos", &mut self.add_eos),
        ] {
            walk.choice(flag, &[false, true], name, KNOWN)?;
        }
        for count in [
            &mut self.tokens,
            &mut self.bos,
            &mut self.eos,
            &mut self.unknown,
            &mut self.text_len,
            &mut self.characters,
            &mut self.merges,
            &mut self.added,
            &mut self.stops,
            &mut self.classes,
        ] {
            walk.u32(count)?;
        }
        walk.reserved::<16>()
    }
}

impl Header {
    /// Whether merges take 4 × u16 rather than 4 × u32: where all their numbers fit.
    pub fn narrow(&self) -> bool {
        self.tokens <= 1 << 16 && self.merges <= 1 << 16
    }

    /// Bytes of the parts behind the header, in order, without padding.
    pub(super) fn parts(&self) -> Option<[u64; 8]> {
        let table = |entries: u64, len: u64| size::product(&[entries, len]);
        Some([
            table(size::sum(&[self.tokens.into(), 1])?, 4)?,
            self.text_len.into(),
            table(256, 4)?,
            table(self.characters.into(), 8)?,
            table(self.merges.into(), if self.narrow() { 8 } else { 16 })?,
            table(self.added.into(), 8)?,
            table(self.stops.into(), 4)?,
            table(self.classes.into(), 4)?,
        ])
    }
}
