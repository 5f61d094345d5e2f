//! Prompts from the emulator's command line, or else line by line from its standard input.

use acorn_firmware::Error;
use semihosting::eprint;
use semihosting::experimental::env::args;
use semihosting::io::{Read, stdin};

/// The longest prompt, in bytes.
pub const PROMPT_BYTES: usize = 256;

const TOO_LONG: Error = Error::Prompt { most: PROMPT_BYTES };

/// Where prompts come from.
#[derive(Debug)]
pub struct Prompts {
    line: [u8; PROMPT_BYTES],
    /// Whether the command line is still to be looked at.
    first: bool,
    /// Whether there are no more.
    done: bool,
}

impl Default for Prompts {
    fn default() -> Self {
        Self { line: [0; PROMPT_BYTES], first: true, done: false }
    }
}

impl Prompts {
    /// The next prompt: the words of the command line, if there are any, else the next line of the
    /// standard input that is not empty; `None` at its end.
    ///
    /// # Errors
    /// It is longer than [`PROMPT_BYTES`], or not UTF-8.
    pub fn read(&mut self) -> Result<Option<&str>, Error> {
        let mut len = 0;
        if core::mem::take(&mut self.first) {
            len = self.arguments()?;
            self.done = len > 0;
        } else if self.done {
            return Ok(None);
        }
        while len == 0 && !self.done {
            len = self.read_line()?;
        }
        match self.line.get(..len) {
            None | Some([]) => Ok(None),
            Some(line) => core::str::from_utf8(line).map(Some).map_err(|_| TOO_LONG),
        }
    }

    fn arguments(&mut self) -> Result<usize, Error> {
        let mut len = 0;
        for word in args::<PROMPT_BYTES>().map_err(|_| TOO_LONG)?.skip(1) {
            let space: &[u8] = if len == 0 { b"" } else { b" " };
            for &byte in space.iter().chain(word.map_err(|_| TOO_LONG)?.as_bytes()) {
                *self.line.get_mut(len).ok_or(TOO_LONG)? = byte;
                len += 1;
            }
        }
        Ok(len)
    }

    fn read_line(&mut self) -> Result<usize, Error> {
        eprint!("> ");
        let mut input = stdin().map_err(|_| TOO_LONG)?;
        let (mut len, mut byte) = (0, [0]);
        loop {
            self.done = !matches!(input.read(&mut byte), Ok(1));
            match byte {
                _ if self.done => return Ok(len),
                [b'\n' | b'\r'] => return Ok(len),
                [other] => *self.line.get_mut(len).ok_or(TOO_LONG)? = other,
            }
            len += 1;
        }
    }
}

/// The first word of the command line as a number, if there is one.
pub fn argument() -> Option<usize> {
    (&args::<PROMPT_BYTES>().ok()?).nth(1)?.ok()?.parse().ok()
}
