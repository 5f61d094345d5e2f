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
    /// Its length in the file.
    pub len: u64,
    /// Its bytes; none of a section that is not in memory.
    pub bytes: &'a [u8],
    /// The checksum that its bytes must have.
    pub crc: u32,
}

/// The sections of one file, at most one of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sections<'a>([Option<Section<'a>>; Kind::ALL.len()]);

impl<'a> Sections<'a> {
    /// Reads the directory behind the header and checks the rules above, but for padding. `start` are the
    /// file's first bytes, with the directory; the sections are given without their bytes.
    #[inline(never)]
    pub fn places(start: &[u8], header: &Header) -> Result<Self, FormatError> {
        let count = usize::from(header.sections);
        let directory = start
            .get(header::LEN..end_of_directory(count))
            .ok_or(FormatErrorKind::Truncated.at(64))?;
        let found = crc32c(directory);
        if found != header.directory_crc {
            return Err(FormatErrorKind::Checksum { expected: header.directory_crc, found }.at(64));
        }

        let mut sections = Self::default();
        let mut slots = Kind::ALL.into_iter().zip(&mut sections.0);
        let mut end = start_of_sections(count).ok_or(FormatErrorKind::Truncated.at(64))?;
        let (entries, _) = directory.as_chunks::<ENTRY_LEN>();
        for (index, raw) in entries.iter().enumerate() {
            let place = u64::try_from(end_of_directory(index)).unwrap_or(u64::MAX);
            let entry: Entry = wire::decode(raw, place)?;
            let kind = Kind::from_id(entry.kind)
                .ok_or(FormatErrorKind::UnknownSection { id: entry.kind }.at(place))?;
            let slot = slots
                .find_map(|(slot_kind, slot)| (slot_kind == kind).then_some(slot))
                .ok_or(FormatErrorKind::SectionOrder { kind }.at(place))?;
            let offset = size::align(end).ok_or(FormatErrorKind::Truncated.at(place))?;
            if entry.offset != offset {
                return Err(FormatErrorKind::SectionPlace {
                    kind,
                    expected: offset,
                    found: entry.offset,
                }
                .at(place));
            }
            end = offset.checked_add(entry.len).ok_or(FormatErrorKind::Truncated.at(place))?;
            *slot = Some(Section { kind, offset, len: entry.len, bytes: &[], crc: entry.crc });
        }
        if end != header.file_len {
            return Err(
                FormatErrorKind::FileLength { expected: end, found: header.file_len }.at(16)
            );
        }
        Ok(sections)
    }

    /// Reads the directory of a file, checks all the rules above, and finds the sections' bytes.
    #[inline(never)]
    pub fn parse(file: &Resident<'a>, header: &Header) -> Result<Self, FormatError> {
        let mut sections = Self::places(file.start, header)?;
        let directory = end_of_directory(header.sections.into());
        let mut cursor = u64::try_from(directory).unwrap_or(u64::MAX);
        for section in sections.0.iter_mut().flatten() {
            let end = section.offset.saturating_add(section.len);
            let cut = file.get(cursor, section.offset).zip(file.get(section.offset, end));
            let (padding, bytes) = cut.ok_or(FormatErrorKind::Truncated.at(section.offset))?;
            if padding.iter().any(|&byte| byte != 0) {
                return Err(FormatErrorKind::NonZeroPadding.at(cursor));
            }
            section.bytes = bytes;
            cursor = end;
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

/// Where a directory of `count` entries ends.
fn end_of_directory(count: usize) -> usize {
    header::LEN.saturating_add(count.saturating_mul(ENTRY_LEN))
}

/// The bytes of a file that are in memory: all, or all but a gap.
#[derive(Clone, Copy, Debug)]
pub struct Resident<'a> {
    start: &'a [u8],
    gap: [u64; 2],
    end: &'a [u8],
}

impl<'a> Resident<'a> {
    /// The whole file.
    pub fn whole(file: &'a [u8]) -> Self {
        Self { start: file, gap: [u64::MAX; 2], end: &[] }
    }

    /// The bytes up to a gap and those behind it. The gap ends at `gap_end`.
    pub fn around(start: &'a [u8], gap_end: u64, end: &'a [u8]) -> Self {
        let gap_start = u64::try_from(start.len()).unwrap_or(u64::MAX);
        Self { start, gap: [gap_start, gap_end], end }
    }

    /// The bytes from `start` to `end`; none of the gap; `None` where some of them are not there.
    fn get(&self, start: u64, end: u64) -> Option<&'a [u8]> {
        let [gap_start, gap_end] = self.gap;
        if [start, end] == self.gap {
            return Some(&[]);
        }
        let (bytes, from) = if end <= gap_start { (self.start, 0) } else { (self.end, gap_end) };
        let index = |place: u64| usize::try_from(place.checked_sub(from)?).ok();
        bytes.get(index(start)?..index(end)?)
    }
}
