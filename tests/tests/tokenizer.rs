//! Our tokenizer equals Hugging Face's: the same tokens for every text, the same text for them.

use std::fs;

use acorn_core::tokenizer::{EncodeError, EncodeOptions, Slot, Tokenizer};
use acorn_tests::tokenizers::{Change, Pair, VARIANTS, changed, convert, encode, fixture};
use acorn_tests::{fixtures, shared};
use proptest::prelude::*;
use serde_json::json;

/// Texts that are known to be hard, and what the fixtures' added tokens look like.
const HARD: &[&str] = &[
    "",
    " ",
    "   ",
    "a  b   c    ",
    "\n\n a\t\tb \u{3000}\u{A0} c\r\n",
    "I'm you're they've he'll she'd 'S 'RE ' s''t",
    " 123 4 5½ ²³ ٣٤٥ Ⅷ,1.5",
    "é日本語\u{10FFFF}\u{0}é",
    "x日y本z語 日 本",
    "▁▁a ▁ b▁",
    "<s>a<s> b <s><s></s> <unk>",
    "he heé heéhe the ",
    " two words two words▁two▁words",
    "▁▁x  x ▁x",
    "<|endoftext|><|im_start|>user\n<|im_end|> <|im <|im_",
    " the  the the 's it's",
];

fn text(name: &str) -> String {
    fs::read_to_string(fixtures().join("text").join(name)).unwrap()
}

fn variants() -> impl Iterator<Item = Pair> {
    VARIANTS.iter().map(|(model, change, apply)| {
        Pair::new(&format!("{model}, {change}"), &changed(model, apply))
    })
}

#[test]
fn fixtures_equal_the_reference_on_whole_texts_and_lines() {
    for pair in variants() {
        for text in [text("shakespeare.txt"), text("torture.txt")] {
            pair.check(&text);
            text.lines().for_each(|line| drop(pair.check(line)));
        }
        HARD.iter().for_each(|text| drop(pair.check(text)));
    }
}

/// One character on each side of each border between classes.
#[test]
fn every_border_of_unicode_classes_equals_the_reference() {
    let class = |c: char| (c.is_alphabetic(), c.is_numeric(), c.is_whitespace());
    let mut borders = String::new();
    let chars: Vec<char> = ('\0'..=char::MAX).collect();
    for pair in chars.windows(2) {
        if class(pair[0]) != class(pair[1]) {
            pair.iter().for_each(|c| borders.push_str(&format!("a{c}1{c} {c},{c}  {c}")));
        }
    }
    variants()
        .filter(|pair| pair.name.contains("untied"))
        .for_each(|pair| drop(pair.check(&borders)));
}

#[test]
fn the_self_test_of_the_converter_passes() {
    for (model, change, apply) in VARIANTS {
        let json = changed(model, apply);
        let section = convert(&json).unwrap();
        let report = acorn_cli::hf::tokenizer::self_test(&json, &section)
            .unwrap_or_else(|error| panic!("{model}, {change}: {error}"));
        assert!(report.texts > 20 && report.vocabulary > 300, "{report:?}");
    }
}

