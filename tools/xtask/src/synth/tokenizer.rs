//! A `tokenizer.json` of any size: SentencePiece's byte-pair encoding as Llama has it, which reads
//! and writes every text, filled up with words that nobody uses.

use serde_json::{Value, json};

/// The token that begins a text.
pub(super) const BEGIN: usize = 1;
/// The token that ends one.
pub(super) const END: usize = 2;

const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
/// Each of two tokens that are there already.
const MERGES: [(&str, &str); 11] = [
    ("▁", "t"),
    ("h", "e"),
    ("▁t", "he"),
    ("▁", "a"),
    ("n", "d"),
    ("▁a", "nd"),
    ("i", "n"),
    ("e", "r"),
    ("▁", "w"),
    ("▁", "s"),
    ("o", "u"),
];
const CONSONANTS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
const VOWELS: &[u8; 5] = b"aeiou";

/// `tokenizer.json` for `size` tokens.
pub(super) fn json(size: usize) -> Value {
    let vocab: serde_json::Map<String, Value> =
        vocabulary(size).into_iter().zip((0..).map(Value::from)).collect();
    let added = SPECIAL.iter().enumerate().map(|(id, content)| {
        json!({
            "id": id, "content": content, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    });
    let begin = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
    let text = |id, type_id| json!({"Sequence": {"id": id, "type_id": type_id}});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, text("A", 0)],
            "pair": [begin, text("A", 0), begin, text("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BEGIN], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": "<unk>",
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": MERGES,
        },
    })
}

/// `tokenizer_config.json`
pub(super) fn config(context: u32) -> Value {
    json!({
        "add_bos_token": true,
        "add_eos_token": false,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": false,
        "model_max_length": context,
        "tokenizer_class": "LlamaTokenizer",
    })
}

/// `size` different tokens: special ones, bytes, characters, what merges make, words.
fn vocabulary(size: usize) -> Vec<String> {
    let special = SPECIAL.into_iter().map(str::to_owned);
    let bytes = (0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>"));
    let characters = ['▁'].into_iter().chain('!'..='~').map(String::from);
    let merged = MERGES.iter().map(|(left, right)| format!("{left}{right}"));
    let words = (0..).map(word);
    special.chain(bytes).chain(characters).chain(merged).chain(words).take(size).collect()
}

/// The word of a number below a million: three syllables of a hundred.
fn word(mut number: usize) -> String {
    let mut word = "▁".to_owned();
    for _ in 0..3 {
        let syllable = number % (CONSONANTS.len() * VOWELS.len());
        number /= CONSONANTS.len() * VOWELS.len();
        word.push(char::from(CONSONANTS[syllable / VOWELS.len()]));
        word.push(char::from(VOWELS[syllable % VOWELS.len()]));
    }
    word
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_differ_and_merges_are_among_them() {
        let size = 151_936;
        let tokens: HashSet<String> = vocabulary(size).into_iter().collect();
        assert_eq!(tokens.len(), size);
        for (left, right) in MERGES {
            assert!(tokens.contains(left) && tokens.contains(right), "{left} {right}");
            assert!(tokens.contains(&format!("{left}{right}")));
        }
    }

    #[test]
    fn begin_and_end_are_where_the_config_says() {
        let tokens = vocabulary(1000);
        assert_eq!((tokens[BEGIN].as_str(), tokens[END].as_str()), ("<s>", "</s>"));
    }
}
