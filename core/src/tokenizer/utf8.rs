//! Bytes that arrive in any portions, to whole characters.

/// How bytes that are not UTF-8 show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// One U+FFFD for each byte.
    PerByte,
    /// One U+FFFD for each longest start of a character, as `String::from_utf8_lossy` does.
    PerSequence,
}

/// Holds back the start of a character until the rest of it comes.
#[derive(Clone, Copy, Debug)]
pub struct Utf8Stream {
    invalid: Invalid,
    /// The start of a character: at most 3 bytes, and a place to try the next in.
    held: [u8; 4],
    len: usize,
}

impl Utf8Stream {
    /// A stream that holds nothing.
    pub fn new(invalid: Invalid) -> Self {
        Self { invalid, held: [0; 4], len: 0 }
    }

    /// Gives the whole characters to `sink`. O(bytes).
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(&str)) {
        self.push_to(bytes, &mut sink);
    }

    /// The same for all kinds of sinks: code that a program has once.
    pub(super) fn push_to(&mut self, mut bytes: &[u8], sink: &mut dyn FnMut(&str)) {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            if self.extend(byte, sink) {
                bytes = rest;
            }
        }
        loop {
            let error = match core::str::from_utf8(bytes) {
                Ok(text) => return emit(text, sink),
                Err(error) => error,
            };
            let Some((valid, rest)) = bytes.split_at_checked(error.valid_up_to()) else { return };
            emit(core::str::from_utf8(valid).unwrap_or_default(), sink);
            match error.error_len() {
                Some(len) => {
                    self.replace(len, sink);
                    bytes = rest.get(len..).unwrap_or_default();
                }
                None => {
                    self.held.iter_mut().zip(rest).for_each(|(held, &byte)| *held = byte);
                    self.len = rest.len();
                    return;
                }
            }
        }
    }

    /// Gives what is still held back as replacement characters.
    pub fn finish(&mut self, mut sink: impl FnMut(&str)) {
        self.finish_to(&mut sink);
    }

    fn finish_to(&mut self, sink: &mut dyn FnMut(&str)) {
        let len = core::mem::take(&mut self.len);
        if len > 0 {
            self.replace(len, sink);
        }
    }

    /// Tries `byte` behind what is held; says whether it belonged there.
    fn extend(&mut self, byte: u8, sink: &mut dyn FnMut(&str)) -> bool {
        let held = self.len;
        if let Some(slot) = self.held.get_mut(held) {
            *slot = byte;
        }
        let tried = self.held.get(..=held).unwrap_or_default();
        match core::str::from_utf8(tried) {
            Ok(text) => {
                sink(text);
                self.len = 0;
            }
            Err(error) if error.error_len().is_none() => self.len = held.saturating_add(1),
            Err(_) => {
                self.finish_to(sink);
                return false;
            }
        }
        true
    }

    fn replace(&self, len: usize, sink: &mut dyn FnMut(&str)) {
        let count = if self.invalid == Invalid::PerByte { len } else { 1 };
        (0..count).for_each(|_| sink("\u{FFFD}"));
    }
}

fn emit(text: &str, sink: &mut dyn FnMut(&str)) {
    if !text.is_empty() {
        sink(text);
    }
}
