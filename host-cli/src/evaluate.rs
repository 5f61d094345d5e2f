//! Perplexity: how surprised a model is by a text; and how far its answers are from another's.

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
    let (mut sum, mut count) = (0.0, 0);
    progress.start("scoring", tokens.len() as u64);
    for window in windows(engine.context(), bos, tokens) {
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
        progress.advance(predicted.len() as u64);
    }
    progress.finish();
    let nll = if count > 0 { sum / count as f64 } else { f64::NAN };
    Ok(Perplexity { nll, ppl: nll.exp(), tokens: count })
}

/// The text in windows, each with `bos` in front if there is one.
fn windows(
    context: usize,
    bos: Option<u32>,
    tokens: &[u32],
) -> impl Iterator<Item = Vec<u32>> + '_ {
    let per_window = if bos.is_some() { context - 1 } else { context };
    let texts = tokens.chunks(per_window.max(1)).filter(|text| text.len() > 1);
    texts.map(move |text| bos.iter().chain(text).copied().collect())
}

/// How far a model's answers to a text are from another's, the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Mean negative log-likelihood of the predicted tokens.
    pub nll: f64,
    /// e to the power of `nll`.
    pub ppl: f64,
    /// The reference's.
    pub reference_ppl: f64,
    /// By how many per cent the perplexity is larger than the reference's.
    pub ppl_change_percent: f64,
    /// Mean Kullback-Leibler divergence, KL(reference ‖ model), in nats per token.
    pub kl: f64,
    /// Per cent of the tokens for which both give the same token the largest probability.
    pub same_top_percent: f64,
    /// Tokens predicted.
    pub tokens: u64,
}

/// Compares `engine` with `reference` on `tokens`, in windows as [`perplexity`] makes them. Both must
/// have the same context, and keep all logits.
///
/// # Errors
/// A token is unknown to an engine.
pub fn compare(
    engine: &mut Engine<'_>,
    reference: &mut Engine<'_>,
    batch: usize,
    bos: Option<u32>,
    tokens: &[u32],
    progress: &dyn Progress,
) -> Result<Comparison, EngineError> {
    let (mut nll, mut reference_nll, mut kl, mut same, mut count) = (0.0, 0.0, 0.0, 0u64, 0u64);
    progress.start("comparing", tokens.len() as u64);
    for window in windows(engine.context(), bos, tokens) {
        let (fed, predicted) = (&window[..window.len() - 1], &window[1..]);
        engine.reset();
        reference.reset();
        for (fed, predicted) in fed.chunks(batch).zip(predicted.chunks(batch)) {
            engine.prefill(fed)?;
            reference.prefill(fed)?;
            let rows = engine.batch_logits().zip(reference.batch_logits()).zip(predicted);
            for ((own, expected), &token) in rows {
                let (own, expected) = (Distribution::new(own), Distribution::new(expected));
                nll += own.surprise(token as usize);
                reference_nll += expected.surprise(token as usize);
                kl += expected.divergence(&own);
                same += u64::from(own.top == expected.top);
                count += 1;
            }
        }
        progress.advance(predicted.len() as u64);
    }
    progress.finish();
    let mean = |sum: f64| if count > 0 { sum / count as f64 } else { f64::NAN };
    let (nll, reference_nll) = (mean(nll), mean(reference_nll));
    Ok(Comparison {
        nll,
        ppl: nll.exp(),
        reference_ppl: reference_nll.exp(),
        ppl_change_percent: 100.0 * ((nll - reference_nll).exp() - 1.0),
        kl: mean(kl),
        same_top_percent: 100.0 * mean(same as f64),
        tokens: count,
    })
}

/// What logits say of the next token.
struct Distribution<'l> {
    logits: &'l [f32],
    /// The place of the largest.
    top: usize,
    /// ln Σ exp(logit).
    normalizer: f64,
}

impl<'l> Distribution<'l> {
    fn new(logits: &'l [f32]) -> Self {
        let larger = |best: (usize, f32), (index, &logit): (usize, &f32)| {
            if logit > best.1 { (index, logit) } else { best }
        };
        let (top, largest) = logits.iter().enumerate().fold((0, f32::NEG_INFINITY), larger);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
        Self { logits, top, normalizer: f64::from(largest) + sum.ln() }
    }

    /// -ln of the probability of `token`.
    fn surprise(&self, token: usize) -> f64 {
        let logit = self.logits.get(token).copied().unwrap_or(f32::NEG_INFINITY);
        self.normalizer - f64::from(logit)
    }

    /// KL(self ‖ other).
    fn divergence(&self, other: &Self) -> f64 {
        let pairs = self.logits.iter().zip(other.logits);
        let terms = pairs.map(|(&own, &others)| {
            let own = f64::from(own) - self.normalizer;
            own.exp() * (own - (f64::from(others) - other.normalizer))
        });
        terms.sum()
    }
}

/// -ln of the probability that `logits` give to `token`.
fn surprise(logits: &[f32], token: u32) -> f64 {
    Distribution::new(logits).surprise(token as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions() {
        let even = Distribution::new(&[5.0, 5.0]);
        assert!((even.surprise(0) - 2f64.ln()).abs() < 1e-12 && even.divergence(&even) == 0.0);
        let certain = Distribution::new(&[0.0, 100.0]);
        assert_eq!((certain.top, even.top), (1, 0));
        assert!((certain.divergence(&even) - 2f64.ln()).abs() < 1e-6);
        assert!((even.divergence(&certain) - (50.0 - 2f64.ln())).abs() < 1e-6);
    }
}
