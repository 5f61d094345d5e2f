//! The hash of the logits of 64 greedy steps: the host's, if the engine keeps its promise.
#![no_std]
#![no_main]

use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, selftest};
use acorn_qemu::{eprintln, println};
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

fn main() -> Result<(), Error> {
    let model = acorn_qemu::model()?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    eprintln!("kernel {}", engine.kernel());
    let outcome = selftest::run(&mut engine, &tokenizer)?;
    println!("arena {ARENA_BYTES} bytes, context {}", engine.context());
    println!("prompt {} tokens, {} steps", outcome.prompt, selftest::STEPS);
    println!("logits {:016x}", outcome.hash);
    Ok(())
}
