//! The first 64 bytes: what the file is, how long, and the checksum of all that.

use super::wire::{self, Fields, Record};
use super::{VERSION, crc32c::crc32c};
use crate::error::{FormatError, FormatErrorKind};

/// `\x89ACORN\r\n`: not text, and damaged visibly by a transfer that mends line ends.
pub const MAGIC: [u8; 8] = *b"\x89ACORN\r\n";

/// Bytes of the header.
pub const LEN: usize = 64;

/// Where the header's own checksum lies: it covers all bytes before it.
const CRC_OFFSET: usize = 60;

/// The header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    magic: [u8; 8],
    version: u16,
    /// Entries in the directory, which follows the header.
    pub sections: u16,
    /// CRC-32C of the directory's bytes.
    pub directory_crc: u32,
    /// The whole file's length in bytes.
    pub file_len: u64,
    crc: u32,
}

impl Default for Header {
    fn default() -> Self {
        Self { magic: MAGIC, version: VERSION, sections: 0, directory_crc: 0, file_len: 0, crc: 0 }
    }
}

impl Record<LEN> for Header {
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind> {
        walk.bytes(&mut self.magic)?;
        walk.u16(&mut self.version)?;
        walk.u16(&mut self.sections)?;
        walk.u32(&mut self.directory_crc)?;
        walk.u64(&mut self.file_len)?;
        walk.reserved::<36>()?;
        walk.u32(&mut self.crc)
    }
}

impl Header {
    /// A header for a directory of `sections` entries with that checksum, in a file of `file_len` bytes.
    pub fn new(sections: u16, directory_crc: u32, file_len: u64) -> Self {
        Self { sections, directory_crc, file_len, ..Self::default() }
    }

    /// Reads the header at the start of a file. `file_len` is the length of the whole file, where that is
    /// known.
    ///
    /// # Errors
    /// In this order, so that the most helpful one is given: not an Acorn file, a damaged header (its
    /// checksum stands in the same place in every version), another version, a file shorter or longer than
    /// it says.
    #[inline(never)]
    pub fn parse(start: &[u8], file_len: Option<u64>) -> Result<Self, FormatError> {
        if !start.starts_with(&MAGIC) {
            return Err(FormatErrorKind::NotAcorn.at(0));
        }
        let Some(bytes) = start.first_chunk::<LEN>() else {
            let found = u64::try_from(start.len()).unwrap_or(u64::MAX);
            return Err(FormatErrorKind::FileLength { expected: 64, found }.at(0));
        };
        let (covered, _) = bytes.split_at_checked(CRC_OFFSET).unwrap_or((bytes, &[]));
        let found = crc32c(covered);
        let raw = wire::u32_at(bytes, CRC_OFFSET).unwrap_or(0);
        if raw != found {
            return Err(FormatErrorKind::Checksum { expected: raw, found }.at(0));
        }
        let version = wire::u16_at(bytes, 8).unwrap_or(0);
        if version != VERSION {
            return Err(FormatErrorKind::Version { found: version }.at(8));
        }
        let header: Self = wire::decode(bytes, 0)?;
        if let Some(found) = file_len.filter(|&found| found != header.file_len) {
            return Err(FormatErrorKind::FileLength { expected: header.file_len, found }.at(16));
        }
        Ok(header)
    }

    /// The header's bytes, its checksum filled in.
    pub fn encode(mut self) -> Result<[u8; LEN], FormatErrorKind> {
        let bytes = wire::encode(&self)?;
        let (covered, _) = bytes.split_at_checked(CRC_OFFSET).unwrap_or((&bytes, &[]));
        self.crc = crc32c(covered);
        wire::encode(&self)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn other_versions_are_told_what_reads_them() {
        for (version, says) in [(0, "from before acorn 0.1"), (VERSION + 1, "take a newer acorn")] {
            let header = Header { version, ..Header::default() };
            let bytes = header.encode().expect("a header");
            let error = Header::parse(&bytes, None).expect_err("another version");
            assert_eq!(error.kind, FormatErrorKind::Version { found: version });
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
