//! Errors: small, `Copy`, and each says what was expected, what was found, and where.

use core::fmt;

use crate::format::VERSION;
use crate::format::directory::Kind;
use crate::format::tensor_table::Role;

/// Why bytes are not a valid model, and where in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FormatError {
    /// What is wrong.
    pub kind: FormatErrorKind,
    /// The byte offset, from the start of the file, of the structure that is wrong.
    pub offset: u64,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// The file does not start with Acorn's magic number.
    NotAcorn,
    /// A version of the format that this release does not read.
    Version {
        /// The file's version.
        found: u16,
    },
    /// A stored checksum is not that of the bytes.
    Checksum {
        /// The checksum in the file.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// The file has another length than its header or directory says.
    FileLength {
        /// Length by the header or directory.
        expected: u64,
        /// Length of the bytes given, or by the header.
        found: u64,
    },
    /// A structure ends before its fields do, or a size does not fit the machine.
    Truncated,
    /// Bytes reserved for later versions are not zero.
    NonZeroReserved,
    /// Padding between sections, tensors or table parts is not zero.
    NonZeroPadding,
    /// A section of unknown kind.
    UnknownSection {
        /// The number that names no kind.
        id: u32,
    },
    /// A section comes twice or out of order.
    SectionOrder {
        /// The section that may not stand here.
        kind: Kind,
    },
    /// A section does not start where the one before ends.
    SectionPlace {
        /// The section.
        kind: Kind,
        /// Where it must start.
        expected: u64,
        /// Where the directory says it starts.
        found: u64,
    },
    /// A section that every model needs is not there.
    MissingSection {
        /// The section.
        kind: Kind,
    },
    /// A section is shorter or longer than its content.
    SectionLength {
        /// The section.
        kind: Kind,
        /// The length of its content.
        expected: u64,
        /// Its length by the directory.
        found: u64,
    },
    /// A field holds a value that it must not have.
    Field {
        /// The field.
        name: &'static str,
        /// Its value.
        found: u64,
        /// What it must be.
        expected: &'static str,
    },
    /// A tensor table entry differs from what the recipe asks for.
    Tensor {
        /// The tensor that the recipe asks for here.
        role: Role,
        /// Its layer, or 0.
        layer: u32,
        /// The entry's field that differs.
        field: &'static str,
        /// Its value by the recipe.
        expected: u64,
        /// Its value in the file.
        found: u64,
    },
    /// Text that is not UTF-8.
    NotUtf8 {
        /// The section.
        kind: Kind,
    },
    /// A scale or weight that is not a finite number, or a negative scale (found by `verify`).
    BadNumber {
        /// The tensor.
        role: Role,
        /// Its layer, or 0.
        layer: u32,
        /// The row, for a scale; the index, for a vector.
        row: u32,
    },
    /// Bytes to be verified are not in memory: the model was opened without them.
    NotInMemory {
        /// Their section.
        kind: Kind,
    },
    /// A matrix in f32, which this build of the core computes nothing with: it lacks the feature `full`.
    NoFloat {
        /// The tensor.
        role: Role,
        /// Its layer, or 0.
        layer: u32,
    },
    /// A table entry of the tokenizer that cannot be (found by `verify`).
    TokenizerEntry {
        /// The table.
        table: &'static str,
        /// The entry's index.
        index: u32,
    },
}

impl FormatErrorKind {
    /// The error at that byte offset of the file.
    pub fn at(self, offset: u64) -> FormatError {
        FormatError { kind: self, offset }
    }
}

