//! The bundled model that goes on in Shakespeare's manner, against transformers (`tools/reference/logits.py`).

use std::path::{Path, PathBuf};

use acorn_cli::convert::Quant;
use acorn_cli::text;
use acorn_core::{KeepLogits, KvKind, Limits, Model};
use acorn_tests::{
    Greedy, converted, greedy, largest_difference, logits, reference, reference_logits,
};

fn bard() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bard")
}

fn limits(kv: KvKind) -> Limits {
    Limits { context: 128, batch: 16, logits: KeepLogits::All, kv: Some(kv), ..Limits::default() }
}

#[test]
fn logits_equal_transformers() {
    let (tokens, expected) = reference_logits("bard");
    let difference = |quant, kv| {
        largest_difference(&logits(&converted(&bard(), quant), &limits(kv), &tokens), &expected)
    };
    let exact = difference(Quant::F32, KvKind::F32);
    let q8 = difference(Quant::Q8, KvKind::Int8);
    println!("bard: max |Δ| = {exact:.2e} in f32, {q8:.3} in q8, over {} positions", tokens.len());
    assert!(exact <= 1e-4 && q8 <= 1.0, "{exact} {q8}");
}

#[test]
fn greedy_text_equals_the_reference() {
    let expected: Greedy = reference("bard.greedy.json");
    let file = converted(&bard(), Quant::F32);
    let model = Model::parse(&file).expect("a valid model");
    let prompt = text::encode("bard".as_ref(), &model, "KING HENRY:\n", true).expect("a prompt");
    assert_eq!(prompt, expected.prompt_ids);
    let smallest = expected.margins.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(smallest > 2e-4, "a tie in the reference decides nothing");
    let found = greedy(&file, &limits(KvKind::F32), &prompt, expected.ids.len());
    assert_eq!(found, expected.ids);
    println!("bard: {} greedy tokens equal, smallest margin {smallest:.4}", found.len());
}
