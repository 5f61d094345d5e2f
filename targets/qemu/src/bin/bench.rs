//! Instructions per token, whole and part by part, averaged over as many tokens as the command line says.
#![no_std]
#![no_main]

use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::stack::Painted;
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, bench};
use acorn_qemu::{argument, instructions, println};
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

/// Tokens if the command line says nothing.
const TOKENS: usize = 32;

fn main() -> Result<(), Error> {
    let model = acorn_qemu::model()?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    let count = argument().unwrap_or(TOKENS);
    let first = model.tokenizer().and_then(|tokenizer| tokenizer.bos()).unwrap_or(0);
    let stack = Painted::new();
    let all = bench::decode(&mut engine, first, count, instructions)?;
    engine.reset();
    let cost = bench::parts(&mut engine, model.recipe(), first, count, instructions)?;
    let depth = stack.used();
    println!("kernel {}, positions 0 to {}", engine.kernel(), count.saturating_sub(1));
    let total = cost.total().max(1);
    for (part, sum) in cost.parts() {
        println!("{:18} {:>10} {:>3} %", part.name(), sum / count as u64, 100 * sum / total);
    }
    println!("{:18} {:>10} instructions per token", "all in parts", total / count as u64);
    println!("{:18} {:>10} instructions per token", "all", all / count as u64);
    println!("{:18} {depth:>10} bytes of stack", "a poll");
    Ok(())
}
