//! Options that several commands share.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use acorn_core::KvKind;

use crate::error::Error;

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
