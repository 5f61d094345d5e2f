//! How far a quantized model's answers are from the original one's.

use std::path::Path;

use acorn_core::{Engine, EngineError, KeepLogits, Limits, Model, Plan};
use serde::Serialize;

use super::parallel::{self, Arena};
use crate::error::Error;

/// A model's answers to windows of a text: log-probabilities [tokens - 1, vocab_size] each.
#[derive(Debug)]
pub struct Answers(Vec<Vec<f32>>);

/// How far a model is from the one whose answers are compared.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Divergence {
    /// Mean KL(original ‖ model) per token, in nats.
    pub divergence: f64,
    /// Perplexity of the original on the same tokens.
    pub ppl_before: f64,
    /// The model's.
    pub ppl_after: f64,
    /// Tokens predicted.
    pub tokens: u64,
}

impl Answers {
    /// The answers of `model`.
    ///
    /// # Errors
    /// The engine does not take the model.
    pub fn of(model: &Model<'_>, path: &Path, windows: &[Vec<u32>]) -> Result<Self, Error> {
        let mut answers = vec![Ok(Vec::new()); windows.len()];
        parallel::each(windows.iter().zip(&mut answers), |(window, answer)| {
            *answer = run(model, window);
        });
        let answers: Result<Vec<_>, String> = answers.into_iter().collect();
        answers.map(Self).map_err(|problem| Error::internal(path, problem))
    }
}

/// How far `model` is from the model of those answers to the same windows.
///
/// # Errors
/// The engine does not take the model.
pub fn divergence(
    answers: &Answers,
    model: &Model<'_>,
    path: &Path,
    windows: &[Vec<u32>],
) -> Result<Divergence, Error> {
    let own = Answers::of(model, path, windows)?;
    let vocab = model.recipe().vocab_size as usize;
    let (mut sum, mut before, mut after, mut count) = (0.0, 0.0, 0.0, 0u64);
    for ((window, original), own) in windows.iter().zip(&answers.0).zip(&own.0) {
        let rows = original.chunks_exact(vocab).zip(own.chunks_exact(vocab));
        for ((original, own), token) in rows.zip(&window[1..]) {
            for (original, own) in original.iter().zip(own) {
                let (original, own) = (f64::from(*original), f64::from(*own));
                sum += libm::exp(original) * (original - own);
            }
            before -= f64::from(original[*token as usize]);
            after -= f64::from(own[*token as usize]);
            count += 1;
        }
    }
    let tokens = count.max(1) as f64;
    Ok(Divergence {
        divergence: sum / tokens,
        ppl_before: libm::exp(before / tokens),
        ppl_after: libm::exp(after / tokens),
        tokens: count,
    })
}

fn run(model: &Model<'_>, window: &[u32]) -> Result<Vec<f32>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // Each token but the last is fed, and predicts the next.
    let Some((_, fed)) = window.split_last().filter(|(_, fed)| !fed.is_empty()) else {
        return Ok(Vec::new());
    };
    let limits = Limits {
        context: fed.len() as u32,
        batch: 32,
        logits: KeepLogits::All,
        ..Limits::default()
    };
    let plan = Plan::new(model, &limits).map_err(|error| text(&error))?;
    let mut arena = Arena::new(&plan);
    let mut engine = Engine::new(model, &plan, arena.bytes()).map_err(|error| text(&error))?;
    let mut all = Vec::new();
    for batch in fed.chunks(plan.batch()) {
        engine.prefill(batch).map_err(|error: EngineError| text(&error))?;
        for logits in engine.batch_logits() {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|x| libm::exp(f64::from(x - largest))).sum();
            let shift = libm::log(sum);
            all.extend(logits.iter().map(|x| (f64::from(x - largest) - shift) as f32));
        }
    }
    Ok(all)
}
