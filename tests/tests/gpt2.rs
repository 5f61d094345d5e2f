//! LayerNorm, biases, learned positions, a plain feed-forward with GELU: models of GPT-2's shape against
//! transformers (`tools/reference/make_gpt2.py`), and the engine's promises for them.

use std::fs;

use acorn_cli::convert::Quant;
use acorn_core::{KeepLogits, KvKind, Limits, Model, Plan};
use acorn_tests::{
    Greedy, argmax, converted, greedy, largest_difference, logits, model_dir, reference,
    reference_logits, shared, with_engine,
};
use serde::Deserialize;

fn file(quant: Quant) -> Vec<u8> {
    converted(&model_dir("tiny-gpt2").expect("a fixture"), quant)
}

fn limits(context: u32) -> Limits {
    Limits { context, batch: 16, logits: KeepLogits::All, ..Limits::default() }
}

#[test]
fn logits_equal_transformers() {
    let (tokens, expected) = reference_logits("tiny-gpt2");
    assert_eq!(tokens.len(), 64);
    let difference = |quant, kv| {
        let limits = Limits { kv: Some(kv), ..limits(64) };
        largest_difference(&logits(&file(quant), &limits, &tokens), &expected)
    };
    let exact = difference(Quant::F32, KvKind::F32);
    println!("tiny-gpt2: max |Δ| = {exact:.2e} over {} positions", tokens.len());
    assert!(exact <= 1e-4, "{exact}");
    let half = difference(Quant::F32, KvKind::F16);
    println!("tiny-gpt2: max |Δ| = {half:.2e} with an f16 cache");
    assert!(half > 0.0 && half <= 0.05, "{half}");
    // Random weights are the worst case for quantization: the logits' standard deviation is 3.2.
    let rms = |quant| {
        let found = logits(&file(quant), &limits(64), &tokens);
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        let (sum, count) = pairs.fold((0.0, 0.0), |(s, n), (a, b)| (s + (a - b).powi(2), n + 1.0));
        f32::sqrt(sum / count)
    };
    let (q8, q4) = (rms(Quant::Q8), rms(Quant::Q4));
    println!("tiny-gpt2: root of mean Δ² = {q8:.3} in q8, {q4:.3} in q4");
    assert!(q8 <= 0.2 && q4 <= 2.0, "{q8} {q4}");
}

#[test]
fn greedy_tokens_equal_the_reference() {
    let expected: Greedy = reference("tiny-gpt2.greedy.json");
    let smallest = expected.margins.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(smallest > 2e-4, "a tie in the reference decides nothing");
    let found = greedy(&file(Quant::F32), &limits(128), &expected.prompt_ids, expected.ids.len());
    assert_eq!(found, expected.ids);
    println!("tiny-gpt2: {} greedy tokens equal, smallest margin {smallest:.4}", found.len());
}

#[test]
fn prefill_in_any_batch_equals_decoding_bit_for_bit() {
    let bits = |rows: &[Vec<f32>]| -> Vec<u32> {
        rows.iter().flatten().map(|logit| logit.to_bits()).collect()
    };
    let (tokens, _) = reference_logits("tiny-gpt2");
    for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
        let file = file(quant);
        for kv in [KvKind::F32, KvKind::F16, KvKind::Int8] {
            let run = |batch| {
                let limits = Limits { batch, kv: Some(kv), ..limits(64) };
                bits(&logits(&file, &limits, &tokens))
            };
            let expected = run(1);
            for batch in [2, 7, 9, 64] {
                assert_eq!(run(batch), expected, "{} {} batch {batch}", quant.name(), kv.name());
            }
        }
    }
}

#[test]
fn polling_in_small_pieces_and_reading_to_the_last_position() {
    let (tokens, _) = reference_logits("tiny-gpt2");
    let file = file(Quant::Q8);
    let tokens: Vec<u32> = tokens.iter().chain(&tokens).copied().collect();
    let limits = Limits { context: 128, batch: 8, ..Limits::default() };
    let run = |budget| {
        with_engine(&file, &limits, |engine| {
            for part in tokens.chunks(8) {
                engine.begin(part).expect("tokens that fit");
                while engine.poll(budget) == Ok(acorn_core::Progress::Pending) {}
            }
            engine.logits().to_vec()
        })
    };
    let expected = run(u64::MAX);
    assert!(expected.iter().all(|logit| logit.is_finite()));
    assert_eq!(run(1), expected);
    assert_eq!(run(5000), expected);
    let model = Model::parse(&file).expect("a valid model");
    Plan::new(&model, &Limits { context: 129, ..limits }).expect_err("128 positions were trained");
}

#[derive(Deserialize)]
struct Golden {
    prompt_ids: Vec<u32>,
    last_logits: Vec<f32>,
    greedy_ids: Vec<u32>,
}

/// With the exact GELU, tied: logits by an independent reference in double precision.
#[test]
fn the_golden_file_is_met() {
    let Some(shared) = shared() else { return };
    let path = shared.join("golden/slm4096.json");
    let golden: Golden = serde_json::from_str(&fs::read_to_string(path).expect("a golden file"))
        .expect("its fields");
    let dir = shared.join("models/slm4096");
    let file = converted(&dir, Quant::F32);
    let ids = golden.prompt_ids;
    let rows = logits(&file, &limits(64), &ids);
    let scale = golden.last_logits.iter().fold(0f32, |max, logit| max.max(logit.abs()));
    let difference = largest_difference(&rows[rows.len() - 1..], &[golden.last_logits]);
    println!("slm4096: max |Δ| = {difference:.2e} to the golden logits, of {scale:.1}");
    assert!(difference <= 1e-4 * scale, "{difference}");

    let new = golden.greedy_ids.len() - ids.len();
    for quant in [Quant::F32, Quant::Q8] {
        let found = greedy(&converted(&dir, quant), &limits(128), &ids, new);
        let same = found.iter().zip(&golden.greedy_ids[ids.len()..]).take_while(|(a, b)| a == b);
        println!("slm4096 {}: {} of {new} greedy tokens equal", quant.name(), same.count());
        if quant == Quant::F32 {
            assert_eq!(found, golden.greedy_ids[ids.len()..]);
        }
    }
}

#[derive(Deserialize)]
struct Sorting {
    /// Six digits, then all but the last of them sorted.
    ids: Vec<u32>,
    /// After the sixth digit and each following one.
    logits: Vec<Vec<f32>>,
}

/// With the tanh GELU, a head of its own, a vocabulary of 3, a context of 11.
#[test]
fn six_digits_are_sorted() {
    if shared().is_none() {
        return;
    }
    let cases: Vec<Sorting> = reference("gpt-nano-sort.json");
    let dir = model_dir("gpt-nano-sort").expect("beside the others");
    let (exact, small) = (converted(&dir, Quant::F32), converted(&dir, Quant::Q8));
    let mut worst = 0f32;
    for case in &cases {
        let digits = &case.ids[..6];
        let mut sorted = digits.to_vec();
        sorted.sort_unstable();
        let found = logits(&exact, &limits(11), &case.ids);
        worst = worst.max(largest_difference(&found[5..], &case.logits));
        for rows in [found, logits(&small, &limits(11), &case.ids)] {
            let answer: Vec<u32> = rows[5..].iter().map(|row| argmax(row)).collect();
            assert_eq!(answer, sorted, "{digits:?}");
        }
    }
    println!("gpt-nano-sort: {} inputs sorted in f32 and q8, max |Δ| = {worst:.2e}", cases.len());
    assert!(worst <= 1e-4, "{worst}");
}
