//! The hash of the logits of 64 greedy steps, or of as many random ones as the command line says: the
//! host's, if the engine keeps its promise.
#![no_std]
#![no_main]

use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, selftest};
use acorn_qemu::{argument, eprintln, println};
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

fn main() -> Result<(), Error> {
    let model = acorn_qemu::model()?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    eprintln!("kernel {}", engine.kernel());
    if let Some(steps) = argument() {
        let hash = selftest::random(&mut engine, model.recipe().vocab_size, steps)?;
        println!("kernel {}", engine.kernel());
        println!("random {steps} steps");
        println!("logits {hash:016x}");
        return Ok(());
    }
    let outcome = selftest::run(&mut engine, &tokenizer)?;
    println!("arena {ARENA_BYTES} bytes, context {}", engine.context());
    println!("prompt {} tokens, {} steps", outcome.prompt, selftest::STEPS);
    println!("logits {:016x}", outcome.hash);
    Ok(())
}
