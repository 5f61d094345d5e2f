//! The tokenizer section: a byte-pair encoding as tables that are searched in place.
//!
//! ```text
//! header | token offsets | token texts | byte ids | characters | merges | added | stops | classes
//! ```
//!
//! Each part starts at a multiple of 4, right after the one before; skipped bytes are zero. Parsing
//! checks the parts' lengths in O(1); [`Tables::verify`] checks every entry. The accessors are
//! total on any bytes: what is out of bounds is absent.

use super::size;
use super::wire::{self, Fields, Record, u16_at, u32_at};
use crate::error::{FormatError, FormatErrorKind};
use crate::format::directory::Kind;

/// Bytes of the header.
pub const HEADER_LEN: usize = 64;

/// Stands for "no token".
pub const NONE: u32 = u32::MAX;

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
    /// As GPT-2's regular expression does: contractions, letters, digits, other, white space.
    Gpt2,
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
    /// U+2581 (▁) in the text counts as a space.
    pub underline_is_space: bool,
    /// Neighbouring unknown characters become one unknown token.
    pub fuse_unknown: bool,
    /// Encoding puts the begin-of-sequence token first where special tokens are asked for.
    pub add_bos: bool,
    /// Encoding puts the end-of-sequence token last where special tokens are asked for.
    pub add_eos: bool,
    /// Decoding drops one space at the very start.
    pub strip_space: bool,
    /// Tokens.
    pub tokens: u32,
    /// Begin of sequence, or [`NONE`].
    pub bos: u32,
    /// End of sequence, or [`NONE`].
    pub eos: u32,
    /// Unknown, or [`NONE`].
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

/// Walks a value of few choices, stored as its place in `choices`.
fn choice<T: Copy + PartialEq>(
    walk: &mut impl Fields,
    value: &mut T,
    name: &'static str,
    choices: &[T],
) -> Result<(), FormatErrorKind> {
    let place = choices.iter().position(|choice| choice == value);
    let mut raw = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0);
    walk.u8(&mut raw)?;
    let expected = "a known choice";
    *value = *choices
        .get(usize::from(raw))
        .ok_or(FormatErrorKind::Field { name, found: raw.into(), expected })?;
    Ok(())
}

impl Record<HEADER_LEN> for Header {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        choice(walk, &mut self.symbols, "symbols", &[Symbols::Characters, Symbols::Bytes])?;
        let prefixes = [Prefix::Never, Prefix::Always, Prefix::Missing, Prefix::MissingFirst];
        choice(walk, &mut self.prefix, "prefix", &prefixes)?;
        choice(walk, &mut self.split, "split", &[Split::None, Split::Spaces, Split::Gpt2])?;
        for (name, flag) in [
            ("underline_is_space", &mut self.underline_is_space),
            ("fuse_unknown", &mut self.fuse_unknown),
            ("add_bos", &mut self.add_bos),
            ("add_eos", &mut self.add_eos),
            ("strip_space", &mut self.strip_space),
        ] {
            choice(walk, flag, name, &[false, true])?;
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
    fn parts(&self) -> Option<[u64; 8]> {
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

/// An added token: text that becomes one token wherever it stands.
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
        choice(walk, &mut self.special, "special", &[false, true])?;
        choice(walk, &mut self.normalized, "normalized", &[false, true])?;
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

/// A class of characters for [`Split::Gpt2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// None of the others.
    Other = 0,
    /// Unicode's L.
    Letter = 1,
    /// Unicode's N.
    Number = 2,
    /// Unicode's White_Space.
    Space = 3,
}

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
        let at = |index: u32| {
            u32_at(self.offsets, index_of(index).checked_mul(4)?).map(index_of)
        };
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
        match range.map(|raw| u32::from_le_bytes(*raw) % 4) {
            Some(1) => Class::Letter,
            Some(2) => Class::Number,
            Some(3) => Class::Space,
            _ => Class::Other,
        }
    }