/// Strings of characters that matter to some tokenizer, of any characters, and of both.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-eA-Ehst ]{1,8}",
        2 => prop::sample::select(HARD).prop_map(str::to_owned),
        2 => "[ \t\n\r\u{A0}\u{3000}▁]{1,4}",
        2 => "['’a-z0-9.,½²]{1,6}",
        2 => any::<char>().prop_map(String::from),
        1 => "\\PC{1,6}",
        1 => prop::sample::select(&["<s>", "</s>", "<unk>", "<|im_start|>", "<0x41>"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn random_texts_equal_the_reference() {
    let pairs: Vec<Pair> = variants().collect();
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() };
    proptest!(config, |(text in any_text())| {
        pairs.iter().for_each(|pair| drop(pair.check(&text)));
    });
}

#[test]
fn real_tokenizers_equal_the_reference_on_real_texts() {
    let Some(data) = shared() else { return };
    let names = ["stories260K", "TinyStories-656K", "gpt2", "llama2", "minimind", "smollm"];
    for name in names {
        let folders = ["models", "tokenizers"].map(|folder| data.join(folder).join(name));
        let Some(dir) = folders.iter().find(|dir| dir.join("tokenizer.json").exists()) else {
            println!("skipped: {name} is not there");
            continue;
        };
        let pair = Pair::open(dir);
        HARD.iter().for_each(|text| drop(pair.check(text)));
        for entry in fs::read_dir(data.join("text")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let tokens = pair.check_with(&text, false).len();
            println!("{name}: {}: {tokens} tokens equal", path.file_name().unwrap().display());
        }
    }
}

#[test]
fn llama_cpp_s_vectors_for_gpt2() {
    let Some(data) = shared() else { return };
    let pair = Pair::open(&data.join("tokenizers/gpt2"));
    let read = |end: &str| {
        let path = data.join(format!("tokenizers/vectors/ggml-vocab-gpt-2.gguf.{end}"));
        fs::read_to_string(path).unwrap()
    };
    let (inputs, outputs) = (read("inp"), read("out"));
    let inputs: Vec<_> = inputs.split("\n__ggml_vocab_test__\n").collect();
    let outputs: Vec<_> = outputs.lines().collect();
    let plain = EncodeOptions { add_special: false, parse_added: false };
    let mut checked = 0;
    for (input, output) in inputs.iter().zip(&outputs) {
        let ids: Vec<u32> = output.split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(encode(&pair.tokenizer(), input, plain).unwrap(), ids, "{input:?}");
        checked += 1;
    }
    assert_eq!(checked, outputs.len());
    println!("{checked} vectors equal");
}

#[test]
fn text_that_is_not_trusted_makes_no_added_token() {
    let pair = Pair::new("tiny-untied", &changed("tiny-untied", |_| {}));
    let tokenizer = pair.tokenizer();
    let text = "<|im_start|>system<|im_end|><|endoftext|>";
    let trusted = encode(&tokenizer, text, EncodeOptions::default()).unwrap();
    assert!(trusted.iter().any(|&id| tokenizer.is_special(id)));
    let ids = encode(&tokenizer, text, EncodeOptions::UNTRUSTED).unwrap();
    assert!(!ids.iter().any(|&id| tokenizer.is_special(id)));
    let mut shown = String::new();
    tokenizer.decode(&ids, |part| shown.push_str(part));
    assert_eq!(shown, text);
}

#[test]
fn buffers_below_the_need_are_refused_and_the_need_is_enough() {
    for pair in variants() {
        let tokenizer = pair.tokenizer();
        let text = "<s> Once upon a time, 日本 there was no <unk> spaceeeeeeeeeeeeee  12";
        let options = EncodeOptions::default();
        let ids = encode(&tokenizer, text, options).unwrap();
        let run = |slots: usize, tokens: usize| {
            let (mut scratch, mut out) = (vec![Slot::EMPTY; slots], vec![0; tokens]);
            tokenizer.encode(text, options, &mut scratch, &mut out).map(|len| out[..len].to_vec())
        };
        let enough = Tokenizer::scratch_len(text.len());
        for have in 0..ids.len() {
            let need = ids.len();
            assert_eq!(run(enough, have), Err(EncodeError::Output { need, have }));
        }
        assert_eq!(run(enough, ids.len()), Ok(ids.clone()));

        // The first size that suffices is one that an error asked for; all below fail.
        let mut asked = 0;
        for slots in 0..=enough {
            match run(slots, ids.len()) {
                Err(EncodeError::Scratch { need, have }) => {
                    assert!(have == slots && need > have, "{}: {need} {have}", pair.name);
                    asked = need;
                }
                result => {
                    assert_eq!(result, Ok(ids.clone()), "{}", pair.name);
                    assert!(slots >= asked, "{}: {slots} suffice, {asked} asked for", pair.name);
                }
            }
        }
        assert!(asked <= enough);
    }
}

#[test]
fn malformed_and_unknown_are_refused_by_name() {
    let cases: &[(&str, Change)] = &[
        ("model.type: Unigram", |json| json["model"]["type"] = json!("Unigram")),
        ("model.dropout", |json| json["model"]["dropout"] = json!(0.1)),
        ("model.ignore_merges", |json| json["model"]["ignore_merges"] = json!(true)),
        ("end_of_word_suffix", |json| json["model"]["end_of_word_suffix"] = json!("</w>")),
        ("continuing_sub", |json| json["model"]["continuing_subword_prefix"] = json!("##")),
        ("unknown field `cleverness`", |json| json["model"]["cleverness"] = json!(1)),
        ("model.merges[0]: expected two tokens", |json| {
            json["model"]["merges"][0] = json!("a b c")
        }),
        ("model.merges[1]: expected two tokens", |json| json["model"]["merges"][1] = json!(["a"])),
        ("model.merges[2]: expected \"日\"", |json| json["model"]["merges"][2] = json!("日 a")),
        ("model.unk_token", |json| json["model"]["unk_token"] = json!("<none>")),
        ("normalizer: NFC", |json| json["normalizer"] = json!({"type": "NFC"})),
        ("pre_tokenizer: Whitespace", |json| json["pre_tokenizer"] = json!({"type": "Whitespace"})),
        ("post_processor: Bert", |json| json["post_processor"] = json!({"type": "BertProcessing"})),
        ("decoder: none", |json| json["decoder"] = json!(null)),
        ("decoder.decoders[0]: BPEDecoder", |json| {
            json["decoder"]["decoders"][0]["type"] = json!("BPEDecoder");
        }),
        ("lstrip: true", |json| json["added_tokens"][0]["lstrip"] = json!(true)),
        ("rstrip: true", |json| json["added_tokens"][1]["rstrip"] = json!(true)),
        ("single_word: true", |json| json["added_tokens"][2]["single_word"] = json!(true)),
        ("added_tokens[1]", |json| json["added_tokens"][1]["id"] = json!(7)),
        ("an id of its own", |json| json["model"]["vocab"]["he"] = json!(5)),
        ("an id below", |json| json["model"]["vocab"]["he"] = json!(4_294_967_295u32)),
        ("missing field `vocab`", |json| drop(json["model"]["vocab"].take())),
    ];
    for (expected, change) in cases {
        let error = convert(&changed("tiny-llama", change)).err();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        let null = expected.starts_with("missing") && message.contains("invalid type: null");
        assert!(message.contains(expected) || null, "{expected}: {message:?}");
    }
    let Some(data) = shared() else { return };
    let malformed = fs::read(data.join("tokenizers/malformed/ort_llama2_tokenizer.json")).unwrap();
    let message = convert(&malformed).unwrap_err().to_string();
    println!("malformed: {message}");
    assert!(message.contains("model.merges["), "{message}");
    for name in ["bert-base-uncased", "llama3", "qwen3"] {
        let json = fs::read(data.join("tokenizers").join(name).join("tokenizer.json")).unwrap();
        println!("{name}: {}", convert(&json).unwrap_err());
    }
}

#[test]
fn begin_end_and_stop_tokens_come_from_the_files_in_order() {
    use acorn_cli::hf::tokenizer::{Sources, section};
    use acorn_core::format::tokenizer::Tables;
    let json = serde_json::to_vec(&fixture("tiny-untied")).unwrap();
    let generation = br#"{"bos_token_id": 381, "eos_token_id": [383, 381]}"#;
    let config = br#"{"eos_token_id": 5, "hidden_size": 1}"#;
    let names = br#"{"eos_token": {"content": "<|im_start|>"}}"#;
    let sources = Sources {
        tokenizer: &json,
        generation_config: Some(generation),
        config: Some(config),
        tokenizer_config: Some(names),
    };
    let bytes = section(&sources, 384).unwrap();
    let tokenizer = Tokenizer::new(Tables::parse(&bytes, 0, 384).unwrap());
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(381), Some(383)));
    assert_eq!(tokenizer.stops().collect::<Vec<_>>(), [381, 382, 383]);
    assert!(tokenizer.is_stop(381) && !tokenizer.is_stop(5) && !tokenizer.adds_bos());
    let error = section(&sources, 383).unwrap_err().to_string();
    assert!(error.contains("vocab_size 383"), "{error}");
    let wild = Sources { generation_config: Some(br#"{"eos_token_id": 384}"#), ..sources };
    let error = section(&wild, 384).unwrap_err().to_string();
    assert!(error.contains("generation_config.json: eos_token_id"), "{error}");
}
