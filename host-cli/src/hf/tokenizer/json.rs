//! `tokenizer.json` as it is stored: field names, and nothing understood yet.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Place, TokenizerError};
use super::place;

/// The whole file. Fields of other names change nothing: `tokenizers` does not read them either.
#[derive(Debug, Deserialize)]
pub(super) struct Tokenizer {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Option<Value>,
    pub(super) post_processor: Option<Value>,
    pub(super) decoder: Option<Value>,
    pub(super) model: Bpe,
}

impl Tokenizer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TokenizerError> {
        #[derive(Deserialize)]
        struct Probe {
            model: ProbeModel,
        }
        #[derive(Deserialize)]
        struct ProbeModel {
            r#type: Option<String>,
            merges: Option<serde::de::IgnoredAny>,
        }
        let error = |source| TokenizerError::Json { place: place("the whole file"), source };
        // The kind of model first: the others have other fields, which would be a poor message.
        let model = serde_json::from_slice::<Probe>(bytes).map_err(error)?.model;
        let name = match (&model.r#type, &model.merges) {
            (Some(name), _) => name.as_str(),
            // Old files leave it out.
            (None, Some(_)) => "BPE",
            (None, None) => "a model without type and merges",
        };
        if name != "BPE" {
            return Err(place("model.type").unknown("BPE", name));
        }
        serde_json::from_slice(bytes).map_err(error)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    pub(super) single_word: bool,
    pub(super) lstrip: bool,
    pub(super) rstrip: bool,
    pub(super) normalized: bool,
    pub(super) special: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bpe {
    #[serde(rename = "type")]
    _type: Option<String>,
    pub(super) dropout: Option<f64>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    #[serde(default, deserialize_with = "or_false")]
    pub(super) fuse_unk: bool,
    #[serde(default, deserialize_with = "or_false")]
    pub(super) byte_fallback: bool,
    #[serde(default, deserialize_with = "or_false")]
    pub(super) ignore_merges: bool,
    pub(super) vocab: HashMap<String, u32>,
    pub(super) merges: Vec<Value>,
}

/// `null` stands for false.
fn or_false<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(false))
}

/// A step of a pipeline: an object with a `type`.
pub(super) struct Step {
    pub(super) place: Place,
    pub(super) name: String,
    value: Value,
}

impl Step {
    /// The steps of a field, in order: of none, one, or a (nested) `Sequence` of them in `list`.
    pub(super) fn all(
        field: &str,
        list: &str,
        value: Option<&Value>,
    ) -> Result<Vec<Self>, TokenizerError> {
        let mut steps = Vec::new();
        // The next to look at is the last; a sequence is replaced by its parts.
        let mut waiting: Vec<_> =
            value.map(|value| (field.to_owned(), value)).into_iter().collect();
        while let Some((at, value)) = waiting.pop() {
            let place = place(at.as_str());
            let name = value.get("type").and_then(Value::as_str);
            let name = name.ok_or_else(|| place.invalid("an object with a \"type\"", value))?;
            if name != "Sequence" {
                steps.push(Self { place, name: name.to_owned(), value: value.clone() });
                continue;
            }
            let parts = value.get(list).and_then(Value::as_array);
            let parts = parts.ok_or_else(|| place.invalid(format!("a list {list:?}"), value))?;
            let parts = parts.iter().enumerate().rev();
            waiting.extend(parts.map(|(index, part)| (format!("{at}.{list}[{index}]"), part)));
        }
        Ok(steps)
    }

    /// The step's fields, all of which `T` must know.
    pub(super) fn fields<T: DeserializeOwned>(&self) -> Result<T, TokenizerError> {
        let mut value = self.value.clone();
        value.as_object_mut().and_then(|fields| fields.remove("type"));
        serde_json::from_value(value)
            .map_err(|source| TokenizerError::Json { place: self.place.clone(), source })
    }

    /// This step is not known.
    pub(super) fn unknown(&self, known: &str) -> TokenizerError {
        self.place.unknown(known, format_args!("{} {}", self.name, self.value))
    }
}
