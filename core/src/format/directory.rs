//! The list of sections: every byte of the file is owned exactly once.
//!
//! The rules fit on one screen. Sections come in the order of their kind, each kind at most once;
//! the first starts right after the directory, each next one right after the one before, both
//! rounded up to [`super::ALIGNMENT`]; the bytes skipped are zero; the last one ends the file. So there is
//! one valid directory for given sections, and no hole, overlap or tail to hide anything in.

use super::header::{self, Header};
use super::size;
use super::wire::{self, Fields, Record};
use crate::error::{FormatError, FormatErrorKind};
use crate::format::crc32c::crc32c;

/// Bytes of one directory entry.
pub const ENTRY_LEN: usize = 32;

/// What a section holds. The numbers are those in the file, and their order is the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The architecture as data ([`super::Recipe`]).
    Recipe = 1,
    /// Encoding, shape and place of each tensor ([`super::tensor_table`]).
    Tensors = 2,
    /// The tensors' bytes.
    Weights = 3,
    /// Vocabulary and merges ([`super::tokenizer`]).
    Tokenizer = 4,
    /// The chat template, as UTF-8 text.
    ChatTemplate = 5,
    /// Facts for people (source, quantization …), as a UTF-8 JSON object; the engine reads none of it.
    Metadata = 6,
}

impl Kind {
    /// All kinds, in file order.
    pub const ALL: [Self; 6] = [
        Self::Recipe,
        Self::Tensors,
        Self::Weights,
        Self::Tokenizer,
        Self::ChatTemplate,
        Self::Metadata,
    ];

    /// The number in the file.
    pub fn id(self) -> u32 {
        match self {
            Self::Recipe => 1,
            Self::Tensors => 2,
            Self::Weights => 3,
            Self::Tokenizer => 4,
            Self::ChatTemplate => 5,
            Self::Metadata => 6,
        }
    }

    /// The name that tables and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Tensors => "tensors",
            Self::Weights => "weights",
            Self::Tokenizer => "tokenizer",
            Self::ChatTemplate => "chat template",
            Self::Metadata => "metadata",
        }
    }

    fn from_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}

/// One directory entry as it stands in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    kind: u32,
    /// CRC-32C of the section's bytes.
    pub crc: u32,
    /// Where the section starts, from the start of the file.
    pub offset: u64,
    /// Its length in bytes, without the padding behind it.
    pub len: u64,
}

impl Record<ENTRY_LEN> for Entry {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.u32(&mut self.kind)?;
        walk.u32(&mut self.crc)?;
        walk.u64(&mut self.offset)?;
        walk.u64(&mut self.len)?;
        walk.reserved::<8>()
    }
}

impl Entry {
    /// An entry for a section of that kind.
    pub fn new(kind: Kind, offset: u64, len: u64, crc: u32) -> Self {
        Self { kind: kind.id(), crc, offset, len }
    }
}

/// A section found in a file.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Where it starts in the file.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The checksum that its bytes must have.
    pub crc: u32,
}

/// The sections of one file, at most one of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sections<'a>([Option<Section<'a>>; Kind::ALL.len()]);

impl<'a> Sections<'a> {
    /// Reads the directory of `file` and checks the rules above.
    pub fn parse(file: &'a [u8], header: &Header) -> Result<Self, FormatError> {
        let count = usize::from(header.sections);
        let table = count.saturating_mul(ENTRY_LEN);
        let directory = file
            .get(header::LEN..header::LEN.saturating_add(table))
            .ok_or(FormatErrorKind::Truncated.at(64))?;
        let found = crc32c(directory);
        if found != header.directory_crc {
            return Err(FormatErrorKind::Checksum { expected: header.directory_crc, found }.at(64));
        }

        let mut sections = Self::default();
        let mut slots = Kind::ALL.into_iter().zip(&mut sections.0);
        let mut end = start_of_sections(count).ok_or(FormatErrorKind::Truncated.at(64))?;
        let mut cursor = header::LEN.saturating_add(table);
        let (entries, _) = directory.as_chunks::<ENTRY_LEN>();
        for (index, raw) in entries.iter().enumerate() {
            let place = u64::try_from(index.saturating_mul(ENTRY_LEN).saturating_add(header::LEN))
                .unwrap_or(u64::MAX);
            let entry: Entry = wire::decode(raw, place)?;
            let kind = Kind::from_id(entry.kind)
                .ok_or(FormatErrorKind::UnknownSection { id: entry.kind }.at(place))?;
            let slot = slots
                .find_map(|(slot_kind, slot)| (slot_kind == kind).then_some(slot))
                .ok_or(FormatErrorKind::SectionOrder { kind }.at(place))?;
            let start = size::align(end).ok_or(FormatErrorKind::Truncated.at(place))?;
            if entry.offset != start {
                return Err(FormatErrorKind::SectionPlace {
                    kind,
                    expected: start,
                    found: entry.offset,
                }
                .at(place));
            }
            end = start.checked_add(entry.len).ok_or(FormatErrorKind::Truncated.at(place))?;
            let (padding, bytes, after) =
                cut(file, cursor, start, end).ok_or(FormatErrorKind::Truncated.at(place))?;
            if padding.iter().any(|&byte| byte != 0) {
                return Err(
                    FormatErrorKind::NonZeroPadding.at(u64::try_from(cursor).unwrap_or(start))
                );
            }
            cursor = after;
            *slot = Some(Section { kind, offset: start, bytes, crc: entry.crc });
        }
        if end != header.file_len {
            return Err(
                FormatErrorKind::FileLength { expected: end, found: header.file_len }.at(16)
            );
        }
        Ok(sections)
    }

    /// The section of that kind.
    pub fn section(&self, kind: Kind) -> Option<Section<'a>> {
        self.iter().find(|section| section.kind == kind)
    }

    /// The section of that kind, or the error that says it is missing.
    pub fn required(&self, kind: Kind) -> Result<Section<'a>, FormatError> {
        self.section(kind).ok_or(FormatErrorKind::MissingSection { kind }.at(64))
    }

    /// All sections, in file order.
    pub fn iter(&self) -> impl Iterator<Item = Section<'a>> + '_ {
        self.0.iter().flatten().copied()
    }
}

/// Where the first section of a file with `count` sections starts: after header and directory.
pub fn start_of_sections(count: usize) -> Option<u64> {
    let table = size::product(&[u64::try_from(count).ok()?, 32])?;
    size::align(size::sum(&[64, table])?)
}

/// `file` between `cursor` and `start` (padding) and between `start` and `end` (a section).
fn cut(file: &[u8], cursor: usize, start: u64, end: u64) -> Option<(&[u8], &[u8], usize)> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    Some((file.get(cursor..start)?, file.get(start..end)?, end))
}
