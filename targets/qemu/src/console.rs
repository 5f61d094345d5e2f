//! Prompts from the emulator's command line, or else line by line from its standard input.

use acorn_firmware::{Error, LINE_BYTES, Line};
use semihosting::eprint;
use semihosting::experimental::env::args;
use semihosting::io::{Read, stdin};

const TOO_LONG: Error = Error::Prompt { most: LINE_BYTES };

/// Where prompts come from.
#[derive(Debug)]
pub struct Prompts {
    line: Line,
    /// Whether the command line is still to be looked at.
    first: bool,
}

impl Default for Prompts {
    fn default() -> Self {
        Self { line: Line::new(), first: true }
    }
}

impl Prompts {
    /// The next prompt: the words of the command line, if there are any, else the next line of the
    /// standard input that is not empty; `None` at its end.
    ///
    /// # Errors
    /// It is longer than [`LINE_BYTES`], or not UTF-8.
    pub fn read(&mut self) -> Result<Option<&str>, Error> {
        let arguments = args::<LINE_BYTES>().map_err(|_| TOO_LONG)?;
        let mut words = arguments.skip(1).peekable();
        if words.peek().is_none() {
            return if self.read_line()? { self.line.text().map(Some) } else { Ok(None) };
        }
        if !core::mem::take(&mut self.first) {
            return Ok(None);
        }
        while let Some(word) = words.next() {
            word.map_err(|_| TOO_LONG)?.bytes().for_each(|byte| _ = self.line.push(byte));
            if words.peek().is_some() {
                self.line.push(b' ');
            }
        }
        self.line.text().map(Some)
    }

    /// Whether there is another line.
    fn read_line(&mut self) -> Result<bool, Error> {
        eprint!("> ");
        let mut input = stdin().map_err(|_| TOO_LONG)?;
        let mut byte = [0];
        while let Ok(1) = input.read(&mut byte) {
            if self.line.push(byte[0]) {
                return Ok(true);
            }
        }
        // The last line may lack its end.
        Ok(self.line.push(b'\n'))
    }
}

/// The first word of the command line as a number, if there is one.
pub fn argument() -> Option<usize> {
    (&args::<LINE_BYTES>().ok()?).nth(1)?.ok()?.parse().ok()
}
