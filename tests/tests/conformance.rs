//! The maths: the core against transformers, in f32 and quantized.
//!
//! The references were made by `tools/reference` (see its README).

use std::collections::BTreeMap;
use std::fs;

use acorn_cli::convert::Quant;
use acorn_cli::evaluate::{Perplexity, perplexity};
use acorn_cli::text;
use acorn_core::{KeepLogits, KvKind, Limits, Model};
use acorn_tests::{
    Greedy, converted, fixtures, greedy, largest_difference, logits, models, reference,
    reference_logits, shared, with_engine,
};
use serde::Deserialize;

/// Positions and batch of the comparisons.
fn limits(context: u32) -> Limits {
    Limits { context, batch: 16, logits: KeepLogits::All, ..Limits::default() }
}

#[test]
fn f32_logits_equal_transformers() {
    for (name, dir) in models() {
        let (tokens, expected) = reference_logits(name);
        assert_eq!(tokens.len(), 64);
        let found = logits(&converted(&dir, Quant::F32), &limits(64), &tokens);
        let difference = largest_difference(&found, &expected);
        println!("{name}: max |Δ| = {difference:.2e} over {} positions", tokens.len());
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

#[test]
fn half_precision_cache_stays_close() {
    for (name, dir) in models() {
        let (tokens, expected) = reference_logits(name);
        let limits = Limits { kv: Some(KvKind::F16), ..limits(64) };
        let found = logits(&converted(&dir, Quant::F32), &limits, &tokens);
        let difference = largest_difference(&found, &expected);
        println!("{name}: max |Δ| = {difference:.2e} with an f16 cache");
        assert!(difference > 0.0 && difference <= 0.05, "{name}: {difference}");
    }
}

#[test]
fn two_hundred_greedy_tokens_equal_the_reference() {
    for (name, dir) in models() {
        let greedy: Greedy = reference(&format!("{name}.greedy.json"));
        assert_eq!(greedy.ids.len(), 200);
        let smallest = greedy.margins.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(smallest > 2e-4, "{name}: a tie in the reference decides nothing");
        let context = (greedy.prompt_ids.len() + greedy.ids.len()) as u32;
        let file = converted(&dir, Quant::F32);
        let limits = Limits { context, ..Limits::default() };
        let found = acorn_tests::greedy(&file, &limits, &greedy.prompt_ids, greedy.ids.len());
        assert_eq!(found, greedy.ids, "{name}");
        println!("{name}: 200 greedy tokens equal, smallest margin {smallest:.4}");
    }
}

#[derive(Deserialize)]
struct Golden {
    prompt: String,
    prompt_ids: Vec<u32>,
    last_logits: Vec<f32>,
    greedy_ids: Vec<u32>,
}

/// Files made by an independent reference in double precision.
#[test]
fn golden_files_are_met() {
    let Some(shared) = shared() else { return };
    for name in ["stories260K", "TinyStories-656K"] {
        let path = shared.join("golden").join(format!("{name}.json"));
        let golden: Golden =
            serde_json::from_str(&fs::read_to_string(path).expect("a golden file"))
                .expect("its fields");
        let file = converted(&shared.join("models").join(name), Quant::F32);
        let model = Model::parse(&file).expect("a valid model");
        let ids = text::encode(name.as_ref(), &model, &golden.prompt, true).expect("a prompt");
        assert_eq!(ids, golden.prompt_ids, "{name}");

        let rows = logits(&file, &limits(64), &ids);
        let difference = largest_difference(&rows[rows.len() - 1..], &[golden.last_logits]);
        println!("{name}: max |Δ| = {difference:.2e} to the golden logits");
        assert!(difference <= 1e-4, "{name}: {difference}");

        let context = golden.greedy_ids.len() as u32;
        let limits = Limits { context, ..Limits::default() };
        let new = golden.greedy_ids.len() - ids.len();
        let found = greedy(&file, &limits, &ids, new);
        assert_eq!([ids, found].concat(), golden.greedy_ids, "{name}");
    }
}

#[derive(Deserialize)]
struct Expected {
    context: u32,
    characters: usize,
    predicted: u64,
    nll: f64,
}

fn measure(file: &[u8], text: &str, context: u32) -> Perplexity {
    let model = Model::parse(file).expect("a valid model");
    let tokens = text::encode("text".as_ref(), &model, text, false).expect("a text");
    let bos = text::bos(&model);
    with_engine(file, &Limits { batch: 32, ..limits(context) }, |engine| {
        perplexity(engine, 32, bos, &tokens, &()).expect("known tokens")
    })
}

#[test]
fn perplexity_equals_transformers_and_survives_quantization() {
    let expected: BTreeMap<String, Expected> = reference("perplexity.json");
    for (name, dir) in models() {
        let Expected { context, characters, predicted, nll } = expected[name];
        let path = match name.starts_with("tiny-") {
            true => fixtures().join("text/shakespeare.txt"),
            false => shared().expect("the model is there").join("text/tinystories.txt"),
        };
        let text = fs::read_to_string(path).expect("a text");
        let text: String = text.chars().take(characters).collect();

        let loss = |quant| {
            let found = measure(&converted(&dir, quant), &text, context);
            assert_eq!(found.tokens, predicted, "{name}");
            let loss = (found.nll - nll).exp_m1() * 100.0;
            println!(
                "{name} {}: ppl {:.4} ({loss:+.3} % to transformers)",
                quant.name(),
                found.ppl
            );
            loss
        };
        assert!(loss(Quant::F32).abs() <= 0.1, "{name}");
        assert!(loss(Quant::Q8) <= 0.5, "{name}");
        assert!(loss(Quant::Q4) <= 20.0, "{name}: worse than round-to-nearest should be");
    }
}
