//! The tokenizer section: a byte-pair encoding as tables that are searched in place.
//!
//! ```text
//! header | token offsets | token texts | byte ids | characters | merges | added | stops | classes
//! ```
//!
//! Each part starts at a multiple of 4, right after the one before; skipped bytes are zero. Parsing
//! checks the parts' lengths in O(1); [`Tables::verify`] checks every entry. The accessors are
//! total on any bytes: what is out of bounds is absent.

mod entries;
mod header;
mod verify;
mod write;

pub use entries::{Added, Class, MAX_ADDED_LEN, Merge};
pub use header::{Header, Prefix, Split, Strip, Symbols};
pub use write::{Content, write};

use super::wire::{self, u16_at, u32_at};
use crate::error::{FormatError, FormatErrorKind};
use crate::format::directory::Kind;

/// Bytes of the header.
pub const HEADER_LEN: usize = 64;

/// Stands for "no token".
pub const NONE: u32 = u32::MAX;

/// The tables of a tokenizer, in place.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    header: Header,
    offsets: &'a [u8],
    texts: &'a [u8],
    bytes: &'a [u8],
    characters: &'a [[u8; 8]],
    merges: &'a [u8],
    added: &'a [[u8; 8]],
    stops: &'a [[u8; 4]],
    classes: &'a [[u8; 4]],
}

impl<'a> Tables<'a> {
    /// Cuts a section into its parts. `offset` is where it lies in the file; `vocab_size` the model's.
    #[inline(never)]
    pub fn parse(section: &'a [u8], offset: u64, vocab_size: u32) -> Result<Self, FormatError> {
        let raw = section.first_chunk().ok_or(FormatErrorKind::Truncated.at(offset))?;
        let header: Header = wire::decode(raw, offset)?;
        let within = (1..=vocab_size).contains(&header.tokens);
        if !within {
            let (found, expected) = (header.tokens.into(), "1 to the model's vocab_size");
            return Err(FormatErrorKind::Field { name: "tokens", found, expected }.at(offset));
        }
        for (name, id) in [("bos", header.bos), ("eos", header.eos), ("unknown", header.unknown)] {
            if id >= header.tokens && id != NONE {
                let (found, expected) = (id.into(), "a token, or 4294967295 for none");
                return Err(FormatErrorKind::Field { name, found, expected }.at(offset));
            }
        }
        let lens = header.parts().ok_or(FormatErrorKind::Truncated.at(offset))?;
        let mut rest = section.get(HEADER_LEN..).unwrap_or_default();
        let mut parts = [Default::default(); 8];
        for (part, len) in parts.iter_mut().zip(lens) {
            let cut = usize::try_from(len).ok().and_then(|len| {
                let (bytes, after) = rest.split_at_checked(len)?;
                let padding = len.checked_next_multiple_of(4)?.checked_sub(len)?;
                Some((bytes, after.split_at_checked(padding)?))
            });
            let (bytes, (padding, after)) = cut.ok_or(FormatErrorKind::Truncated.at(offset))?;
            if padding.iter().any(|&byte| byte != 0) {
                return Err(FormatErrorKind::NonZeroPadding.at(offset));
            }
            (*part, rest) = (bytes, after);
        }
        if !rest.is_empty() {
            let found = u64::try_from(section.len()).unwrap_or(u64::MAX);
            let expected = found.saturating_sub(u64::try_from(rest.len()).unwrap_or(0));
            let kind = Kind::Tokenizer;
            return Err(FormatErrorKind::SectionLength { kind, expected, found }.at(offset));
        }
        let [offsets, texts, bytes, characters, merges, added, stops, classes] = parts;
        Ok(Self {
            header,
            offsets,
            texts,
            bytes,
            characters: characters.as_chunks().0,
            merges,
            added: added.as_chunks().0,
            stops: stops.as_chunks().0,
            classes: classes.as_chunks().0,
        })
    }

    /// The header's fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes that a token stands for: raw bytes, spaces as spaces.
    pub fn text(&self, id: u32) -> Option<&'a [u8]> {
        let at = |index: u32| u32_at(self.offsets, index_of(index).checked_mul(4)?).map(index_of);
        self.texts.get(at(id)?..at(id.checked_add(1)?)?)
    }

    /// The token of a byte.
    pub fn byte(&self, byte: u8) -> Option<u32> {
        u32_at(self.bytes, usize::from(byte).saturating_mul(4)).filter(|&id| id != NONE)
    }

    /// The token of a character.
    pub fn character(&self, character: char) -> Option<u32> {
        let key = |entry: &[u8; 8]| u32_at(entry, 0).unwrap_or(0);
        let found = self.characters.binary_search_by_key(&u32::from(character), key).ok()?;
        u32_at(self.characters.get(found)?, 4)
    }

    /// The merge at that place of the table.
    pub fn merge_at(&self, index: u32) -> Option<Merge> {
        let index = index_of(index);
        let read = |field: usize| {
            let place = index.checked_mul(4)?.checked_add(field)?;
            match self.header.narrow() {
                true => u16_at(self.merges, place.checked_mul(2)?).map(u32::from),
                false => u32_at(self.merges, place.checked_mul(4)?),
            }
        };
        Some(Merge { left: read(0)?, right: read(1)?, rank: read(2)?, id: read(3)? })
    }

    /// The merge of two tokens: a binary search.
    pub fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        let (mut low, mut high) = (0, self.header.merges);
        while low < high {
            let middle = low.midpoint(high);
            let merge = self.merge_at(middle)?;
            match (merge.left, merge.right).cmp(&(left, right)) {
                core::cmp::Ordering::Less => low = middle.saturating_add(1),
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return Some(merge),
            }
        }
        None
    }

    /// The added token at that place of the table.
    pub fn added_at(&self, index: usize) -> Option<Added> {
        wire::decode(self.added.get(index)?, 0).ok()
    }

    /// The added tokens.
    pub fn added(&self) -> impl Iterator<Item = Added> + 'a {
        self.added.iter().filter_map(|raw| wire::decode(raw, 0).ok())
    }

    /// The tokens that end a generation.
    pub fn stops(&self) -> impl Iterator<Item = u32> + 'a {
        self.stops.iter().map(|raw| u32::from_le_bytes(*raw))
    }

    /// The class of a character, for [`Split::Gpt2`].
    pub fn class(&self, character: char) -> Class {
        // An entry is the first character of a range, times 4, plus the class.
        let key = u32::from(character).wrapping_mul(4).wrapping_add(3);
        let ranges = self.classes.partition_point(|raw| u32::from_le_bytes(*raw) <= key);
        let range = ranges.checked_sub(1).and_then(|last| self.classes.get(last));
        let number = range.map_or(0, |raw| u32::from_le_bytes(*raw) % 4);
        let classes = [Class::Letter, Class::Number, Class::Space];
        classes.into_iter().find(|class| class.number() == number).unwrap_or(Class::Other)
    }
}

/// A 32-bit index on this machine; where it does not fit, one that is out of bounds of any slice.
pub(crate) fn index_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
