//! Why a tokenizer cannot be converted.

use std::fmt;
use std::path::PathBuf;

use acorn_core::error::FormatErrorKind;
use acorn_core::tokenizer::EncodeError;

/// A field of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name in the folder.
    pub file: &'static str,
    /// The field, with the objects it lies in: `model.merges[7]`.
    pub field: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.field)
    }
}

impl Place {
    /// The file says something that cannot be.
    pub(super) fn invalid(
        &self,
        expected: impl Into<String>,
        found: impl fmt::Display,
    ) -> TokenizerError {
        let found = found.to_string();
        TokenizerError::Invalid { place: self.clone(), expected: expected.into(), found }
    }

    /// The file asks for something that this release does not know.
    pub(super) fn unknown(
        &self,
        known: impl Into<String>,
        found: impl fmt::Display,
    ) -> TokenizerError {
        let found = found.to_string();
        TokenizerError::Unknown { place: self.clone(), known: known.into(), found }
    }
}

/// Why a tokenizer cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is not JSON, or not of the form expected.
    #[error("{place}: {source} (download the file again, or save it with a current `tokenizers`)")]
    Json {
        /// The file, and the object that was being read.
        place: Place,
        /// The first thing that is wrong.
        source: serde_json::Error,
    },
    /// A file says something that cannot be.
    #[error("{place}: expected {expected}, found {found} (the file is damaged: download it again)")]
    Invalid {
        /// Where.
        place: Place,
        /// What was expected.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A file asks for something that this release does not know. It is refused rather than
    /// ignored, as the model would see other tokens than it was trained on.
    #[error("{place}: {found} is not supported: this release knows {known}")]
    Unknown {
        /// Where.
        place: Place,
        /// What this release knows there.
        known: String,
        /// What stands there.
        found: String,
    },
    /// The tables are too large for the format.
    #[error("tokenizer.json: does not fit the format: {kind}")]
    TooLarge {
        /// What does not fit.
        kind: FormatErrorKind,
    },
    /// The `tokenizers` crate does not read the file, so that there is nothing to compare with.
    #[error("tokenizer.json: Hugging Face's `tokenizers` refuses it: {reason}")]
    Reference {
        /// Its reason.
        reason: String,
    },
    /// A text was not encoded in the self-test.
    #[error("self-test: text {text:?} is not encoded: {source}")]
    Encode {
        /// The text.
        text: String,
        /// Why.
        source: EncodeError,
    },
    /// The self-test found a difference. This is a fault of this program.
    #[error(
        "self-test: {what} of {input} gives {found}, but Hugging Face's `tokenizers` gives {expected}: this is a bug, please report it with the tokenizer.json"
    )]
    Differs {
        /// What was compared: "encoding", "decoding".
        what: &'static str,
        /// The text or tokens.
        input: String,
        /// By `tokenizers`.
        expected: String,
        /// By this program.
        found: String,
    },
}
