//! Options that several commands share.

use std::str::FromStr;

use acorn_core::KvKind;

use crate::memory::budget::Placement;
use crate::memory::size::Size;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kv {
    /// 4 bytes each
    F32,
    /// 2 bytes each
    F16,
    /// 1 byte each, and 2 per head vector
    Int8,
}

impl From<Kv> for KvKind {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F32 => Self::F32,
            Kv::F16 => Self::F16,
            Kv::Int8 => Self::Int8,
        }
    }
}

/// How much memory a command may take.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Memory {
    /// The most memory, all told (200M, 1.5G): a file that does not fit is streamed [default: no limit, it is mapped]
    #[arg(long, value_name = "SIZE")]
    pub(super) max_memory: Option<Size>,
}

/// A number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// As many as decode fastest, up to all processors.
    Auto,
    /// So many.
    Count(u32),
}

impl FromStr for Threads {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(0) => Err("at least 1 thread is needed"),
            Ok(count) => Ok(Self::Count(count)),
            Err(_) if text == "auto" => Ok(Self::Auto),
            Err(_) => Err("expected a number of threads, or auto"),
        }
    }
}

impl Threads {
    /// The default for a file of that length.
    pub(super) fn for_file(bytes: u64) -> Self {
        if bytes < WORTH_THREADS { Self::Count(1) } else { Self::Auto }
    }

    /// The most threads that it may become.
    pub(super) fn most(self) -> u32 {
        let all = || std::thread::available_parallelism().map_or(1, |count| count.get());
        match self {
            Self::Auto => all().try_into().unwrap_or(1),
            Self::Count(count) => count,
        }
    }
}

/// Weights of fewer bytes than this are read faster by one thread than several agree on who reads what.
const WORTH_THREADS: u64 = 8 << 20;

/// A line more where the weights are streamed.
pub(super) fn weights(placement: Placement) -> String {
    match placement {
        Placement::InPlace => String::new(),
        Placement::Streamed { window_bytes, ahead_bytes, kept_bytes } => format!(
            "\nweights streamed: window {}, {} read ahead, {} kept",
            Size(window_bytes as u64),
            Size(ahead_bytes),
            Size(kept_bytes)
        ),
    }
}

/// Token ids separated by commas: `1,2,3`.
pub(super) fn tokens(text: &str) -> Result<Vec<u32>, String> {
    let token = |part: &str| {
        part.trim().parse().map_err(|_| format!("\"{part}\" is no token id: expected 1,2,3"))
    };
    text.split(',').map(token).collect()
}
