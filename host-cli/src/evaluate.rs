//! Perplexity: how surprised a model is by a text.

use acorn_core::Engine;
use acorn_core::error::EngineError;
use serde::Serialize;

use crate::progress::Progress;

/// The surprise of a model at a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Perplexity {
    /// Mean negative log-likelihood of the predicted tokens, natural logarithm.
    pub nll: f64,
    /// e to the power of `nll`.
    pub ppl: f64,
    /// Tokens predicted.
    pub tokens: u64,
}

/// Scores `tokens`, a whole text without special tokens, in windows of the engine's context.
///
/// With `bos`, a window is that token and the next context - 1 tokens, all of which are predicted;
/// without, it is the next `context` tokens, the first of which is not predicted. A last window with
/// a single token of text is dropped. The engine must keep all logits
/// ([`acorn_core::KeepLogits::All`]).
///
/// # Errors
/// A token is unknown to the engine.
pub fn perplexity(
    engine: &mut Engine<'_>,
    batch: usize,
    bos: Option<u32>,
    tokens: &[u32],
    progress: &dyn Progress,
) -> Result<Perplexity, EngineError> {
    let context = engine.context();
    let per_window = if bos.is_some() { context - 1 } else { context };
    let (mut sum, mut count) = (0.0, 0);
    progress.start("scoring", tokens.len() as u64);
    for text in tokens.chunks(per_window.max(1)).filter(|text| text.len() > 1) {
        let window: Vec<u32> = bos.iter().chain(text).copied().collect();
        // Each token but the last is fed, and predicts the next.
        let (fed, predicted) = (&window[..window.len() - 1], &window[1..]);
        engine.reset();
        for (fed, predicted) in fed.chunks(batch).zip(predicted.chunks(batch)) {
            engine.prefill(fed)?;
            for (logits, &token) in engine.batch_logits().zip(predicted) {
                sum += surprise(logits, token);
                count += 1;
            }
        }
        progress.advance(text.len() as u64);
    }
    progress.finish();
    let nll = if count > 0 { sum / count as f64 } else { f64::NAN };
    Ok(Perplexity { nll, ppl: nll.exp(), tokens: count })
}

/// -ln of the probability that `logits` give to `token`.
fn surprise(logits: &[f32], token: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    let own = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
    sum.ln() - f64::from(own - largest)
}