    /// Checks every entry: order, and that each number names a token. O(entries).
    pub fn verify(&self) -> Result<(), FormatErrorKind> {
        let tokens = self.header.tokens;
        let bad = |table, index| FormatErrorKind::TokenizerEntry { table, index };
        let ascending = |table, count: u32, key: &dyn Fn(u32) -> Option<(u32, u32)>| {
            let mut last = None;
            for index in 0..count {
                let this = key(index).ok_or(bad(table, index))?;
                if last.is_some_and(|last| last >= this) {
                    return Err(bad(table, index));
                }
                last = Some(this);
            }
            Ok(())
        };
        for id in 0..tokens {
            self.text(id).ok_or(bad("token", id))?;
        }
        if u32_at(self.offsets, 0) != Some(0) || self.last_offset() != Some(self.header.text_len) {
            return Err(bad("token", tokens));
        }
        for byte in 0..=u8::MAX {
            if self.byte(byte).is_some_and(|id| id >= tokens) {
                return Err(bad("byte", byte.into()));
            }
        }
        let character = |index: u32| {
            let entry = self.characters.get(index_of(index))?;
            let code = u32_at(entry, 0).and_then(char::from_u32)?;
            u32_at(entry, 4).filter(|&id| id < tokens)?;
            Some((code.into(), 0))
        };
        ascending("character", self.header.characters, &character)?;
        let merge = |index: u32| {
            let merge = self.merge_at(index)?;
            let known = [merge.left, merge.right, merge.id].iter().all(|&id| id < tokens);
            known.then_some((merge.left, merge.right))
        };
        ascending("merge", self.header.merges, &merge)?;
        for (raw, index) in self.added.iter().zip(0..) {
            let added: Added = wire::decode(raw, 0).map_err(|_| bad("added", index))?;
            if self.text(added.id).is_none_or(<[u8]>::is_empty) {
                return Err(bad("added", index));
            }
        }
        for (stop, index) in self.stops().zip(0..) {
            if stop >= tokens {
                return Err(bad("stop", index));
            }
        }
        let class = |index: u32| {
            let raw = u32::from_le_bytes(*self.classes.get(index_of(index))?);
            Some((raw / 4, 0))
        };
        ascending("class", self.header.classes, &class)
    }

    fn last_offset(&self) -> Option<u32> {
        self.offsets.last_chunk().map(|raw| u32::from_le_bytes(*raw))
    }
}

/// A 32-bit index on this machine; where it does not fit, one that is out of bounds of any slice.
fn index_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// What [`write`] puts into a section.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The header; its counts are filled in by [`write`].
    pub header: Header,
    /// Each token's bytes.
    pub texts: &'a [&'a [u8]],
    /// The token of each byte, or [`NONE`].
    pub bytes: &'a [u32],
    /// Characters and their tokens, ascending.
    pub characters: &'a [(char, u32)],
    /// Merges, ascending by left and right.
    pub merges: &'a [Merge],
    /// Added tokens.
    pub added: &'a [Added],
    /// Tokens that end a generation.
    pub stops: &'a [u32],
    /// First characters of ranges, ascending, with the range's class.
    pub classes: &'a [(char, Class)],
}

/// Writes a section piece by piece into `out`.
///
/// # Errors
/// A table is too long for its count, or `bytes` has not 256 entries.
pub fn write(content: &Content<'_>, out: &mut dyn FnMut(&[u8])) -> Result<(), FormatErrorKind> {
    let count = |len: usize| u32::try_from(len).map_err(|_| FormatErrorKind::Truncated);
    let text_len = content.texts.iter().map(|text| text.len()).fold(0, usize::saturating_add);
    let header = Header {
        tokens: count(content.texts.len())?,
        text_len: count(text_len)?,
        characters: count(content.characters.len())?,
        merges: count(content.merges.len())?,
        added: count(content.added.len())?,
        stops: count(content.stops.len())?,
        classes: count(content.classes.len())?,
        ..content.header
    };
    let bytes: &[u32; 256] = content.bytes.try_into().map_err(|_| FormatErrorKind::Truncated)?;

    out(&wire::encode(&header)?);
    let mut end = 0u32;
    out(&end.to_le_bytes());
    for text in content.texts {
        end = end.saturating_add(count(text.len())?);
        out(&end.to_le_bytes());
    }
    content.texts.iter().for_each(|text| out(text));
    let padding = text_len.next_multiple_of(4).saturating_sub(text_len);
    out([0; 4].get(..padding).unwrap_or_default());
    bytes.iter().for_each(|id| out(&id.to_le_bytes()));
    for (character, id) in content.characters {
        out(&u32::from(*character).to_le_bytes());
        out(&id.to_le_bytes());
    }
    for merge in content.merges {
        for number in [merge.left, merge.right, merge.rank, merge.id] {
            match u16::try_from(number) {
                Ok(number) if header.narrow() => out(&number.to_le_bytes()),
                Err(_) if header.narrow() => return Err(FormatErrorKind::Truncated),
                _ => out(&number.to_le_bytes()),
            }
        }
    }
    for added in content.added {
        out(&wire::encode(added)?);
    }
    content.stops.iter().for_each(|id| out(&id.to_le_bytes()));
    for (first, class) in content.classes {
        let class = match class {
            Class::Other => 0u32,
            Class::Letter => 1,
            Class::Number => 2,
            Class::Space => 3,
        };
        out(&u32::from(*first).wrapping_mul(4).wrapping_add(class).to_le_bytes());
    }
    Ok(())
}
