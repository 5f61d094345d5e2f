//! Whatever can go wrong between the model's bytes and the answer.

use core::fmt;

use acorn_core::tokenizer::EncodeError;
use acorn_core::{EngineError, FormatError, OpenError, PlanError};

/// Why a firmware has no answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The model in flash is damaged.
    Model(FormatError),
    /// The model cannot be read from its memory, or is damaged there.
    Open(OpenError),
    /// The model does not allow the limits.
    Plan(PlanError),
    /// The arena is too small, or the context full.
    Engine(EngineError),
    /// The prompt does not fit the buffers.
    Encode(EncodeError),
    /// The model has no tokenizer, and the prompt is text.
    NoTokenizer,
    /// No prompt can be read, or it is not UTF-8, or longer than that many bytes.
    Prompt {
        /// The longest prompt, in bytes.
        most: usize,
    },
    /// No file that can be opened is named.
    NoFile,
    /// Bytes of the serial line were lost.
    Serial,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => write!(f, "model in flash: {error}"),
            Self::Open(error) => write!(f, "model: {error}"),
            Self::Plan(error) => write!(f, "plan: {error}"),
            Self::Engine(error) => write!(f, "engine: {error}"),
            Self::Encode(error) => write!(f, "prompt: {error}"),
            Self::NoTokenizer => f.write_str(
                "model in flash: has no tokenizer, but the prompt is text (convert a folder with a tokenizer.json)",
            ),
            Self::Prompt { most } => {
                write!(f, "prompt: expected at most {most} bytes of UTF-8")
            }
            Self::NoFile => f.write_str(
                "model: expected the path of an .acorn file as the first word of the command line",
            ),
            Self::Serial => f.write_str(
                "serial line: bytes were lost: send the prompt again (115200 baud, 8 bits, no parity)",
            ),
        }
    }
}

impl core::error::Error for Error {}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Model(error)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
