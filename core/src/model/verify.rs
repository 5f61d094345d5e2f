//! The second gate: integrity and values, in O(bytes), in steps of any size.

use super::{Matrix, Model, Vector};
use crate::error::{FormatError, FormatErrorKind};
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
    /// Section under way, and what is left of it.
    section: usize,
    rest: Option<&'a [u8]>,
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
            rest: None,
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
        let budget = budget.max(1);
        if let Some(section) = self.model.sections().nth(self.section) {
            let rest = self.rest.unwrap_or(section.bytes);
            let (now, rest) = rest.split_at_checked(budget).unwrap_or((rest, &[]));
            self.crc = self.crc.update(now);
            self.rest = Some(rest);
            if rest.is_empty() {
                let found = self.crc.finish();
                if found != section.crc {
                    let expected = section.crc;
                    return Err(FormatErrorKind::Checksum { expected, found }.at(section.offset));
                }
                (self.section, self.rest, self.crc) = (self.section + 1, None, Crc32c::default());
            }
            return Ok(now.len().max(1));
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
        self.step_tensor(budget)
    }

    fn step_tensor(&mut self, budget: usize) -> Result<usize, FormatError> {
        let Some(tensor) = self.model.tensor_at(self.tensor) else { return Ok(0) };
        let weights = self.model.sections.section(Kind::Weights);
        let offset = weights.map_or(0, |section| section.offset);
        let bad = |row: usize| {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            FormatErrorKind::BadNumber { role: tensor.role, layer: tensor.layer, row }.at(offset)
        };
        if !tensor.encoding.is_matrix() {
            self.tensor += 1;
            let floats = tensor.encoding == crate::format::Encoding::Vector;
            let mut values = Vector::new(&tensor).floats();
            return match values.position(|value| floats && !value.is_finite()) {
                Some(index) => Err(bad(index)),
                None => Ok(tensor.bytes.len().max(1)),
            };
        }
        let matrix = Matrix::new(&tensor);
        let band_len = (tensor.bytes.len() / matrix.bands().max(1)).max(1);
        let bands = (budget / band_len).max(1);
        let end = self.band.saturating_add(bands).min(matrix.bands());
        for band in self.band..end {
            if let Some(row) = matrix.band(band).bad_row() {
                return Err(bad(band * crate::format::BAND_ROWS + row));
            }
        }
        let looked_at = (end - self.band) * band_len;
        self.band = end;
        if end == matrix.bands() {
            (self.tensor, self.band) = (self.tensor + 1, 0);
        }
        Ok(looked_at.max(1))
    }
}
