//! The same tokens on every chip, shown: a hash over every bit of the logits of some greedy steps.

use acorn_core::tokenizer::{EncodeOptions, Slot, Tokenizer};
use acorn_core::{Engine, greedy};

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
    /// FNV-1a over the bits of each step's logits, as 32-bit words.
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
    let mut hash = Fnv1a::default();
    hash.add(engine.prefill(tokens.get(..prompt).unwrap_or_default())?);
    for _ in 1..STEPS {
        let token = greedy(engine.logits());
        hash.add(engine.decode(token)?);
    }
    Ok(Outcome { prompt, hash: hash.0 })
}

/// FNV-1a, 64 bits (RFC 9923), a word at a time.
struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn add(&mut self, values: &[f32]) {
        for value in values {
            self.0 = (self.0 ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
