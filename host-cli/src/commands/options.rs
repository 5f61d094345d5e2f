//! Options that several commands share.

use acorn_core::KvKind;

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

/// Weights of fewer bytes than this are read faster by one thread than several agree on who reads what.
const WORTH_THREADS: u64 = 8 << 20;

/// The default number of threads for a file of that length: all processors, or one for small models.
pub(super) fn threads_for(file_bytes: u64) -> u32 {
    if file_bytes < WORTH_THREADS {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |count| count.get().try_into().unwrap_or(1))
}

/// Token ids separated by commas: `1,2,3`.
pub(super) fn tokens(text: &str) -> Result<Vec<u32>, String> {
    let token = |part: &str| {
        part.trim().parse().map_err(|_| format!("\"{part}\" is no token id: expected 1,2,3"))
    };
    text.split(',').map(token).collect()
}
