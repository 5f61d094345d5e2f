//! The tokenizer of a Hugging Face folder → the tokenizer section of an `.acorn` file.
//!
//! `tokenizer.json` describes a pipeline of steps, each from a long list. This release knows
//! byte-pair encoding with the steps of the Llama family (SentencePiece) and of GPT-2; what it does
//! not know it refuses by name, as a tokenizer that is only nearly right ruins a model in silence.
//!
//! ```text
//! normalizer, pre_tokenizer, post_processor, decoder → how text becomes pieces and back    steps
//! model, added_tokens → vocabulary, merges, texts                                   vocabulary
//! the other files → begin, end and stop tokens                                           control
//! ```
//!
//! Truncation and padding are not read: they are a wish of whoever saved the file, which
//! `transformers` overrides at every call.

mod added;
mod classes;
mod control;
mod error;
mod json;
mod self_test;
mod steps;
mod vocabulary;

use std::path::Path;

use acorn_core::format::tokenizer::{self as format, Content, Header, NONE, Split};

pub use error::TokenizerError;
pub use self_test::{SelfTest, self_test};

use error::Place;

/// The files that a tokenizer is read from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// `tokenizer.json`
    pub tokenizer: &'a [u8],
    /// `tokenizer_config.json`: names begin and end tokens.
    pub tokenizer_config: Option<&'a [u8]>,
    /// `generation_config.json`: numbers begin, end and stop tokens.
    pub generation_config: Option<&'a [u8]>,
    /// `config.json`: as `generation_config.json`, where that has none.
    pub config: Option<&'a [u8]>,
}

/// Reads the tokenizer of the folder `dir`: its section, and what the comparison with Hugging
/// Face's implementation found. `None` where the folder has no `tokenizer.json`.
///
/// # Errors
/// As [`section`] and [`self_test`]; or a file cannot be read.
pub fn read(dir: &Path, vocab_size: u32) -> Result<Option<(Vec<u8>, SelfTest)>, TokenizerError> {
    let file = |name: &str| match std::fs::read(dir.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenizerError::Io { path: dir.join(name), source }),
    };
    let Some(tokenizer) = file("tokenizer.json")? else { return Ok(None) };
    let tokenizer_config = file("tokenizer_config.json")?;
    let generation_config = file("generation_config.json")?;
    let config = file("config.json")?;
    let sources = Sources {
        tokenizer: &tokenizer,
        tokenizer_config: tokenizer_config.as_deref(),
        generation_config: generation_config.as_deref(),
        config: config.as_deref(),
    };
    let section = section(&sources, vocab_size)?;
    let self_test = self_test(&tokenizer, &section)?;
    Ok(Some((section, self_test)))
}

/// Converts a tokenizer for a model of `vocab_size` tokens.
///
/// # Errors
/// A file is not what its name says, holds a contradiction, or asks for a step that this release
/// does not know; the error names file and place.
pub fn section(sources: &Sources<'_>, vocab_size: u32) -> Result<Vec<u8>, TokenizerError> {
    let json = json::Tokenizer::parse(sources.tokenizer)?;
    let steps = steps::read(&json)?;
    let added = added::read(&json)?;
    let vocabulary = vocabulary::read(&json.model, &steps, &added, vocab_size)?;
    let table = added::table(&added, &vocabulary.texts, &steps)?;
    let control = control::read(sources, &steps, &vocabulary)?;

    let words = steps.split == Split::None && steps.underlines && vocabulary.keeps_words;
    let split = if words { Split::Words } else { steps.split };
    let classes = match split {
        Split::Gpt2 | Split::Gpt2Digits => classes::ranges(),
        _ => Vec::new(),
    };
    let header = Header {
        symbols: steps.symbols,
        prefix: steps.prefix,
        split,
        underline_is_space: steps.underlines,
        fuse_unknown: json.model.fuse_unk,
        add_bos: steps.bos.is_some(),
        add_eos: steps.eos.is_some(),
        strip: steps.strip,
        bos: control.bos.unwrap_or(NONE),
        eos: control.eos.unwrap_or(NONE),
        unknown: vocabulary.unknown.unwrap_or(NONE),
        ..Header::default()
    };
    let texts: Vec<&[u8]> = vocabulary.texts.iter().map(Vec::as_slice).collect();
    let content = Content {
        header,
        texts: &texts,
        bytes: &vocabulary.bytes,
        characters: &vocabulary.characters,
        merges: &vocabulary.merges,
        added: &table,
        stops: &control.stops,
        classes: &classes,
    };
    let mut section = Vec::new();
    let too_large = |kind| TokenizerError::TooLarge { kind };
    format::write(&content, &mut |bytes| section.extend_from_slice(bytes)).map_err(too_large)?;
    let tables = format::Tables::parse(&section, 0, vocab_size)
        .map_err(|error| TokenizerError::TooLarge { kind: error.kind })?;
    tables.verify().map_err(too_large)?;
    Ok(section)
}

/// The place of a field of `tokenizer.json`.
fn place(field: impl Into<String>) -> Place {
    Place { file: "tokenizer.json", field: field.into() }
}
