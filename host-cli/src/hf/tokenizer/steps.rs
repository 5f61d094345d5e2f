//! The pipeline around the model: normalizer, pre_tokenizer, post_processor and decoder.

use std::collections::HashMap;

use acorn_core::format::tokenizer::{Prefix, Split, Strip, Symbols};
use serde::Deserialize;
use serde_json::Value;

use super::error::TokenizerError;
use super::json::{Bpe, Step, Tokenizer};
use super::place;

/// What the pipeline does, in the words of the format.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) symbols: Symbols,
    pub(super) prefix: Prefix,
    pub(super) split: Split,
    pub(super) strip: Strip,
    /// Spaces become U+2581 before the model sees them.
    pub(super) underlines: bool,
    /// ... and already before added tokens are looked for.
    pub(super) underlines_early: bool,
    /// Decoding makes them spaces again.
    pub(super) decode_underlines: bool,
    /// Decoding makes `<0x41>` the byte 0x41.
    pub(super) decode_bytes: bool,
    /// The token put first.
    pub(super) bos: Option<u32>,
    /// The token put last.
    pub(super) eos: Option<u32>,
}

pub(super) fn read(json: &Tokenizer) -> Result<Steps, TokenizerError> {
    let mut steps = Steps::default();
    check_model(&json.model)?;
    normalizer(json, &mut steps)?;
    pre_tokenizer(json, &mut steps)?;
    post_processor(json, &mut steps)?;
    decoder(json, &mut steps)?;
    if steps.symbols == Symbols::Bytes && json.model.byte_fallback {
        return Err(place("model.byte_fallback").unknown("false with ByteLevel", true));
    }
    Ok(steps)
}

