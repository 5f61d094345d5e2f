//! An answer, a bounded piece of work at a time.

use acorn_core::tokenizer::Decoder;
use acorn_core::{Engine, Progress, Tokenizer, greedy};
use acorn_firmware::{Error, LINE_BYTES, encode};
use embassy_futures::yield_now;
use embassy_nrf::wdt::WatchdogHandle;

use crate::serial::{self, Port};

/// Multiply-accumulates of a poll: between two polls pass a few milliseconds at 64 MHz.
const BUDGET: u64 = 1 << 16;

/// Sends what the model says after `prompt`, token by token.
///
/// # Errors
/// The prompt is too long, or has more tokens than the context.
pub(crate) async fn answer(
    engine: &mut Engine<'_>,
    tokenizer: Tokenizer<'_>,
    prompt: &str,
    port: &mut Port,
    watchdog: &mut WatchdogHandle,
) -> Result<(), Error> {
    let mut tokens = [0; LINE_BYTES];
    let mut decoder = Decoder::new(tokenizer); // whole characters out of tokens
    engine.reset();
    let tokens = encode(tokenizer, prompt, &mut tokens)?;
    for (count, &token) in (1..).zip(tokens) {
        if count < tokens.len() {
            engine.begin_without_logits(&[token])?;
        } else {
            engine.begin(&[token])?;
        }
        finish(engine, watchdog).await?;
    }
    loop {
        let token = greedy(engine.logits());
        if tokenizer.is_stop(token) {
            break;
        }
        let mut text = serial::Text::new();
        decoder.push(token, |part| serial::append(&mut text, part));
        serial::print(port, &text).await;
        if engine.position() == engine.context() {
            break;
        }
        engine.begin(&[token])?;
        finish(engine, watchdog).await?;
    }
    let mut text = serial::Text::new();
    decoder.finish(|part| serial::append(&mut text, part));
    serial::print(port, &text).await;
    Ok(())
}

/// Finishes the pass under way, a piece of work at a time.
async fn finish(engine: &mut Engine<'_>, watchdog: &mut WatchdogHandle) -> Result<(), Error> {
    while engine.poll(BUDGET)? == Progress::Pending {
        watchdog.pet();
        yield_now().await; // other tasks run here
    }
    Ok(())
}
