//! What can go wrong in the tool, each with the file it is about and the way out.

use std::io;
use std::path::{Path, PathBuf};

use acorn_core::error::{EngineError, FormatError, OpenError, ReadError};

use crate::hf::tokenizer::TokenizerError;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An `.acorn` file is not valid.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong, and at which byte.
        source: FormatError,
    },
    /// A configuration has a field that cannot be, or whose maths this release does not know.
    #[error("{}: field \"{field}\": {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The field, with the objects it lies in: `rope_scaling.factor`.
        field: String,
        /// What was expected and found.
        problem: String,
    },
    /// A tensor is missing, unknown, of the wrong shape or type, or holds bad numbers.
    #[error("{}: tensor \"{tensor}\": {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name there.
        tensor: String,
        /// What was expected and found.
        problem: String,
    },
    /// A tokenizer cannot be converted.
    #[error("{}: {source}", path.display())]
    Tokenizer {
        /// The folder.
        path: PathBuf,
        /// The file in it, and what was expected and found.
        source: TokenizerError,
    },
    /// Any other input that cannot be used.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and found.
        problem: String,
    },
    /// An option's value that cannot be.
    #[error("{problem} (see --help)")]
    Usage {
        /// What was expected and found.
        problem: String,
    },
    /// The operating system refused to read or write.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the tool wanted to do with it.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The disk is full, or a quota is.
    #[error(
        "{}: no space left: the file needs {needed} bytes on that disk (free some, or choose another place with -o)",
        path.display()
    )]
    NoSpace {
        /// The file that was to be written.
        path: PathBuf,
        /// Its whole length in bytes.
        needed: u64,
    },
    /// The tool is at fault.
    #[error("{}: {problem} (this is a fault of acorn: please report it)", path.display())]
    Internal {
        /// The file under work.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
}

impl Error {
    /// The exit status for scripts: 3 for bad input, 4 for I/O or a full disk, 1 for our own fault.
    /// (0 is success, 2 is wrong usage, mostly found by the parser of the command line.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Model { .. } | Self::Config { .. } | Self::Tensor { .. } | Self::Input { .. } => {
                3
            }
            Self::Tokenizer { source, .. } => match source {
                TokenizerError::Io { .. } => 4,
                TokenizerError::Differs { .. } => 1,
                _ => 3,
            },
            Self::Usage { .. } => 2,
            Self::Io { .. } | Self::NoSpace { .. } => 4,
            Self::Internal { .. } => 1,
        }
    }

    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    pub(crate) fn input(path: &Path, problem: impl Into<String>) -> Self {
        Self::Input { path: path.to_owned(), problem: problem.into() }
    }

    /// An engine's refusal, or weights that it could not read.
    pub(crate) fn engine(path: &Path, error: EngineError) -> Self {
        match error {
            EngineError::Read(error) => Self::read(path, error),
            error => Self::input(path, error.to_string()),
        }
    }

    /// A model that cannot be opened without its matrices.
    pub(crate) fn open(path: &Path, error: OpenError) -> Self {
        match error {
            OpenError::Format(source) => Self::Model { path: path.to_owned(), source },
            OpenError::Read(error) => Self::read(path, error),
            error => Self::internal(path, error.to_string()),
        }
    }

    /// Bytes that could not be read; their code is [`crate::file_source`]'s.
    fn read(path: &Path, error: ReadError) -> Self {
        let source = match error.code {
            -1 => {
                let end = error.offset + error.len as u64;
                let problem = format!("the file ends before byte {end} (cut short meanwhile?)");
                io::Error::new(io::ErrorKind::UnexpectedEof, problem)
            }
            code => io::Error::from_raw_os_error(code),
        };
        Self::Io { path: path.to_owned(), doing: "read it", source }
    }

    pub(crate) fn tensor(path: &Path, tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { path: path.to_owned(), tensor: tensor.into(), problem: problem.into() }
    }

    pub(crate) fn internal(path: &Path, problem: impl Into<String>) -> Self {
        Self::Internal { path: path.to_owned(), problem: problem.into() }
    }
}
