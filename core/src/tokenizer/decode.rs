//! Tokens to text, one at a time.

use super::{Tokenizer, Utf8Stream};
use crate::format::tokenizer::Strip;

/// Decodes tokens for people as they are generated.
///
/// The result is that of Hugging Face's `decode` wherever the tokens' bytes are UTF-8. Where they
/// are not, Hugging Face replaces a whole run of byte tokens; this replaces only the bytes that are
/// wrong, as those before have been shown already.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    tokenizer: Tokenizer<'a>,
    characters: Utf8Stream,
    show_special: bool,
    started: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of a text, which skips special tokens.
    pub fn new(tokenizer: Tokenizer<'a>) -> Self {
        let characters = Utf8Stream::new(tokenizer.invalid());
        Self { tokenizer, characters, show_special: false, started: false }
    }

    /// Shows special tokens as their text, too.
    pub fn show_special(self) -> Self {
        Self { show_special: true, ..self }
    }

    /// In the midst of a text: a space at the start is a part of it, and not dropped.
    pub fn continued(self) -> Self {
        Self { started: true, ..self }
    }

    /// Gives the characters that this token completes to `sink`. Unknown ids show as nothing.
    pub fn push(&mut self, id: u32, mut sink: impl FnMut(&str)) {
        self.push_to(id, &mut sink);
    }

    fn push_to(&mut self, id: u32, sink: &mut dyn FnMut(&str)) {
        let Some(mut bytes) = self.tokenizer.token_bytes(id) else { return };
        if !self.show_special && self.tokenizer.is_special(id) {
            return;
        }
        match self.tokenizer.tables().header().strip {
            Strip::FirstToken if !self.started => {
                self.started = true;
                let parts = bytes.split(|&byte| byte == b' ');
                parts.for_each(|part| self.characters.push_to(part, sink));
                return;
            }
            Strip::Space if !self.started && !bytes.is_empty() => {
                self.started = true;
                bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            }
            _ => {}
        }
        self.characters.push_to(bytes, sink);
    }

    /// Ends the text: the start of a character whose rest did not come shows as U+FFFD.
    pub fn finish(&mut self, sink: impl FnMut(&str)) {
        self.characters.finish(sink);
    }
}
