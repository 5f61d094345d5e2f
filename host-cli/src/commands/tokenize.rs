//! `acorn tokenize` and `acorn detokenize`: text to token ids and back.

use std::fs;
use std::path::PathBuf;

use acorn_core::tokenizer::Decoder;
use serde_json::json;

use super::{options, print};
use crate::error::Error;
use crate::progress::Bar;
use crate::source;
use crate::text;

/// Show the token ids of a text
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn tokenize smol.acorn -p \"Once upon a time\"")]
pub(super) struct EncodeArgs {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Add the special tokens that the model wants around a text
    #[arg(long)]
    special: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The text; - reads it from standard input
    #[arg(short, long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A file with the text, as UTF-8
    #[arg(short = 'f', long = "file", id = "text_file", value_name = "FILE")]
    text_file: Option<PathBuf>,
}

/// Show the text of token ids
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn detokenize smol.acorn --tokens 403,2390,34")]
pub(super) struct DecodeArgs {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Token ids, separated by commas
    #[arg(long, value_name = "IDS")]
    tokens: String,
    /// Show special tokens, too
    #[arg(long)]
    special: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn encode(args: &EncodeArgs) -> Result<(), Error> {
    let file = source::open(&args.file, &Bar::default())?;
    let model = file.model()?;
    let text = match (&args.source.prompt, &args.source.text_file) {
        (Some(text), _) => options::prompt(text)?.into_owned(),
        (None, Some(path)) => {
            let bytes = fs::read(path).map_err(Error::io(path, "read it"))?;
            let not_utf8 = |_| Error::input(path, "is not UTF-8 text");
            String::from_utf8(bytes).map_err(not_utf8)?
        }
        (None, None) => String::new(),
    };
    let ids = text::encode(&args.file, &model, &text, args.special)?;
    if args.json {
        return print::json(&json!({ "tokens": ids }));
    }
    print::text(&ids.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}

pub(super) fn decode(args: &DecodeArgs) -> Result<(), Error> {
    let ids = options::tokens(&args.tokens).map_err(|problem| Error::Usage { problem })?;
    let file = source::open(&args.file, &Bar::default())?;
    let model = file.model()?;
    let tokenizer = text::tokenizer(&args.file, &model)?;
    if let Some(id) = ids.iter().find(|&&id| id >= tokenizer.len()) {
        let problem = format!("has no token {id}: its ids are 0 to {}", tokenizer.len() - 1);
        return Err(Error::input(&args.file, problem));
    }
    let decoder = Decoder::new(tokenizer);
    let mut decoder = if args.special { decoder.show_special() } else { decoder };
    let mut text = String::new();
    ids.iter().for_each(|&id| decoder.push(id, |part| text.push_str(part)));
    decoder.finish(|part| text.push_str(part));
    if args.json { print::json(&json!({ "text": text })) } else { print::text(&text) }
}
