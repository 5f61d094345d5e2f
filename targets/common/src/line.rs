//! A line of text from bytes that come one by one, over a serial line or from a file.

use crate::Error;

/// The longest line, in bytes.
pub const LINE_BYTES: usize = 256;

/// A line that is being typed.
#[derive(Debug)]
pub struct Line {
    bytes: [u8; LINE_BYTES],
    /// Bytes typed, also those that did not fit.
    len: usize,
    /// Whether the next byte starts another line.
    ended: bool,
}

impl Line {
    /// Nothing typed yet.
    pub const fn new() -> Self {
        Self { bytes: [0; LINE_BYTES], len: 0, ended: false }
    }

    /// Takes a byte; returns whether it ended a line that is not empty. Backspace and delete take back a
    /// byte; a carriage return ends a line like a line feed.
    pub fn push(&mut self, byte: u8) -> bool {
        if core::mem::take(&mut self.ended) {
            self.len = 0;
        }
        match byte {
            b'\r' | b'\n' => self.ended = self.len > 0,
            0x08 | 0x7F => self.len = self.len.saturating_sub(1),
            _ => {
                if let Some(place) = self.bytes.get_mut(self.len) {
                    *place = byte;
                }
                self.len = self.len.saturating_add(1);
            }
        }
        self.ended
    }

    /// Forgets what was typed.
    pub fn clear(&mut self) {
        (self.len, self.ended) = (0, false);
    }

    /// What was typed.
    ///
    /// # Errors
    /// It is longer than [`LINE_BYTES`], or not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        let text = self.bytes.get(..self.len).and_then(|line| core::str::from_utf8(line).ok());
        text.ok_or(Error::Prompt { most: LINE_BYTES })
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types `bytes`; whether the last ended a line, and what then stands there.
    fn typed<'a>(line: &'a mut Line, bytes: &[u8]) -> (bool, Option<&'a str>) {
        let mut ended = false;
        for &byte in bytes {
            ended = line.push(byte);
        }
        (ended, line.text().ok())
    }

    #[test]
    fn lines_end_and_begin_anew() {
        let mut line = Line::new();
        assert_eq!(typed(&mut line, b"\r\nlighx\x7Ft"), (false, Some("light")));
        assert_eq!(typed(&mut line, b" on\r"), (true, Some("light on")));
        assert_eq!(typed(&mut line, b"\n"), (false, Some("")), "CR LF is one end");
        assert_eq!(typed(&mut line, b"off\n"), (true, Some("off")));
        line.clear();
        assert_eq!(typed(&mut line, b"\n"), (false, Some("")));
    }

    #[test]
    fn what_is_no_prompt_is_an_error_and_the_next_line_is_fine() {
        let mut line = Line::new();
        assert_eq!(typed(&mut line, &[b'a'; LINE_BYTES]).1.map(str::len), Some(LINE_BYTES));
        assert_eq!(typed(&mut line, b"a\n"), (true, None), "a byte too long");
        assert_eq!(typed(&mut line, b"\xFF\n"), (true, None), "not UTF-8");
        assert_eq!(typed(&mut line, b"on\n"), (true, Some("on")));
    }
}
