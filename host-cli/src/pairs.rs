//! Exact match: how often a model answers just as it should.

use acorn_core::{Engine, EngineError, Sampler, SamplerOptions, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::progress::Progress;
use crate::text::Stream;

/// A prompt and the one right answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Pair {
    /// The prompt.
    pub text: String,
    /// The answer.
    pub json: String,
}

/// How often the answers were right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExactMatch {
    /// Pairs.
    pub pairs: u64,
    /// Answers equal to the last character.
    pub exact: u64,
    /// `exact` of `pairs`, in per cent.
    pub percent: f64,
    /// The answers that were not.
    pub misses: Vec<Miss>,
}

/// An answer that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Miss {
    /// The prompt.
    pub text: String,
    /// The right answer.
    pub expected: String,
    /// The model's.
    pub found: String,
}

/// Answers every prompt greedily, up to a stop token or the end of the context.
///
/// # Errors
/// A prompt does not fit the context: its number, from 0, and why.
pub fn exact_match(
    engine: &mut Engine<'_>,
    tokenizer: Tokenizer<'_>,
    pairs: &[(Pair, Vec<u32>)],
    progress: &dyn Progress,
) -> Result<ExactMatch, (usize, EngineError)> {
    progress.start("answering", pairs.len() as u64);
    let mut misses = Vec::new();
    for (index, (pair, prompt)) in pairs.iter().enumerate() {
        let found = answer(engine, tokenizer, prompt).map_err(|error| (index, error))?;
        if found != pair.json {
            let Pair { text, json } = pair.clone();
            misses.push(Miss { text, expected: json, found });
        }
        progress.advance(1);
    }
    progress.finish();
    let (pairs, exact) = (pairs.len() as u64, (pairs.len() - misses.len()) as u64);
    let percent = if pairs > 0 { exact as f64 * 100.0 / pairs as f64 } else { 0.0 };
    Ok(ExactMatch { pairs, exact, percent, misses })
}

fn answer(
    engine: &mut Engine<'_>,
    tokenizer: Tokenizer<'_>,
    prompt: &[u32],
) -> Result<String, EngineError> {
    let greedy = Sampler::new(SamplerOptions::default());
    let mut sampler = greedy.unwrap_or_else(|error| unreachable!("the default is valid: {error}"));
    let mut stream = Stream::new(tokenizer, prompt);
    let mut text = String::new();
    engine.reset();
    engine.prefill(prompt)?;
    loop {
        let token = sampler.sample(engine.logits(), &[]);
        if tokenizer.is_stop(token) {
            break;
        }
        text.push_str(&stream.push(token));
        if engine.position() == engine.context() {
            break;
        }
        engine.decode(token)?;
    }
    text.push_str(&stream.finish());
    Ok(text)
}
