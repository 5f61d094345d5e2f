//! The second gate: integrity and values, in O(bytes), in steps of any size.

use super::{Matrix, Model, Source, Vector};
use crate::error::{FormatError, FormatErrorKind, OpenError};
use crate::format::BAND_ROWS;
use crate::format::crc32c::Crc32c;
use crate::format::directory::Kind;

/// A check of a model that can be spread over time.
///
/// ```text
/// sections' checksums, in file order → tokenizer's tables → tensors' numbers, band by band
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    model: Model<'a>,
    /// Section under way, and the bytes of it that are done.
    section: usize,
    done: u64,
    crc: Crc32c,
    tokenizer_done: bool,
    /// Tensor under way, and its next band.
    tensor: usize,
    band: usize,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(model: Model<'a>) -> Self {
        Self {
            model,
            section: 0,
            done: 0,
            crc: Crc32c::default(),
            tokenizer_done: false,
            tensor: 0,
            band: 0,
        }
    }

    /// Checks about `budget` bytes more (at least one; at most the rest of a section or tensor; the
    /// tokenizer's tables in one go). Returns how many bytes it looked at: 0 when all is checked.
    ///
    /// # Errors
    /// [`FormatError`] names the damaged section or the bad number.
    pub fn step(&mut self, budget: usize) -> Result<usize, FormatError> {
        self.advance(&mut Reader(None), budget).map_err(|error| match error {
            OpenError::Format(error) => error,
            OpenError::Read(_) | OpenError::BufferTooSmall { .. } => missing(0),
        })
    }

    /// The same for a model that was opened: what is not in memory is read from `source` into `buffer`,
    /// which takes at least one band of each matrix. A step looks at no more than fits there.
    ///
    /// # Errors
    /// [`OpenError`]: as [`Verifier::step`]; or the source cannot be read (the step may be repeated), or the
    /// buffer is too small.
    pub fn step_through(
        &mut self,
        source: &mut dyn Source,
        buffer: &mut [u8],
        budget: usize,
    ) -> Result<usize, OpenError> {
        self.advance(&mut Reader(Some((source, buffer))), budget)
    }

    #[inline(never)]
    fn advance(&mut self, reader: &mut Reader<'_>, budget: usize) -> Result<usize, OpenError> {
        let budget = budget.max(1);
        if let Some(section) = self.model.sections().nth(self.section) {
            let left = usize::try_from(section.len.saturating_sub(self.done));
            let len = left.unwrap_or(usize::MAX).min(budget);
            let bytes = match section.bytes {
                [] if len > 0 => {
                    let len = len.min(reader.most(1)?);
                    reader.bytes(section.offset.saturating_add(self.done), len)?
                }
                bytes => {
                    let done = usize::try_from(self.done).unwrap_or(usize::MAX);
                    bytes.get(done..done.saturating_add(len)).unwrap_or_default()
                }
            };
            self.crc = self.crc.update(bytes);
            self.done = self.done.saturating_add(bytes.len() as u64);
            if self.done >= section.len {
                let found = self.crc.finish();
                if found != section.crc {
                    let expected = section.crc;
                    let error = FormatErrorKind::Checksum { expected, found };
                    return Err(error.at(section.offset).into());
                }
                (self.section, self.done, self.crc) = (self.section + 1, 0, Crc32c::default());
            }
            return Ok(bytes.len().max(1));
        }
        if !self.tokenizer_done {
            self.tokenizer_done = true;
            if let Some(tokenizer) = self.model.tokenizer() {
                let section = self.model.sections.section(Kind::Tokenizer);
                let offset = section.map_or(0, |section| section.offset);
                tokenizer.tables().verify().map_err(|kind| kind.at(offset))?;
            }
            return Ok(1);
        }
        self.step_tensor(reader, budget)
    }

    #[inline(never)]
    fn step_tensor(&mut self, reader: &mut Reader<'_>, budget: usize) -> Result<usize, OpenError> {
        let Some(tensor) = self.model.tensor_at(self.tensor) else { return Ok(0) };
        let offset = self.model.weights_offset;
        let bad = |row: usize| {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            FormatErrorKind::BadNumber { role: tensor.role, layer: tensor.layer, row }.at(offset)
        };
        if !tensor.encoding.is_matrix() {
            self.tensor += 1;
            let floats = tensor.encoding == crate::format::Encoding::Vector;
            let mut values = Vector::new(&tensor).floats();
            return match values.position(|value| floats && !value.is_finite()) {
                Some(index) => Err(bad(index).into()),
                None => Ok(tensor.bytes.len().max(1)),
            };
        }
        let matrix = Matrix::new(&tensor);
        let band_len = matrix.band_len().max(1);
        let left = matrix.bands().saturating_sub(self.band);
        let mut bands = (budget / band_len).max(1).min(left);
        let matrix = if tensor.bytes.is_empty() {
            bands = bands.min(reader.most(band_len)? / band_len);
            matrix.within(self.band, reader.bytes(matrix.offset_of(self.band), bands * band_len)?)
        } else {
            matrix
        };
        let end = self.band + bands;
        for band in self.band..end {
            if let Some(row) = matrix.band(band).bad_row() {
                return Err(bad(band * BAND_ROWS + row).into());
            }
        }
        self.band = end;
        if end >= matrix.bands() {
            (self.tensor, self.band) = (self.tensor + 1, 0);
        }
        Ok((bands * band_len).max(1))
    }
}

/// Reads what is not in memory into a buffer, if there is one to read from and into.
struct Reader<'s>(Option<(&'s mut dyn Source, &'s mut [u8])>);

impl Reader<'_> {
    /// How much can be read at once: at least `need` bytes.
    fn most(&self, need: usize) -> Result<usize, OpenError> {
        let Some((_, buffer)) = &self.0 else { return Ok(need) };
        let have = buffer.len();
        if have < need { Err(OpenError::BufferTooSmall { need, have }) } else { Ok(have) }
    }

    /// The `len` bytes of the file from `offset` on.
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], OpenError> {
        let Some((source, buffer)) = &mut self.0 else { return Err(missing(offset).into()) };
        let bytes = buffer.get_mut(..len).unwrap_or_default();
        source.read(offset, bytes).map_err(|fault| fault.at(offset, len))?;
        Ok(bytes)
    }
}

fn missing(offset: u64) -> FormatError {
    FormatErrorKind::NotInMemory { kind: Kind::Weights }.at(offset)
}
