//! Text to tokens: the order of the steps.

use super::added::{Finder, Part};
use super::bpe::{Piece, Slot};
use super::split::{Pieces, Segment, UNDERLINE, is_space};
use super::{EncodeError, EncodeOptions};
use crate::format::tokenizer::{NONE, Prefix, Symbols, Tables};

/// [`super::Tokenizer::encode`].
#[inline(never)]
pub(super) fn encode(
    tables: &Tables<'_>,
    text: &str,
    options: EncodeOptions,
    scratch: &mut [Slot],
    out: &mut [u32],
) -> Result<usize, EncodeError> {
    let header = tables.header();
    let finder = |normalized| match options.parse_added {
        true => Finder::new(*tables, normalized),
        false => Finder::none(*tables),
    };
    let (raw, normalized) = (finder(false), finder(true));
    let output = Output { tokens: header.tokens, out, len: 0 };
    let mut encoder = Encoder { tables, piece: Piece::new(scratch), output };

    if options.add_special && header.add_bos && header.bos != NONE {
        encoder.output.push(header.bos)?;
    }
    let mut first = true;
    for part in raw.parts(Segment { space: false, text }) {
        match part {
            Part::Added(id) => encoder.output.push(id)?,
            Part::Text(segment) => {
                let space = header.prefix == Prefix::Always;
                for part in normalized.parts(Segment { space, ..segment }) {
                    match part {
                        Part::Added(id) => encoder.output.push(id)?,
                        Part::Text(segment) => encoder.segment(segment, first)?,
                    }
                    first = false;
                }
            }
        }
        first = false;
    }
    if options.add_special && header.add_eos && header.eos != NONE {
        encoder.output.push(header.eos)?;
    }
    encoder.output.finish()
}

struct Output<'s> {
    /// Ids are below this.
    tokens: u32,
    out: &'s mut [u32],
    /// Tokens so far, also those that had no room.
    len: usize,
}

impl Output<'_> {
    fn push(&mut self, id: u32) -> Result<(), EncodeError> {
        if id >= self.tokens {
            return Err(EncodeError::Damaged { token: id });
        }
        if let Some(slot) = self.out.get_mut(self.len) {
            *slot = id;
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    fn finish(self) -> Result<usize, EncodeError> {
        let (need, have) = (self.len, self.out.len());
        if need > have { Err(EncodeError::Output { need, have }) } else { Ok(need) }
    }
}

struct Encoder<'a, 's> {
    tables: &'a Tables<'a>,
    piece: Piece<'s>,
    output: Output<'s>,
}

impl Encoder<'_, '_> {
    /// Encodes a text between added tokens; `first` says that the whole text starts with it.
    fn segment(&mut self, segment: Segment<'_>, first: bool) -> Result<(), EncodeError> {
        let missing = || !segment.chars().next().is_some_and(|c| is_space(self.tables, c));
        let space = match self.tables.header().prefix {
            Prefix::Never | Prefix::Always => segment.space,
            Prefix::Missing => missing(),
            Prefix::MissingFirst => first && missing(),
        };
        for piece in Pieces::new(self.tables, Segment { space, ..segment }) {
            self.piece.clear();
            match self.tables.header().symbols {
                Symbols::Characters => self.push_characters(piece),
                Symbols::Bytes => self.push_bytes(piece),
            }
            self.piece.merge(self.tables)?;
            for id in self.piece.ids() {
                self.output.push(id)?;
            }
        }
        Ok(())
    }

    /// Each character's token; or its bytes' tokens; or the unknown token, which waits for the next
    /// known character before it is put down, even behind bytes. (So does `tokenizers`, in
    /// models/bpe/model.rs: the order is part of the result.)
    fn push_characters(&mut self, piece: Segment<'_>) {
        let mut unknown = false;
        for c in piece.chars() {
            let underline = c == ' ' && self.tables.header().underline_is_space;
            let c = if underline { UNDERLINE } else { c };
            if let Some(id) = self.tables.character(c) {
                self.flush(&mut unknown);
                self.piece.push(id);
                continue;
            }
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            match bytes.iter().all(|&byte| self.tables.byte(byte).is_some()) {
                true => {
                    let ids = bytes.iter().filter_map(|&byte| self.tables.byte(byte));
                    ids.for_each(|id| self.piece.push(id));
                }
                false => self.wait(&mut unknown),
            }
        }
        self.flush(&mut unknown);
    }

    fn push_bytes(&mut self, piece: Segment<'_>) {
        let mut unknown = false;
        let space = piece.space.then_some(b' ');
        for byte in space.into_iter().chain(piece.text.bytes()) {
            match self.tables.byte(byte) {
                Some(id) => {
                    self.flush(&mut unknown);
                    self.piece.push(id);
                }
                None => self.wait(&mut unknown),
            }
        }
        self.flush(&mut unknown);
    }

    /// One more unknown character.
    fn wait(&mut self, unknown: &mut bool) {
        if !self.tables.header().fuse_unknown {
            self.flush(unknown);
        }
        *unknown = true;
    }

    /// Puts down the unknown token that waits. Where the model has none, the character is lost.
    fn flush(&mut self, unknown: &mut bool) {
        let id = self.tables.header().unknown;
        if core::mem::take(unknown) && id != NONE {
            self.piece.push(id);
        }
    }
}
