//! The same tokens on every chip, shown: a hash over every bit of the logits of some steps.

use acorn_core::fingerprint::{self, Hash};
use acorn_core::tokenizer::{EncodeOptions, Slot, Tokenizer};
use acorn_core::{Engine, EngineError, greedy};

use crate::Error;

/// What the model is asked.
pub const PROMPT: &str = "turn off all the lights";

/// Tokens decoded, whatever they are: the end of a text does not end the test.
pub const STEPS: usize = 64;

/// What a run of the test gives; equal wherever it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Of each step's logits.
    pub hash: u64,
}

/// Feeds the prompt, then [`STEPS`] - 1 tokens, each the most likely one.
///
/// # Errors
/// The prompt does not fit, or the context is too small.
pub fn run(engine: &mut Engine<'_>, tokenizer: &Tokenizer<'_>) -> Result<Outcome, Error> {
    let mut scratch = [Slot::EMPTY; Tokenizer::scratch_len(PROMPT.len())];
    let mut tokens = [0; PROMPT.len() + 8];
    let prompt = tokenizer.encode(PROMPT, EncodeOptions::default(), &mut scratch, &mut tokens)?;
    let mut hash = Hash::default();
    hash.add(engine.prefill(tokens.get(..prompt).unwrap_or_default())?);
    for _ in 1..STEPS {
        let token = greedy(engine.logits());
        hash.add(engine.decode(token)?);
    }
    Ok(Outcome { prompt, hash: hash.value() })
}

/// Decodes that many of the tokens that every machine draws, [`fingerprint::tokens`], in a context that starts
/// anew when it is full; returns the hash of all logits. The host's: `acorn logits FILE --random STEPS
/// --context CONTEXT`.
///
/// # Errors
/// Weights cannot be read.
pub fn random(engine: &mut Engine<'_>, vocab_size: u32, steps: usize) -> Result<u64, EngineError> {
    let mut hash = Hash::default();
    for token in fingerprint::tokens(vocab_size).take(steps) {
        if engine.position() == engine.context() {
            engine.reset();
        }
        hash.add(engine.decode(token)?);
    }
    Ok(hash.value())
}
