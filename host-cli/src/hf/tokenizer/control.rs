//! Begin, end and stop tokens, which several files name.

use serde::Deserialize;
use serde_json::Value;

use super::Sources;
use super::error::{Place, TokenizerError};
use super::steps::Steps;
use super::vocabulary::Vocabulary;

/// The tokens that control a generation.
pub(super) struct Control {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    /// Ascending.
    pub(super) stops: Vec<u32>,
}

/// `generation_config.json`, or `config.json`.
#[derive(Default, Deserialize)]
struct Numbers {
    bos_token_id: Option<Value>,
    eos_token_id: Option<Value>,
}

/// `tokenizer_config.json`
#[derive(Default, Deserialize)]
struct Names {
    bos_token: Option<Value>,
    eos_token: Option<Value>,
}

/// What the template of the tokenizer adds counts most, as it is what the model was trained on;
/// then `generation_config.json`, `config.json`, `tokenizer_config.json`. A generation stops at the
/// first of these files' end tokens, and at the tokenizer's. A name without a token is passed over:
/// a model cannot write such a token.
pub(super) fn read(
    sources: &Sources<'_>,
    steps: &Steps,
    vocabulary: &Vocabulary,
) -> Result<Control, TokenizerError> {
    let generation: Numbers = parse(sources.generation_config, "generation_config.json")?;
    let config: Numbers = parse(sources.config, "config.json")?;
    let names: Names = parse(sources.tokenizer_config, "tokenizer_config.json")?;
    let list = |file, field: &str, value: &Option<Value>| {
        ids(&Place { file, field: field.to_owned() }, value.as_ref(), vocabulary)
    };
    let numbered = |field: &str, generation: &Option<Value>, config: &Option<Value>| {
        let generation = list("generation_config.json", field, generation)?;
        // An older file may number tokens that the newer one has put right.
        match generation.is_empty() {
            true => list("config.json", field, config),
            false => Ok(generation),
        }
    };
    let name = |value: &Option<Value>| {
        let content = value.as_ref().and_then(|value| value.get("content").or(Some(value)));
        content.and_then(Value::as_str).and_then(|name| vocabulary.ids.get(name)).copied()
    };

    let begins = numbered("bos_token_id", &generation.bos_token_id, &config.bos_token_id)?;
    let mut stops = numbered("eos_token_id", &generation.eos_token_id, &config.eos_token_id)?;
    let bos = steps.bos.or(begins.first().copied()).or(name(&names.bos_token));
    let eos = steps.eos.or(stops.first().copied()).or(name(&names.eos_token));
    stops.extend(name(&names.eos_token));
    stops.sort_unstable();
    stops.dedup();
    let tokens = vocabulary.texts.len();
    for id in steps.bos.into_iter().chain(steps.eos) {
        if usize::try_from(id).is_ok_and(|id| id >= tokens) {
            let place = super::place("post_processor: special_tokens");
            return Err(place.invalid(format!("a token's number below {tokens}"), id));
        }
    }
    Ok(Control { bos, eos, stops })
}

fn parse<T: Default + for<'de> Deserialize<'de>>(
    bytes: Option<&[u8]>,
    file: &'static str,
) -> Result<T, TokenizerError> {
    let Some(bytes) = bytes else { return Ok(T::default()) };
    serde_json::from_slice(bytes).map_err(|source| {
        let place = Place { file, field: "the whole file".to_owned() };
        TokenizerError::Json { place, source }
    })
}

/// A token's id, or a list of them, or null.
fn ids(
    place: &Place,
    value: Option<&Value>,
    vocabulary: &Vocabulary,
) -> Result<Vec<u32>, TokenizerError> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let tokens = vocabulary.texts.len();
    let id = |value: &Value| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        let known = id.filter(|&id| usize::try_from(id).is_ok_and(|id| id < tokens));
        known.ok_or_else(|| place.invalid(format!("a token's number below {tokens}"), value))
    };
    list.iter().map(id).collect()
}
