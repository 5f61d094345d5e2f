//! A prompt goes in, the model's answer streams out: all that a product needs of Acorn.
#![no_std]
#![no_main]

use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot};
use acorn_core::{Arena, Engine, Plan, Tokenizer, greedy};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, LINE_BYTES as PROMPT_BYTES};
use acorn_qemu::{Prompts, eprintln, print, println};
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

fn main() -> Result<(), Error> {
    let model = acorn_qemu::model()?; // the first slot in flash whose checksums are right
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;

    let mut prompts = Prompts::default();
    while let Some(prompt) = prompts.read()? {
        answer(&mut engine, tokenizer, prompt)?;
        engine.reset(); // the next prompt starts with an empty context
    }
    Ok(())
}

/// Prints what the model says after `prompt`, token by token.
fn answer(engine: &mut Engine<'_>, tokenizer: Tokenizer<'_>, prompt: &str) -> Result<(), Error> {
    let mut scratch = [Slot::EMPTY; Tokenizer::scratch_len(PROMPT_BYTES)];
    let mut tokens = [0; PROMPT_BYTES];
    let options = EncodeOptions { parse_added: false, ..EncodeOptions::default() };
    let count = tokenizer.encode(prompt, options, &mut scratch, &mut tokens)?;

    engine.prefill(&tokens[..count])?;
    let mut decoder = Decoder::new(tokenizer); // whole characters out of tokens
    loop {
        let token = greedy(engine.logits());
        if tokenizer.is_stop(token) {
            break;
        }
        decoder.push(token, |text| print!("{text}"));
        if engine.position() == engine.context() {
            eprintln!("context full: {} positions", engine.context());
            break;
        }
        engine.decode(token)?;
    }
    decoder.finish(|text| print!("{text}"));
    println!();
    Ok(())
}
