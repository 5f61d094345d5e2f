//! Options that several commands share.

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
    /// The most memory, all told: a file that does not fit is streamed [default: no limit, the file is mapped]
    #[arg(long, value_name = "SIZE")]
    pub(super) max_memory: Option<Size>,
}

/// Weights of fewer bytes than this are read faster by one thread than several agree on who reads what.
const WORTH_THREADS: u64 = 8 << 20;

/// The default number of threads for a file of that length: all processors, or one for small models.
pub(super) fn threads_for(file_bytes: u64) -> u32 {
    if file_bytes < WORTH_THREADS {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |count| count.get().try_into().unwrap_or(1))
}

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
