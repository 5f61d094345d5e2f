//! Options that several commands share.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use acorn_core::KvKind;

use crate::error::Error;
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

/// What a prompt says that it is read from standard input.
const STDIN: &str = "-";

/// The longest prompt that is read from there, in bytes: whoever writes it may be a stranger.
const MOST_STDIN: usize = 1 << 20;

/// The text of `--prompt`: itself, or for `-` all of standard input without the end of its last line.
///
/// # Errors
/// The input cannot be read, is longer than 1 MiB, or not UTF-8.
pub(super) fn prompt(text: &str) -> Result<Cow<'_, str>, Error> {
    if text == STDIN { read_prompt(io::stdin().lock()).map(Cow::Owned) } else { Ok(text.into()) }
}

fn read_prompt(input: impl Read) -> Result<String, Error> {
    let path = Path::new("standard input");
    let mut bytes = Vec::new();
    let read = input.take(MOST_STDIN as u64 + 1).read_to_end(&mut bytes);
    read.map_err(Error::io(path, "read the prompt from it"))?;
    if bytes.len() > MOST_STDIN {
        let problem = format!("expected a prompt of at most {MOST_STDIN} bytes, found more");
        return Err(Error::input(path, problem));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(path, format!("expected a prompt in UTF-8, found other bytes at {at}"))
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Token ids separated by commas: `1,2,3`.
pub(super) fn tokens(text: &str) -> Result<Vec<u32>, String> {
    let token = |part: &str| {
        part.trim().parse().map_err(|_| format!("\"{part}\" is no token id: expected 1,2,3"))
    };
    text.split(',').map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_ends_before_the_end_of_its_last_line() {
        for (input, prompt) in
            [("", ""), ("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("\ra", "\ra")]
        {
            assert_eq!(read_prompt(input.as_bytes()).expect("a prompt"), prompt);
        }
    }

    #[test]
    fn prompts_of_strangers_are_bounded() {
        assert!(read_prompt(&vec![b'a'; MOST_STDIN][..]).is_ok());
        // It ends by itself, however much there is.
        let error = read_prompt(io::repeat(b'a')).expect_err("too long").to_string();
        assert!(error.contains("at most 1048576 bytes"), "{error}");
        let error = read_prompt(&b"caf\xe9"[..]).expect_err("Latin-1").to_string();
        assert!(error.contains("standard input") && error.contains("at 3"), "{error}");
    }
}
