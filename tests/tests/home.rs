//! The bundled model answers household commands.

use std::fs;
use std::path::{Path, PathBuf};

use acorn_cli::convert::Quant;
use acorn_cli::pairs::{ExactMatch, Pair, exact_match};
use acorn_cli::text;
use acorn_core::{Limits, Model};
use acorn_tests::{converted, with_engine};

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/home")
}

/// Exact match on the first `most` lines of a file of pairs.
fn measure(quant: Quant, name: &str, most: usize) -> ExactMatch {
    let file = converted(&home(), quant);
    let model = Model::parse(&file).expect("a valid model");
    let tokenizer = model.tokenizer().expect("a tokenizer");
    let lines = fs::read_to_string(home().join(name)).expect("pairs");
    let pairs: Vec<_> = lines
        .lines()
        .take(most)
        .map(|line| {
            let pair: Pair = serde_json::from_str(line).expect("a pair");
            let prompt = text::encode(name.as_ref(), &model, &pair.text, true).expect("a prompt");
            (pair, prompt)
        })
        .collect();
    let limits = Limits { context: 256, batch: 32, ..Limits::default() };
    let result = with_engine(&file, &limits, |engine| exact_match(engine, tokenizer, &pairs, &()));
    let result = result.expect("prompts that fit");
    println!("{} {name}: {:.2} % of {}", quant.name(), result.percent, result.pairs);
    result
}

#[test]
fn hand_written_commands_are_understood() {
    let full = measure(Quant::F32, "handwritten.jsonl", 1000);
    assert!(full.pairs >= 200 && full.percent >= 97.0, "{:?}", full.misses);
    assert!(measure(Quant::Q8, "handwritten.jsonl", 1000).percent >= full.percent - 0.5);
    assert!(measure(Quant::Q4, "handwritten.jsonl", 1000).percent >= full.percent - 1.0);
}

#[test]
fn unseen_phrasings_and_combinations_are_understood() {
    let full = measure(Quant::F32, "heldout.jsonl", 10_000);
    assert!(full.pairs >= 2400 && full.percent >= 97.0, "{:?}", full.misses);
    assert!(measure(Quant::Q8, "heldout.jsonl", 10_000).percent >= full.percent - 0.3);
    assert!(measure(Quant::Q4, "heldout.jsonl", 10_000).percent >= full.percent - 1.0);
}

#[test]
fn the_first_example_is_answered_as_promised() {
    let first = measure(Quant::Q8, "handwritten.jsonl", 1);
    assert_eq!((first.pairs, first.exact), (1, 1), "{:?}", first.misses);
}
