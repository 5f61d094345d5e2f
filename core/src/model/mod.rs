//! [`Model`]: a zero-copy proof that bytes are a valid model.
//!
//! [`Model::parse`] checks the structure in O(tensors). After it every accessor is total: it gives
//! what the recipe promises and can neither fail nor panic (invariant I2). What is not structure,
//! the bytes' integrity and the numbers' values, is checked by [`Model::verify`] in O(bytes).
//!
//! Where the file cannot be addressed, [`Model::open`] reads all but the matrices from a [`Source`].

mod open;
mod source;
mod tensor;
mod verify;

pub use source::{Fault, Source};
pub use tensor::{Matrix, Vector};
pub use verify::Verifier;

use crate::error::{FormatError, FormatErrorKind, OpenError};
use crate::format::directory::{Kind, Resident, Section, Sections};
use crate::format::encoding::{Encoding, Float};
use crate::format::header::Header;
use crate::format::recipe::{self, Recipe};
use crate::format::tensor_table::{self, Role};
use crate::format::tokenizer::Tables;
use crate::format::{size, wire};
use crate::tokenizer::Tokenizer;

/// A parsed model, borrowing the bytes of its file.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    recipe: Recipe,
    sections: Sections<'a>,
    entries: &'a [[u8; tensor_table::ENTRY_LEN]],
    places: tensor_table::Places,
    weights: Weights<'a>,
    /// Where the weights start in the file.
    weights_offset: u64,
    quantized: bool,
    tokenizer: Option<Tokenizer<'a>>,
    chat_template: Option<&'a str>,
    metadata: &'a str,
}

/// The weights section.
#[derive(Clone, Copy, Debug)]
enum Weights<'a> {
    /// All of it in memory.
    InPlace(&'a [u8]),
    /// Only its vectors, and per tensor where its bytes start there: a u32.
    Elsewhere { vectors: &'a [u8], starts: &'a [u8] },
}

/// Bytes of one of these starts.
const START_LEN: usize = 4;

/// A tensor of a model: where it belongs, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// What it is for.
    pub role: Role,
    /// Its layer; 0 for tensors of no layer.
    pub layer: u32,
    /// How its numbers are stored.
    pub encoding: Encoding,
    /// Rows.
    pub rows: u32,
    /// Columns, without padding.
    pub cols: u32,
    /// Where it starts in the file.
    pub offset: u64,
    /// Its length in the file.
    pub len: u64,
    /// Its bytes; none of a matrix that is not in memory.
    pub bytes: &'a [u8],
}

impl<'a> Model<'a> {
    /// Checks that `file` is a whole, valid model. O(tensors), reads no weight.
    ///
    /// # Errors
    /// [`FormatError`] names the first thing that is wrong, and its byte offset.
    pub fn parse(file: &'a [u8]) -> Result<Self, FormatError> {
        let header = Header::parse(file, u64::try_from(file.len()).ok())?;
        Self::structure(Sections::parse(&Resident::whole(file), &header)?)
    }

    /// Checks what the sections hold; padding between tensors, where these are in memory.
    #[inline(never)]
    fn structure(sections: Sections<'a>) -> Result<Self, FormatError> {
        let recipe = parse_recipe(sections.required(Kind::Recipe)?)?;
        let weights = sections.required(Kind::Weights)?;
        let table = sections.required(Kind::Tensors)?;
        let (entries, quantized) = parse_tensors(&recipe, table, weights)?;

        let tokenizer = match sections.section(Kind::Tokenizer) {
            None => None,
            Some(section) => {
                let tables = Tables::parse(section.bytes, section.offset, recipe.vocab_size)?;
                Some(Tokenizer::new(tables))
            }
        };
        let text = |kind| match sections.section(kind) {
            None => Ok(None),
            Some(section) => core::str::from_utf8(section.bytes)
                .map(Some)
                .map_err(|_| FormatErrorKind::NotUtf8 { kind }.at(section.offset)),
        };
        Ok(Self {
            recipe,
            sections,
            entries,
            places: tensor_table::Places::new(&recipe),
            weights: Weights::InPlace(weights.bytes),
            weights_offset: weights.offset,
            quantized,
            tokenizer,
            chat_template: text(Kind::ChatTemplate)?,
            metadata: text(Kind::Metadata)?.unwrap_or("{}"),
        })
    }

