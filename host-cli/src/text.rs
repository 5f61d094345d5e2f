//! Text to tokens and back, with memory to spare.

use std::path::Path;

use acorn_core::Model;
use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot, Tokenizer};

use crate::error::Error;

/// The model's tokenizer.
///
/// # Errors
/// The model in the file `path` has none.
pub fn tokenizer<'m>(path: &Path, model: &Model<'m>) -> Result<Tokenizer<'m>, Error> {
    model.tokenizer().ok_or_else(|| {
        let problem =
            "has no tokenizer, so it takes token ids only: convert a folder with a tokenizer.json";
        Error::input(path, problem)
    })
}

/// The tokens of `text`; with `special`, also those that the model wants around a text.
///
/// # Errors
/// The model in the file `path` has no tokenizer, or a damaged one.
pub fn encode(
    path: &Path,
    model: &Model<'_>,
    text: &str,
    special: bool,
) -> Result<Vec<u32>, Error> {
    let tokenizer = tokenizer(path, model)?;
    let options = EncodeOptions { add_special: special, ..EncodeOptions::default() };
    let mut scratch = vec![Slot::EMPTY; Tokenizer::scratch_len(text.len())];
    // A token for each byte, those around the text, and a space put before it.
    let mut ids = vec![0; text.len() + 8];
    let failed = |error: acorn_core::tokenizer::EncodeError| Error::input(path, error.to_string());
    let len = match tokenizer.encode(text, options, &mut scratch, &mut ids) {
        Err(acorn_core::tokenizer::EncodeError::Output { need, .. }) => {
            ids.resize(need, 0);
            tokenizer.encode(text, options, &mut scratch, &mut ids)
        }
        result => result,
    };
    ids.truncate(len.map_err(failed)?);
    Ok(ids)
}

/// The token that windows of a text start with: the begin of sequence, where the tokenizer adds one.
pub fn bos(model: &Model<'_>) -> Option<u32> {
    model.tokenizer().filter(Tokenizer::adds_bos).and_then(|tokenizer| tokenizer.bos())
}

/// Text from tokens as they are generated.
#[derive(Debug)]
pub struct Stream<'m>(Decoder<'m>);

impl<'m> Stream<'m> {
    /// A stream that continues the text of `prompt`: the space between the two is kept, unless the
    /// prompt has no text.
    pub fn new(tokenizer: Tokenizer<'m>, prompt: &[u32]) -> Self {
        let decoder = Decoder::new(tokenizer);
        let begins = prompt.iter().all(|&token| tokenizer.is_special(token));
        Self(if begins { decoder } else { decoder.continued() })
    }

    /// The whole characters that this token completes.
    pub fn push(&mut self, token: u32) -> String {
        let mut text = String::new();
        self.0.push(token, |piece| text.push_str(piece));
        text
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.0.finish(|piece| text.push_str(piece));
        text
    }
}
