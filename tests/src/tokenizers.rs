//! A tokenizer of ours beside Hugging Face's, and tokenizers made by changing a fixture's JSON.

use std::path::Path;

use acorn_cli::hf::tokenizer::{Sources, TokenizerError, section};
use acorn_core::format::tokenizer::Tables;
use acorn_core::tokenizer::{Decoder, EncodeError, EncodeOptions, Slot, Tokenizer};
use serde_json::{Value, json};

/// The same `tokenizer.json`, converted for us and read by the `tokenizers` crate.
pub struct Pair {
    /// For messages.
    pub name: String,
    /// Our section.
    pub section: Vec<u8>,
    /// Hugging Face's.
    pub reference: tokenizers::Tokenizer,
}

impl Pair {
    /// Both from a `tokenizer.json`.
    pub fn new(name: &str, json: &[u8]) -> Self {
        let section = convert(json).unwrap_or_else(|error| panic!("{name}: {error}"));
        let reference = tokenizers::Tokenizer::from_bytes(json).unwrap();
        Self { name: name.to_owned(), section, reference }
    }

    /// Both from a folder with a `tokenizer.json`.
    pub fn open(dir: &Path) -> Self {
        let json = std::fs::read(dir.join("tokenizer.json")).unwrap();
        Self::new(&dir.file_name().unwrap().to_string_lossy(), &json)
    }

    /// Ours.
    pub fn tokenizer(&self) -> Tokenizer<'_> {
        let tables = Tables::parse(&self.section, 0, u32::MAX).unwrap();
        tables.verify().unwrap();
        Tokenizer::new(tables)
    }

    /// Checks that both encode `text` to the same tokens and decode these to the same text.
    /// Returns the tokens.
    pub fn check(&self, text: &str) -> Vec<u32> {
        self.check_with(text, true);
        self.check_with(text, false)
    }

    /// As [`Pair::check`], only with or only without special tokens around the text.
    pub fn check_with(&self, text: &str, add_special: bool) -> Vec<u32> {
        let options = EncodeOptions { add_special, ..EncodeOptions::default() };
        let expected = self.reference.encode_fast(text, add_special).unwrap();
        let ids = encode(&self.tokenizer(), text, options).unwrap();
        if ids != expected.get_ids() {
            self.explain(text, &ids, expected.get_ids());
        }
        for skip in [true, false] {
            let expected = self.reference.decode(&ids, skip).unwrap();
            let found = decode(&self.tokenizer(), &ids, skip);
            assert!(expected == found, "{}: {ids:?}: {expected:?} {found:?}", self.name);
        }
        ids
    }

    /// Fails, and shows the place of the first difference.
    fn explain(&self, text: &str, found: &[u32], expected: &[u32]) -> ! {
        let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let window = |ids: &[u32]| {
            let ids = &ids[same.saturating_sub(3).min(ids.len())..(same + 5).min(ids.len())];
            ids.iter().map(|&id| (id, self.reference.id_to_token(id))).collect::<Vec<_>>()
        };
        let text: String = text.chars().take(200).collect();
        panic!(
            "{}: token {same} differs in {text:?}...\nours     {:?}\nexpected {:?}",
            self.name,
            window(found),
            window(expected)
        );
    }
}

/// Our section of a `tokenizer.json`.
pub fn convert(json: &[u8]) -> Result<Vec<u8>, TokenizerError> {
    section(&Sources { tokenizer: json, ..Sources::default() }, u32::MAX)
}

/// Encodes with enough scratch.
pub fn encode(
    tokenizer: &Tokenizer<'_>,
    text: &str,
    options: EncodeOptions,
) -> Result<Vec<u32>, EncodeError> {
    let mut scratch = vec![Slot::EMPTY; Tokenizer::scratch_len(text.len())];
    let mut ids = vec![0; text.len() + 3];
    let len = tokenizer.encode(text, options, &mut scratch, &mut ids)?;
    ids.truncate(len);
    Ok(ids)
}

/// Decodes token by token.
pub fn decode(tokenizer: &Tokenizer<'_>, ids: &[u32], skip_special: bool) -> String {
    let mut text = String::new();
    let decoder = Decoder::new(*tokenizer);
    let mut decoder = if skip_special { decoder } else { decoder.show_special() };
    ids.iter().for_each(|&id| decoder.push(id, |part| text.push_str(part)));
    decoder.finish(|part| text.push_str(part));
    text
}

/// A change of a `tokenizer.json`.
pub type Change = fn(&mut Value);