fn check_model(model: &Bpe) -> Result<(), TokenizerError> {
    if let Some(dropout) = model.dropout.filter(|&dropout| dropout != 0.0) {
        return Err(place("model.dropout").unknown("null", dropout));
    }
    if model.ignore_merges {
        return Err(place("model.ignore_merges").unknown("false", true));
    }
    for (field, affix) in [
        ("model.continuing_subword_prefix", &model.continuing_subword_prefix),
        ("model.end_of_word_suffix", &model.end_of_word_suffix),
    ] {
        if let Some(affix) = affix.as_ref().filter(|affix| !affix.is_empty()) {
            return Err(place(field).unknown("null", format_args!("{affix:?}")));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    pattern: Value,
    content: String,
}

impl Replace {
    fn is(&self, pattern: &str, content: &str) -> bool {
        let string = self.pattern.get("String").and_then(Value::as_str);
        string == Some(pattern) && self.content == content
    }
}

fn normalizer(json: &Tokenizer, steps: &mut Steps) -> Result<(), TokenizerError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Prepend {
        prepend: String,
    }
    let known = "Prepend of \"▁\", and Replace of \" \" by \"▁\"";
    for step in Step::all("normalizer", "normalizers", json.normalizer.as_ref())? {
        let fits = match step.name.as_str() {
            "Prepend" => {
                let first = steps.prefix == Prefix::Never;
                steps.prefix = Prefix::Always;
                first && step.fields::<Prepend>()?.prepend == "▁"
            }
            "Replace" => {
                steps.underlines = true;
                step.fields::<Replace>()?.is(" ", "▁")
            }
            _ => false,
        };
        if !fits {
            return Err(step.unknown(known));
        }
    }
    steps.underlines_early = steps.underlines;
    if steps.prefix == Prefix::Always && !steps.underlines {
        return Err(place("normalizer").unknown(known, "Prepend without Replace"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByteLevel {
    add_prefix_space: bool,
    #[serde(rename = "trim_offsets")]
    _trim_offsets: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metaspace {
    replacement: char,
    add_prefix_space: Option<bool>,
    prepend_scheme: Option<String>,
    split: Option<bool>,
    #[serde(rename = "str_rep")]
    _str_rep: Option<String>,
}

impl Metaspace {
    /// Files of before prepend_scheme say `add_prefix_space`.
    fn prefix(&self, step: &Step) -> Result<Prefix, TokenizerError> {
        if self.replacement != '▁' {
            return Err(step.unknown("the replacement \"▁\""));
        }
        match (self.prepend_scheme.as_deref(), self.add_prefix_space) {
            (Some("never"), _) | (None, Some(false)) => Ok(Prefix::Never),
            (Some("always") | None, None | Some(true)) => Ok(Prefix::Missing),
            (Some("first"), None | Some(true)) => Ok(Prefix::MissingFirst),
            _ => Err(step.unknown("a prepend_scheme always, first or never")),
        }
    }
}

fn pre_tokenizer(json: &Tokenizer, steps: &mut Steps) -> Result<(), TokenizerError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Digits {
        individual_digits: bool,
    }
    let known = "Metaspace, ByteLevel, and Digits (individual) before ByteLevel";
    let all = Step::all("pre_tokenizer", "pretokenizers", json.pre_tokenizer.as_ref())?;
    let mut digits = false;
    for (step, last) in all.iter().zip((1..=all.len()).map(|count| count == all.len())) {
        match step.name.as_str() {
            "Digits" if !last && !digits && step.fields::<Digits>()?.individual_digits => {
                digits = true;
            }
            "ByteLevel" if last && !steps.underlines => {
                let fields: ByteLevel = step.fields()?;
                steps.symbols = Symbols::Bytes;
                steps.split = match (digits, fields.use_regex) {
                    (false, false) => Split::None,
                    (false, true) => Split::Gpt2,
                    (true, true) if !fields.add_prefix_space => Split::Gpt2Digits,
                    _ => return Err(step.unknown("use_regex without add_prefix_space here")),
                };
                if fields.add_prefix_space {
                    steps.prefix = Prefix::Missing;
                }
            }
            "Metaspace" if all.len() == 1 && !steps.underlines => {
                let fields: Metaspace = step.fields()?;
                steps.prefix = fields.prefix(step)?;
                steps.underlines = true;
                let split = fields.split.unwrap_or(true);
                steps.split = if split { Split::Spaces } else { Split::None };
            }
            _ => return Err(step.unknown(known)),
        }
    }
    Ok(())
}

fn post_processor(json: &Tokenizer, steps: &mut Steps) -> Result<(), TokenizerError> {
    let mut template = false;
    for step in Step::all("post_processor", "processors", json.post_processor.as_ref())? {
        match step.name.as_str() {
            // It changes offsets only.
            "ByteLevel" => {}
            "TemplateProcessing" if !template => {
                template = true;
                (steps.bos, steps.eos) = template_tokens(&step)?;
            }
            _ => return Err(step.unknown("ByteLevel, and one TemplateProcessing")),
        }
    }
    Ok(())
}

/// The tokens that a template puts first and last.
fn template_tokens(step: &Step) -> Result<(Option<u32>, Option<u32>), TokenizerError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Template {
        single: Vec<Piece>,
        #[serde(rename = "pair")]
        _pair: Value,
        special_tokens: HashMap<String, SpecialToken>,
    }
    #[derive(Deserialize)]
    enum Piece {
        Sequence { id: String },
        SpecialToken { id: String },
    }
    #[derive(Deserialize)]
    struct SpecialToken {
        ids: Vec<u32>,
    }
    let template: Template = step.fields()?;
    let known = "templates of at most one token, the text, at most one token";
    let token = |name: &String| match template.special_tokens.get(name) {
        Some(SpecialToken { ids }) if ids.len() == 1 => Ok(ids.first().copied()),
        Some(SpecialToken { ids }) => Err(step.place.unknown(known, format_args!("{ids:?}"))),
        None => {
            Err(step.place.invalid("each token among its special_tokens", format_args!("{name:?}")))
        }
    };
    match template.single.as_slice() {
        [Piece::Sequence { id }] if id == "A" => Ok((None, None)),
        [Piece::SpecialToken { id: bos }, Piece::Sequence { id }] if id == "A" => {
            Ok((token(bos)?, None))
        }
        [Piece::Sequence { id }, Piece::SpecialToken { id: eos }] if id == "A" => {
            Ok((None, token(eos)?))
        }
        [
            Piece::SpecialToken { id: bos },
            Piece::Sequence { id },
            Piece::SpecialToken { id: eos },
        ] if id == "A" => Ok((token(bos)?, token(eos)?)),
        _ => Err(step.unknown(known)),
    }
}

fn decoder(json: &Tokenizer, steps: &mut Steps) -> Result<(), TokenizerError> {
    let all = Step::all("decoder", "decoders", json.decoder.as_ref())?;
    let known = match steps.symbols {
        Symbols::Bytes => "ByteLevel here",
        Symbols::Characters => {
            "Metaspace; or Replace of \"▁\" by \" \", ByteFallback, Fuse and Strip of one \" \" at the start, in this order, here"
        }
    };
    let names: Vec<&str> = all.iter().map(|step| step.name.as_str()).collect();
    match (steps.symbols, names.as_slice()) {
        (Symbols::Bytes, ["ByteLevel"]) => return Ok(()),
        (Symbols::Characters, ["Metaspace"]) => {
            if let Some(step) = all.first() {
                let never = step.fields::<Metaspace>()?.prefix(step)? == Prefix::Never;
                steps.strip = if never { Strip::Nothing } else { Strip::FirstToken };
            }
            steps.decode_underlines = true;
            return Ok(());
        }
        (_, []) => return Err(place("decoder").unknown(known, "none")),
        _ => {}
    }
    // Each step may come once, and none before one that must come earlier.
    let mut after = 0;
    for step in &all {
        let (order, fits) = match step.name.as_str() {
            "Replace" => (1, step.fields::<Replace>()?.is("▁", " ")),
            "ByteFallback" => (2, true),
            "Fuse" => (3, true),
            // Without Fuse it would strip every token.
            "Strip" => (4, after == 3 && is_one_space(step)?),
            _ => (0, false),
        };
        if order <= after || !fits || steps.symbols == Symbols::Bytes {
            return Err(step.unknown(known));
        }
        after = order;
        steps.decode_underlines |= order == 1;
        steps.decode_bytes |= order == 2;
        if order == 4 {
            steps.strip = Strip::Space;
        }
    }
    Ok(())
}

fn is_one_space(step: &Step) -> Result<bool, TokenizerError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct StripFields {
        content: char,
        start: usize,
        stop: usize,
    }
    let fields: StripFields = step.fields()?;
    Ok((fields.content, fields.start, fields.stop) == (' ', 1, 0))
}
