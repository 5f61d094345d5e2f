//! An answer, token by token: what `targets/qemu/src/bin/generate.rs` spells out, for firmwares of real
//! boards.

use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot, Tokenizer};
use acorn_core::{Engine, greedy};

use crate::{Error, LINE_BYTES};

/// Gives `show` what the model says after `prompt`, in whole characters, until it ends or the context is
/// full; then the context is empty again.
///
/// # Errors
/// The prompt has more tokens than the context, or than [`LINE_BYTES`].
pub fn answer(
    engine: &mut Engine<'_>,
    tokenizer: Tokenizer<'_>,
    prompt: &str,
    show: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let mut tokens = [0; LINE_BYTES];
    engine.reset();
    engine.prefill(encode(tokenizer, prompt, &mut tokens)?)?;
    let mut decoder = Decoder::new(tokenizer);
    loop {
        let token = greedy(engine.logits());
        if tokenizer.is_stop(token) {
            break;
        }
        decoder.push(token, &mut *show);
        if engine.position() == engine.context() {
            break;
        }
        engine.decode(token)?;
    }
    decoder.finish(show);
    Ok(())
}

/// The tokens of a prompt. What it says is text: the names of added tokens in it are not commands.
///
/// # Errors
/// They are more than `tokens` holds, or the prompt is longer than [`LINE_BYTES`].
#[inline(never)] // Its buffers are no part of the stack under the engine.
pub fn encode<'a>(
    tokenizer: Tokenizer<'_>,
    prompt: &str,
    tokens: &'a mut [u32],
) -> Result<&'a [u32], Error> {
    let mut scratch = [Slot::EMPTY; Tokenizer::scratch_len(LINE_BYTES)];
    let options = EncodeOptions { parse_added: false, ..EncodeOptions::default() };
    let count = tokenizer.encode(prompt, options, &mut scratch, tokens)?;
    Ok(tokens.get(..count).unwrap_or_default())
}