    /// Starts the check of checksums and values; see [`Verifier`].
    pub fn verifier(&self) -> Verifier<'a> {
        Verifier::new(*self)
    }

    /// Checks every section's checksum and every number of the tensors. O(bytes).
    ///
    /// # Errors
    /// [`FormatError`] names the first damaged section or bad number.
    pub fn verify(&self) -> Result<(), FormatError> {
        let mut verifier = self.verifier();
        while verifier.step(usize::MAX)? > 0 {}
        Ok(())
    }

    /// The same for a model that was [opened](Model::open), its matrices read from `source` into `buffer`; see
    /// [`Verifier::step_through`].
    ///
    /// # Errors
    /// [`OpenError`]: as [`Model::verify`]; or the source cannot be read, or the buffer is too small.
    pub fn verify_through(
        &self,
        source: &mut dyn Source,
        buffer: &mut [u8],
    ) -> Result<(), OpenError> {
        let mut verifier = self.verifier();
        while verifier.step_through(source, buffer, usize::MAX)? > 0 {}
        Ok(())
    }

    /// Whether its matrices are in memory, to be read in place.
    pub fn is_in_place(&self) -> bool {
        matches!(self.weights, Weights::InPlace(_))
    }

    /// Whether its matrices, if they are in memory, lie at multiples of `alignment`, which divides the file's.
    pub(crate) fn is_at_multiple_of(&self, alignment: usize) -> bool {
        match self.weights {
            Weights::InPlace(weights) => weights.as_ptr().addr().is_multiple_of(alignment),
            Weights::Elsewhere { .. } => true,
        }
    }

    /// The architecture.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Whether any matrix is quantized, so that activations must be too.
    pub fn is_quantized(&self) -> bool {
        self.quantized
    }

    /// The tokenizer, if the file has one.
    pub fn tokenizer(&self) -> Option<Tokenizer<'a>> {
        self.tokenizer
    }

    /// The chat template (Jinja), if the file has one.
    pub fn chat_template(&self) -> Option<&'a str> {
        self.chat_template
    }

    /// Facts for people, as a JSON object.
    pub fn metadata(&self) -> &'a str {
        self.metadata
    }

    /// The file's sections, in order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'a>> + '_ {
        self.sections.iter()
    }

    /// All tensors, in file order.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'a>> + '_ {
        let tensors = tensor_table::expected(&self.recipe).zip(self.entries).enumerate();
        tensors.map(|(place, ((role, layer), raw))| self.tensor_of(place, role, layer, raw))
    }

    /// The tensor at that place of the file's order. O(roles).
    fn tensor_at(&self, place: usize) -> Option<Tensor<'a>> {
        let (role, layer) = tensor_table::at(&self.recipe, place)?;
        Some(self.tensor_of(place, role, layer, self.entries.get(place)?))
    }

    /// Token embedding [vocab_size, hidden].
    pub fn embedding(&self) -> Matrix<'a> {
        self.matrix(Role::Embedding, 0)
    }

    /// Position embedding [context, hidden]; empty unless positions are learned.
    pub fn position_embedding(&self) -> Matrix<'a> {
        self.matrix(Role::PositionEmbedding, 0)
    }

    /// Angle per position of each rotated pair, in turns / 2³² [rotary_dims / 2]; empty unless
    /// positions are rotary.
    pub fn rotary(&self) -> Vector<'a> {
        self.vector(Role::Rotary, 0)
    }

    /// Output projection [vocab_size, hidden]: the embedding, where that is tied.
    pub fn head(&self) -> Matrix<'a> {
        self.matrix(if self.recipe.tied_head { Role::Embedding } else { Role::Head }, 0)
    }

    /// A matrix of a layer below `recipe().layers`, by role; for other layers or roles an empty one.
    pub fn matrix(&self, role: Role, layer: u32) -> Matrix<'a> {
        Matrix::new(&self.tensor(role, layer))
    }

    /// A vector of a layer below `recipe().layers`, by role; for other layers or roles an empty one.
    pub fn vector(&self, role: Role, layer: u32) -> Vector<'a> {
        Vector::new(&self.tensor(role, layer))
    }

    /// The bias beside a projection or a norm's gain; `None` where the recipe has none.
    pub fn bias(&self, role: Role, layer: u32) -> Option<Vector<'a>> {
        let bias = role.bias().filter(|bias| bias.is_in(&self.recipe))?;
        Some(self.vector(bias, layer))
    }

    fn tensor(&self, role: Role, layer: u32) -> Tensor<'a> {
        let place = self.places.of(role, layer).unwrap_or(usize::MAX);
        let raw = self.entries.get(place).unwrap_or(&[0; tensor_table::ENTRY_LEN]);
        self.tensor_of(place, role, layer, raw)
    }

    /// The tensor of that entry, the one at `place`.
    fn tensor_of(
        &self,
        place: usize,
        role: Role,
        layer: u32,
        raw: &[u8; tensor_table::ENTRY_LEN],
    ) -> Tensor<'a> {
        let entry: tensor_table::Entry = wire::decode(raw, 0).unwrap_or_default();
        let encoding = Encoding::from_id(entry.encoding).unwrap_or(Encoding::F32);
        let bytes = match self.weights {
            Weights::InPlace(weights) => part(weights, entry.offset, entry.len),
            Weights::Elsewhere { .. } if encoding.is_matrix() => None,
            Weights::Elsewhere { vectors, starts } => {
                wire::u32_at(starts, place.saturating_mul(START_LEN))
                    .and_then(|start| part(vectors, start.into(), entry.len))
            }
        };
        Tensor {
            role,
            layer,
            encoding,
            rows: entry.rows,
            cols: entry.cols,
            offset: self.weights_offset.saturating_add(entry.offset),
            len: entry.len,
            bytes: bytes.unwrap_or_default(),
        }
    }
}