impl fmt::Display for FormatErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotAcorn => f.write_str(
                "not an Acorn model: expected the bytes \"\\x89ACORN\\r\\n\" (convert a Hugging Face folder with `acorn convert`)",
            ),
            Self::Version { found } if found < VERSION => write!(
                f,
                "format version {found}, from before acorn 0.1, which reads version {VERSION}: convert the model again"
            ),
            Self::Version { found } => write!(
                f,
                "format version {found} is newer than this acorn, which reads version {VERSION}: take a newer acorn, or convert the model again"
            ),
            Self::Checksum { expected, found } => write!(
                f,
                "damaged: stored checksum {expected:08x}, but the bytes have {found:08x} (copy or convert the file again)"
            ),
            Self::FileLength { expected, found } => write!(
                f,
                "the file must have {expected} bytes but has {found} (an incomplete copy?)"
            ),
            Self::Truncated => f.write_str("a structure ends before its fields do"),
            Self::NonZeroReserved => f.write_str("reserved bytes are not zero"),
            Self::NonZeroPadding => f.write_str("padding bytes are not zero"),
            Self::UnknownSection { id } => write!(f, "a section of unknown kind {id}"),
            Self::SectionOrder { kind } => {
                write!(f, "section \"{}\" comes twice or out of order", kind.name())
            }
            Self::SectionPlace { kind, expected, found } => write!(
                f,
                "section \"{}\" must start at byte {expected} but is said to start at {found}",
                kind.name()
            ),
            Self::MissingSection { kind } => write!(f, "section \"{}\" is missing", kind.name()),
            Self::SectionLength { kind, expected, found } => write!(
                f,
                "section \"{}\" has {found} bytes but its content takes {expected}",
                kind.name()
            ),
            Self::Field { name, found, expected } => {
                write!(f, "field \"{name}\" is {found} but must be {expected}")
            }
            Self::Tensor { role, layer, field, expected, found } => write!(
                f,
                "tensor \"{}\" of layer {layer}: {field} is {found} but the recipe asks for {expected}",
                role.name()
            ),
            Self::NotUtf8 { kind } => write!(f, "section \"{}\" is not UTF-8 text", kind.name()),
            Self::BadNumber { role, layer, row } => write!(
                f,
                "tensor \"{}\" of layer {layer} has a bad number in row {row}: not finite, or a negative scale",
                role.name()
            ),
            Self::NotInMemory { kind } => write!(
                f,
                "section \"{}\" is not in memory: verify the model through its source",
                kind.name()
            ),
            Self::NoFloat { role, layer } => write!(
                f,
                "tensor \"{}\" of layer {layer} is f32, but this program has no code for that: quantize the model, or build acorn-core with its feature `full`",
                role.name()
            ),
            Self::TokenizerEntry { table, index } => {
                write!(f, "the tokenizer's {table} table has a bad entry {index}")
            }
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl core::error::Error for FormatError {}

/// Bytes of a model that its source could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where they start in the file.
    pub offset: u64,
    /// How many.
    pub len: usize,
    /// The source's own number for why: [`crate::model::Fault`].
    pub code: i32,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, len, code } = self;
        write!(f, "cannot read {len} bytes of the model at byte {offset}: the source's code {code}")
    }
}

impl core::error::Error for ReadError {}

/// Why a model whose weights are not in memory cannot be opened or verified.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes are not a valid model.
    Format(FormatError),
    /// The bytes cannot be read.
    Read(ReadError),
    /// The caller's buffer has too few bytes.
    BufferTooSmall {
        /// Bytes needed.
        need: usize,
        /// Bytes given.
        have: usize,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::BufferTooSmall { need, have } => {
                write!(f, "the buffer has {have} bytes but the model needs {need}")
            }
        }
    }
}

impl core::error::Error for OpenError {}