/// The JSON of a fixture model's tokenizer.
pub fn fixture(name: &str) -> Value {
    let path = super::fixtures().join("models").join(name).join("tokenizer.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The fixture `name` with a change, as bytes.
pub fn changed(name: &str, change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut json = fixture(name);
    change(&mut json);
    serde_json::to_vec(&json).unwrap()
}

/// Every supported pipeline that the fixtures themselves do not show.
pub const VARIANTS: &[(&str, &str, Change)] = &[
    ("tiny-llama", "as it is", |_| {}),
    ("tiny-llama", "normalized added tokens", |json| {
        added_tokens(json).iter_mut().for_each(|token| token["normalized"] = json!(true));
    }),
    ("tiny-llama", "both kinds of added tokens", |json| {
        add_token(json, "<s><s>", true);
        add_token(json, " two words", true);
        add_token(json, "he", false);
        add_token(json, "heé", false);
    }),
    ("tiny-llama", "no prefix", |json| {
        json["normalizer"] = json["normalizer"]["normalizers"][1].take();
        add_token(json, "▁▁x", true);
    }),
    ("tiny-llama", "metaspace always", |json| metaspace(json, "always", true)),
    ("tiny-llama", "metaspace first", |json| metaspace(json, "first", true)),
    ("tiny-llama", "metaspace never", |json| metaspace(json, "never", true)),
    ("tiny-llama", "metaspace first, whole", |json| {
        metaspace(json, "first", false);
        // The fixture's vocabulary keeps byte tokens, which this decoder shows as they are written.
        json["decoder"] = json["pre_tokenizer"].clone();
    }),
    ("tiny-llama", "metaspace never, whole", |json| {
        metaspace(json, "never", false);
        json["decoder"] = json["pre_tokenizer"].clone();
    }),
    ("tiny-llama", "unknown fused", |json| json["model"]["byte_fallback"] = json!(false)),
    ("tiny-llama", "unknown apart", |json| {
        json["model"]["byte_fallback"] = json!(false);
        json["model"]["fuse_unk"] = json!(false);
    }),
    ("tiny-llama", "some bytes known", |json| {
        for byte in 0x80..0xB0 {
            json["model"]["vocab"].as_object_mut().unwrap().remove(&format!("<0x{byte:02X}>"));
        }
        drop_added_above_vocabulary(json);
    }),
    ("tiny-llama", "some bytes known, none fused", |json| {
        for byte in 0xA0..0xE3 {
            json["model"]["vocab"].as_object_mut().unwrap().remove(&format!("<0x{byte:02X}>"));
        }
        json["model"]["fuse_unk"] = json!(false);
        drop_added_above_vocabulary(json);
    }),
    ("tiny-llama", "nothing for the unknown", |json| {
        json["model"]["byte_fallback"] = json!(false);
        json["model"]["unk_token"] = json!(null);
    }),
    ("tiny-llama", "merges across spaces", |json| {
        let model = &mut json["model"];
        model["merges"].as_array_mut().unwrap().insert(0, json!(["e", "▁"]));
        let (id, vocab) = (600, model["vocab"].as_object_mut().unwrap());
        vocab.insert("e▁".to_owned(), json!(id));
    }),
    ("tiny-llama", "a space in the vocabulary", |json| {
        json["model"]["vocab"].as_object_mut().unwrap().insert(" ".to_owned(), json!(600));
    }),
    ("tiny-llama", "end of sequence", |json| {
        let single = json["post_processor"]["single"].as_array_mut().unwrap();
        single.push(json!({"SpecialToken": {"id": "</s>", "type_id": 0}}));
        json["post_processor"]["special_tokens"]["</s>"] =
            json!({"id": "</s>", "ids": [2], "tokens": ["</s>"]});
    }),
    ("tiny-untied", "as it is", |_| {}),
    ("tiny-untied", "contractions", |json| {
        let parts = [("'", "r"), ("'r", "e"), ("'", "v"), ("'v", "e"), ("'", "l"), ("'l", "l")];
        for (id, (left, right)) in (600..).zip(parts) {
            let model = &mut json["model"];
            model["merges"].as_array_mut().unwrap().insert(0, json!([left, right]));
            model["vocab"].as_object_mut().unwrap().insert(format!("{left}{right}"), json!(id));
        }
        drop_added_above_vocabulary(json);
    }),
    ("tiny-untied", "a space first", |json| {
        json["pre_tokenizer"]["add_prefix_space"] = json!(true);
    }),
    ("tiny-untied", "no pieces", |json| json["pre_tokenizer"]["use_regex"] = json!(false)),
    ("tiny-untied", "digits apart", |json| {
        json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            json["pre_tokenizer"].clone(),
        ]});
    }),
    ("tiny-untied", "normalized added tokens", |json| {
        add_token(json, " the ", true);
        add_token(json, "<|im", true);
        add_token(json, "'s", false);
    }),
    ("tiny-untied", "bytes missing", |json| {
        for character in ["e", "Ġ", "Ã"] {
            let merges = json["model"]["merges"].as_array_mut().unwrap();
            merges.retain(|merge| !merge.to_string().contains(character));
            json["model"]["vocab"].as_object_mut().unwrap().remove(character);
        }
        drop_added_above_vocabulary(json);
    }),
];

fn added_tokens(json: &mut Value) -> &mut Vec<Value> {
    json["added_tokens"].as_array_mut().unwrap()
}

/// Adds a token that is not in the vocabulary, or is, under the id that Hugging Face gives it.
fn add_token(json: &mut Value, content: &str, normalized: bool) {
    let vocab = json["model"]["vocab"].as_object().unwrap().clone();
    let outside = added_tokens(json)
        .iter()
        .filter(|token| !vocab.contains_key(token["content"].as_str().unwrap()))
        .count();
    let id = vocab.get(content).cloned().unwrap_or(json!(vocab.len() + outside));
    added_tokens(json).push(json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": normalized, "special": false,
    }));
}

/// With a smaller vocabulary the ids of added tokens outside of it would move.
fn drop_added_above_vocabulary(json: &mut Value) {
    let vocab = json["model"]["vocab"].as_object().unwrap().clone();
    added_tokens(json).retain(|token| vocab.contains_key(token["content"].as_str().unwrap()));
}

fn metaspace(json: &mut Value, scheme: &str, split: bool) {
    json["normalizer"] = json!(null);
    json["pre_tokenizer"] = json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split,
    });
    added_tokens(json).iter_mut().for_each(|token| token["normalized"] = json!(true));
}
