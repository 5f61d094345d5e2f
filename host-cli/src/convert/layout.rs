//! Where everything lies in the file, computed before anything is written.

use acorn_core::error::FormatErrorKind;
use acorn_core::format::crc32c::crc32c;
use acorn_core::format::directory::{self, Kind};
use acorn_core::format::encoding::Encoding;
use acorn_core::format::header::Header;
use acorn_core::format::recipe::{self, Recipe};
use acorn_core::format::tensor_table::{self, Entry, Role};
use acorn_core::format::{size, wire};

/// A section's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// The places of all sections, and of all tensors in theirs.
#[derive(Debug)]
pub(crate) struct Layout {
    entries: Vec<Entry>,
    sections: Vec<Place>,
    weight_bytes: u64,
    file_len: u64,
}

impl Layout {
    /// Lays out a model whose matrices are encoded as `matrix` says, and whose sections behind the
    /// weights have those sizes.
    pub(crate) fn new(
        recipe: &Recipe,
        matrix: impl Fn(Role, u32) -> Encoding,
        behind: &[(Kind, u64)],
    ) -> Result<Self, FormatErrorKind> {
        Self::place(recipe, matrix, behind).ok_or(FormatErrorKind::Truncated)
    }

    fn place(
        recipe: &Recipe,
        matrix: impl Fn(Role, u32) -> Encoding,
        behind: &[(Kind, u64)],
    ) -> Option<Self> {
        let mut entries = Vec::new();
        let mut weight_bytes = 0;
        for (role, layer) in tensor_table::expected(recipe) {
            let encoding = role.vector_encoding().unwrap_or_else(|| matrix(role, layer));
            let offset = size::align(weight_bytes)?;
            let entry = Entry::new(role, layer, recipe, encoding, offset)?;
            weight_bytes = offset.checked_add(entry.len)?;
            entries.push(entry);
        }
        let table = (entries.len() * tensor_table::ENTRY_LEN) as u64;
        let first = [
            (Kind::Recipe, recipe::LEN as u64),
            (Kind::Tensors, table),
            (Kind::Weights, weight_bytes),
        ];
        let all = first.iter().chain(behind);
        let mut file_len = directory::start_of_sections(first.len() + behind.len())?;
        let mut sections = Vec::new();
        for &(kind, len) in all {
            let offset = size::align(file_len)?;
            sections.push(Place { kind, offset, len });
            file_len = offset.checked_add(len)?;
        }
        Some(Self { entries, sections, weight_bytes, file_len })
    }

    /// The tensors, in file order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sections, in file order.
    pub(crate) fn sections(&self) -> &[Place] {
        &self.sections
    }

    /// Bytes of the weights section.
    pub(crate) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Bytes of the whole file.
    pub(crate) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// The bytes of the recipe section or of the tensor table.
    pub(crate) fn encode(&self, kind: Kind, recipe: &Recipe) -> Result<Vec<u8>, FormatErrorKind> {
        if kind == Kind::Recipe {
            return Ok(wire::encode(recipe)?.to_vec());
        }
        let mut bytes = Vec::new();
        for entry in &self.entries {
            bytes.extend(wire::encode(entry)?);
        }
        Ok(bytes)
    }

    /// The file's first bytes, once the checksum of each section is known.
    pub(crate) fn header_and_directory(&self, crcs: &[u32]) -> Result<Vec<u8>, FormatErrorKind> {
        let mut directory = Vec::new();
        for (place, crc) in self.sections.iter().zip(crcs) {
            let entry = directory::Entry::new(place.kind, place.offset, place.len, *crc);
            directory.extend(wire::encode(&entry)?);
        }
        let count = u16::try_from(self.sections.len()).map_err(|_| FormatErrorKind::Truncated)?;
        let header = Header::new(count, crc32c(&directory), self.file_len);
        Ok([header.encode()?.as_slice(), &directory].concat())
    }
}