/// The `len` bytes from `offset` on.
fn part(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let end = size::sum(&[offset, len])?;
    bytes.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}

#[inline(never)]
fn parse_recipe(section: Section<'_>) -> Result<Recipe, FormatError> {
    let found = section.len;
    let raw: &[u8; recipe::LEN] = section.bytes.try_into().map_err(|_| {
        FormatErrorKind::SectionLength { kind: Kind::Recipe, expected: 64, found }
            .at(section.offset)
    })?;
    let recipe: Recipe = wire::decode(raw, section.offset)?;
    recipe.check().map_err(|kind| kind.at(section.offset))?;
    Ok(recipe)
}

/// The tensor table's entries, each checked against the recipe; and whether any is quantized.
#[inline(never)]
fn parse_tensors<'a>(
    recipe: &Recipe,
    table: Section<'a>,
    weights: Section<'a>,
) -> Result<(&'a [[u8; tensor_table::ENTRY_LEN]], bool), FormatError> {
    let (entries, tail) = table.bytes.as_chunks::<{ tensor_table::ENTRY_LEN }>();
    let count = tensor_table::expected(recipe).count();
    if entries.len() != count || !tail.is_empty() {
        let len = |entries: usize| u64::try_from(entries).unwrap_or(u64::MAX);
        let expected = len(count).saturating_mul(32);
        let (kind, found) = (Kind::Tensors, len(table.bytes.len()));
        return Err(FormatErrorKind::SectionLength { kind, expected, found }.at(table.offset));
    }
    let mut quantized = false;
    let mut end = 0;
    let places = (0u64..).map(|index| table.offset.saturating_add(index.saturating_mul(32)));
    for ((raw, (role, layer)), place) in
        entries.iter().zip(tensor_table::expected(recipe)).zip(places)
    {
        let found: tensor_table::Entry = wire::decode(raw, place)?;
        let offset = size::align(end).ok_or(FormatErrorKind::Truncated.at(place))?;
        let encoding = Encoding::from_id(found.encoding).filter(|encoding| {
            role.vector_encoding().map_or(encoding.is_matrix(), |only| only == *encoding)
        });
        let differs = |field, expected: u64, found: u64| {
            FormatErrorKind::Tensor { role, layer, field, expected, found }.at(place)
        };
        let encoding = encoding.ok_or_else(|| {
            let expected = role.vector_encoding().unwrap_or(Encoding::F32);
            differs("encoding", expected.id().into(), found.encoding.into())
        })?;
        let expected = tensor_table::Entry::new(role, layer, recipe, encoding, offset)
            .ok_or(FormatErrorKind::Truncated.at(place))?;
        for (field, expected, found) in [
            ("role", expected.role.into(), found.role.into()),
            ("layer", expected.layer.into(), found.layer.into()),
            ("rows", expected.rows.into(), found.rows.into()),
            ("columns", expected.cols.into(), found.cols.into()),
            ("offset", expected.offset, found.offset),
            ("length", expected.len, found.len),
        ] {
            if expected != found {
                return Err(differs(field, expected, found));
            }
        }
        // Padding that is not in memory is checked where it is read.
        if !weights.bytes.is_empty() {
            let padding = part(weights.bytes, end, offset.saturating_sub(end));
            check_padding(
                padding.ok_or(FormatErrorKind::Truncated.at(place))?,
                weights.offset,
                end,
            )?;
        }
        if encoding == Encoding::F32 && Float::THERE.is_none() {
            return Err(FormatErrorKind::NoFloat { role, layer }.at(place));
        }
        quantized |= matches!(encoding, Encoding::Q8 | Encoding::Q4);
        end = size::sum(&[offset, found.len]).ok_or(FormatErrorKind::Truncated.at(place))?;
    }
    let found = weights.len;
    if end != found {
        let kind = Kind::Weights;
        return Err(
            FormatErrorKind::SectionLength { kind, expected: end, found }.at(weights.offset)
        );
    }
    Ok((entries, quantized))
}

/// The bytes between two tensors, `from` of the weights on, are zero.
fn check_padding(padding: &[u8], weights: u64, from: u64) -> Result<(), FormatError> {
    match padding.iter().all(|&byte| byte == 0) {
        true => Ok(()),
        false => Err(FormatErrorKind::NonZeroPadding.at(weights.saturating_add(from))),
    }
}