impl From<FormatError> for OpenError {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Why there is no plan for a model and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// A context of no token, or longer than the model was made for.
    Context {
        /// The context asked for.
        found: u32,
        /// The model's.
        most: u32,
    },
    /// A limit that must be at least 1 is 0.
    Zero {
        /// The limit.
        name: &'static str,
    },
    /// A window that does not take one band of each matrix; or none, of a model that needs one.
    WindowTooSmall {
        /// The least window, in bytes.
        need: usize,
        /// The window asked for.
        have: usize,
    },
    /// A KV cache in floats, which this build of the core has no code for: it lacks the feature `full`.
    NoFloat {
        /// The kind asked for, or the model's default.
        kv: &'static str,
    },
    /// The bytes do not fit this machine's addresses.
    TooLarge,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Context { found, most } => {
                write!(f, "a context of {found} tokens, but this model takes 1 to {most}")
            }
            Self::WindowTooSmall { need, have } => write!(
                f,
                "a window of {have} bytes, but the largest band of this model's matrices takes {need} (twice that, to read ahead)"
            ),
            Self::NoFloat { kv } => write!(
                f,
                "a KV cache in {kv}, but this program has no code for that: take int8, or build acorn-core with its feature `full`"
            ),
            Self::Zero { name } => write!(f, "{name} is 0 but must be at least 1"),
            Self::TooLarge => f.write_str(
                "the memory needed does not fit this machine's addresses: ask for a smaller context or batch",
            ),
        }
    }
}

impl core::error::Error for PlanError {}

/// Why an engine refuses a call, or cannot go on. Its state is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The arena has fewer bytes than the plan says.
    ArenaTooSmall {
        /// Bytes planned.
        need: usize,
        /// Bytes given.
        have: usize,
    },
    /// The arena does not start at a multiple of `need` bytes.
    ArenaMisaligned {
        /// The alignment.
        need: usize,
    },
    /// The model's file does not lie at a multiple of `need` bytes, which this build of the core has no code for: it
    /// lacks the feature `full`.
    ModelMisaligned {
        /// The alignment.
        need: usize,
    },
    /// The plan was made for another model.
    OtherModel,
    /// The model's matrices are not in memory, and there is no source to read them from.
    NoSource,
    /// A source to read from, but no window planned to read into.
    NoWindow,
    /// The source could not read; the pass under way stands where it was.
    Read(ReadError),
    /// The tokens do not fit the context that is left.
    ContextFull {
        /// Positions in the KV cache.
        context: usize,
        /// Positions taken.
        position: usize,
        /// Tokens given.
        tokens: usize,
    },
    /// A token that the model does not know.
    TokenOutOfRange {
        /// The token.
        token: u32,
        /// Tokens are below this.
        vocab_size: u32,
    },
    /// More tokens than one pass takes.
    BatchTooLarge {
        /// Tokens per pass by the plan.
        batch: usize,
        /// Tokens given.
        tokens: usize,
    },
    /// No token given.
    NoTokens,
    /// A pass is under way: poll it to its end, or reset.
    Busy,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ArenaTooSmall { need, have } => {
                write!(f, "the arena has {have} bytes but the plan needs {need}")
            }
            Self::ArenaMisaligned { need } => {
                write!(f, "the arena must start at a multiple of {need} bytes")
            }
            Self::ModelMisaligned { need } => write!(
                f,
                "the model must lie at a multiple of {need} bytes: align it, or build acorn-core with its feature `full`"
            ),
            Self::NoSource => f.write_str(
                "the model's matrices are not in memory: give the engine their source (Engine::streaming)",
            ),
            Self::NoWindow => f.write_str("the plan has no window to read into: set Limits::window"),
            Self::Read(error) => error.fmt(f),
            Self::OtherModel => f.write_str("the plan was made for another model"),
            Self::ContextFull { context, position, tokens } => write!(
                f,
                "{tokens} more tokens do not fit: {position} of the context's {context} positions are taken"
            ),
            Self::TokenOutOfRange { token, vocab_size } => {
                write!(f, "token {token} is unknown: this model's tokens are below {vocab_size}")
            }
            Self::BatchTooLarge { batch, tokens } => {
                write!(f, "{tokens} tokens at once, but the plan's batch is {batch}")
            }
            Self::NoTokens => f.write_str("no token given"),
            Self::Busy => {
                f.write_str("a pass is under way: poll it to its end, or reset the engine")
            }
        }
    }
}

impl core::error::Error for EngineError {}
