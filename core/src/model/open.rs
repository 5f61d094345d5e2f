//! A model whose matrices are not in memory: all the rest of its file is, in a buffer of the caller.
//!
//! ```text
//! file:      header … tensors | weights: vector, matrix, matrix, vector, … | tokenizer … metadata
//! resident:  header … tensors | tokenizer … metadata | a u32 per tensor | vector, vector, …
//! ```
//!
//! The u32 says where a vector starts among the vectors.

use super::{Model, START_LEN, Source, Weights, check_padding, parse_recipe};
use crate::error::{FormatError, FormatErrorKind, OpenError};
use crate::format::directory::{self, Kind, Resident, Section, Sections};
use crate::format::header::{self, Header};
use crate::format::{ALIGNMENT, recipe, tensor_table};

/// Bytes at the start of a file that have header, directory and recipe, whatever sections there are.
const START: usize = header::LEN + directory::ENTRY_LEN * Kind::ALL.len() + recipe::LEN;

impl<'a> Model<'a> {
    /// Bytes of the buffer that [`Model::open`] needs for the model in `source`: its whole file but for the
    /// matrices. Reads the file's first bytes.
    ///
    /// # Errors
    /// They cannot be read, or are not those of a model.
    pub fn resident_bytes(source: &mut dyn Source) -> Result<usize, OpenError> {
        Ok(Outline::read(source)?.resident)
    }

    /// Opens the model in `source` without its matrices: reads all the rest of the file into `resident`, of
    /// at least [`Model::resident_bytes`], and checks what [`Model::parse`] checks. O(tensors) reads. The
    /// source may have more bytes than the file.
    ///
    /// Such a model runs with [`crate::Engine::streaming`] and is verified by [`Model::verify_through`]; its
    /// matrices have no bands in memory.
    ///
    /// # Errors
    /// [`OpenError`]: the buffer is too small, the source cannot be read, or the bytes are not a model.
    pub fn open(source: &mut dyn Source, resident: &'a mut [u8]) -> Result<Self, OpenError> {
        let outline = Outline::read(source)?;
        let small = OpenError::BufferTooSmall { need: outline.resident, have: resident.len() };
        let (start, rest) = resident.split_at_mut_checked(outline.start).ok_or(small)?;
        let (end, rest) = rest.split_at_mut_checked(outline.end).ok_or(small)?;
        let (starts, rest) = rest.split_at_mut_checked(outline.starts).ok_or(small)?;
        let vectors = rest.get_mut(..outline.vectors).ok_or(small)?;
        read(source, 0, start)?;
        read(source, outline.weights_end, end)?;

        let file = Resident::around(start, outline.weights_end, end);
        let header = Header::parse(start, None)?;
        let mut model = Self::structure(Sections::parse(&file, &header)?)?;
        model.load_vectors(source, starts, vectors)?;
        model.weights = Weights::Elsewhere { vectors, starts };
        Ok(model)
    }

    /// Reads the vectors, one behind the other, and the padding between tensors, which must be zero.
    fn load_vectors(
        &self,
        source: &mut dyn Source,
        starts: &mut [u8],
        vectors: &mut [u8],
    ) -> Result<(), OpenError> {
        let slots = starts.as_chunks_mut::<START_LEN>().0;
        if slots.len() != self.entries.len() {
            return Err(FormatErrorKind::Truncated.at(self.weights_offset).into());
        }
        let (mut rest, mut start) = (vectors, 0u32);
        let mut cursor = self.weights_offset;
        for (tensor, slot) in self.tensors().zip(slots) {
            *slot = start.to_le_bytes();
            let mut padding = [0; ALIGNMENT as usize];
            let len = usize::try_from(tensor.offset.saturating_sub(cursor)).unwrap_or(usize::MAX);
            let padding = padding.get_mut(..len).unwrap_or_default();
            read(source, cursor, padding)?;
            check_padding(padding, cursor, 0)?;
            if !tensor.encoding.is_matrix() {
                let len = usize::try_from(tensor.len).unwrap_or(usize::MAX);
                let split = core::mem::take(&mut rest).split_at_mut_checked(len);
                let (vector, behind) = split.ok_or(FormatErrorKind::Truncated.at(tensor.offset))?;
                read(source, tensor.offset, vector)?;
                rest = behind;
                start = start.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
            }
            cursor = tensor.offset.saturating_add(tensor.len);
        }
        Ok(())
    }
}

/// Fills `into`; a read of no byte is none.
fn read(source: &mut dyn Source, offset: u64, into: &mut [u8]) -> Result<(), OpenError> {
    let len = into.len();
    if len == 0 {
        return Ok(());
    }
    source.read(offset, into).map_err(|fault| fault.at(offset, len).into())
}

/// What of a file goes where in the resident buffer, in bytes.
struct Outline {
    start: usize,
    end: usize,
    starts: usize,
    vectors: usize,
    resident: usize,
    /// Where the weights end in the file.
    weights_end: u64,
}

impl Outline {
    fn read(source: &mut dyn Source) -> Result<Self, OpenError> {
        let mut start = [0; START];
        read(source, 0, &mut start)?;
        let header = Header::parse(&start, None)?;
        let sections = Sections::places(&start, &header)?;
        let section = sections.required(Kind::Recipe)?;
        let index = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let range = index(section.offset)..index(section.offset.saturating_add(section.len));
        let bytes = start.get(range).unwrap_or_default();
        let recipe = parse_recipe(Section { bytes, ..section })?;
        let weights = sections.required(Kind::Weights)?;
        let weights_end = weights.offset.saturating_add(weights.len);
        let outline = || {
            let start = usize::try_from(weights.offset).ok()?;
            let end = usize::try_from(header.file_len.checked_sub(weights_end)?).ok()?;
            let (mut starts, mut vectors) = (0usize, 0usize);
            for (role, _) in tensor_table::expected(&recipe) {
                starts = starts.checked_add(START_LEN)?;
                if let Some(encoding) = role.vector_encoding() {
                    let (rows, cols) = role.shape(&recipe);
                    let len = encoding.tensor_len(rows, cols)?;
                    vectors = vectors.checked_add(usize::try_from(len).ok()?)?;
                }
            }
            let resident = start.checked_add(end)?.checked_add(starts)?.checked_add(vectors)?;
            Some(Self { start, end, starts, vectors, resident, weights_end })
        };
        let too_large: FormatError = FormatErrorKind::Truncated.at(weights.offset);
        outline().ok_or(too_large.into())
    }
}
