//! One list of fields, walked in both directions.
//!
//! A structure implements [`Record`] by naming its fields once, in file order; [`decode`] and
//! [`encode`] walk that list over bytes. All numbers are little-endian.

use crate::error::{FormatError, FormatErrorKind};

/// A walker over the fields of a [`Record`]: it fills them from bytes, or writes them to bytes.
pub trait Fields {
    /// Whether what fields held before counts for nothing.
    const READS: bool;

    /// The next `N` bytes.
    fn bytes<const N: usize>(&mut self, value: &mut [u8; N]) -> Result<(), FormatErrorKind>;

    /// A byte.
    fn u8(&mut self, value: &mut u8) -> Result<(), FormatErrorKind> {
        let mut raw = [*value];
        self.bytes(&mut raw)?;
        [*value] = raw;
        Ok(())
    }

    /// A 16-bit number.
    fn u16(&mut self, value: &mut u16) -> Result<(), FormatErrorKind> {
        let mut raw = value.to_le_bytes();
        self.bytes(&mut raw)?;
        *value = u16::from_le_bytes(raw);
        Ok(())
    }

    /// A 32-bit number.
    fn u32(&mut self, value: &mut u32) -> Result<(), FormatErrorKind> {
        let mut raw = value.to_le_bytes();
        self.bytes(&mut raw)?;
        *value = u32::from_le_bytes(raw);
        Ok(())
    }

    /// A 64-bit number.
    fn u64(&mut self, value: &mut u64) -> Result<(), FormatErrorKind> {
        let mut raw = value.to_le_bytes();
        self.bytes(&mut raw)?;
        *value = u64::from_le_bytes(raw);
        Ok(())
    }

    /// A single-precision float.
    fn f32(&mut self, value: &mut f32) -> Result<(), FormatErrorKind> {
        let mut raw = value.to_le_bytes();
        self.bytes(&mut raw)?;
        *value = f32::from_le_bytes(raw);
        Ok(())
    }

    /// A value among `choices`, stored as its place there: a byte.
    fn choice<T: Copy + PartialEq>(
        &mut self,
        value: &mut T,
        choices: &[T],
        name: &'static str,
        expected: &'static str,
    ) -> Result<(), FormatErrorKind> {
        let written = if Self::READS { &[] } else { choices };
        let place = written.iter().position(|choice| choice == value);
        let mut place = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
        self.u8(&mut place)?;
        let found = place.into();
        let chosen = choices.get(usize::from(place)).copied();
        *value = chosen.ok_or(FormatErrorKind::Field { name, found, expected })?;
        Ok(())
    }

    /// `N` bytes kept for later versions: written as zero, and refused unless zero.
    fn reserved<const N: usize>(&mut self) -> Result<(), FormatErrorKind> {
        let mut raw = [0; N];
        self.bytes(&mut raw)?;
        match raw.iter().all(|&byte| byte == 0) {
            true => Ok(()),
            false => Err(FormatErrorKind::NonZeroReserved),
        }
    }
}

/// A structure of fixed length in the file.
pub trait Record<const LEN: usize>: Default + Copy {
    /// Walks the fields in file order. They must cover exactly `LEN` bytes.
    fn fields(&mut self, walk: &mut impl Fields) -> Result<(), FormatErrorKind>;
}

struct Reader<'a>(&'a [u8]);

impl Fields for Reader<'_> {
    const READS: bool = true;

    fn bytes<const N: usize>(&mut self, value: &mut [u8; N]) -> Result<(), FormatErrorKind> {
        // Never short: a record's fields are as long as its bytes, or it could not be written.
        if let Some((head, rest)) = self.0.split_first_chunk() {
            (*value, self.0) = (*head, rest);
        }
        Ok(())
    }
}

struct Writer<'a>(&'a mut [u8]);

impl Fields for Writer<'_> {
    const READS: bool = false;

    fn bytes<const N: usize>(&mut self, value: &mut [u8; N]) -> Result<(), FormatErrorKind> {
        let (head, rest) = core::mem::take(&mut self.0)
            .split_first_chunk_mut()
            .ok_or(FormatErrorKind::Truncated)?;
        *head = *value;
        self.0 = rest;
        Ok(())
    }
}

/// Reads a record. `offset` is where `bytes` lie in the file, for the error.
pub fn decode<const LEN: usize, R: Record<LEN>>(
    bytes: &[u8; LEN],
    offset: u64,
) -> Result<R, FormatError> {
    let mut record = R::default();
    let mut reader = Reader(bytes);
    record.fields(&mut reader).map_err(|kind| kind.at(offset))?;
    Ok(record)
}

/// Writes a record.
pub fn encode<const LEN: usize, R: Record<LEN>>(record: &R) -> Result<[u8; LEN], FormatErrorKind> {
    let mut bytes = [0; LEN];
    let mut copy = *record;
    copy.fields(&mut Writer(&mut bytes))?;
    Ok(bytes)
}

/// Bounds-checked little-endian reads at any offset of a section, for the tables whose length is
/// not known at compile time. Out of bounds reads as `None`.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|raw| u32::from_le_bytes(*raw))
}

/// As [`u32_at`], for 16 bits.
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|raw| u16::from_le_bytes(*raw))
}
