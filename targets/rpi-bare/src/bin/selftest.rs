//! The hash of the logits of 64 greedy steps, with one core and with all: the host's, if the engine keeps its promise.
//! Then, line by line, of as many random steps as a line says.
#![no_std]
#![no_main]

use core::fmt::Write;

use acorn_core::{Arena, Engine, Inline, Plan, Workers};
use acorn_firmware::stack::Painted;
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, Line, selftest};
use acorn_rpi_bare::clock::microseconds;
use acorn_rpi_bare::cores::Cores;
use acorn_rpi_bare::uart::Uart;
use acorn_rpi_bare::{model, read_line};
use static_cell::ConstStaticCell;

acorn_rpi_bare::entry!(main);

static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

fn main(port: &mut Uart) -> Result<(), Error> {
    let cores = Cores::start();
    let model = model(port)?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let arena = ARENA.take();
    let stack = Painted::new();
    let runs: [(usize, &dyn Workers); 2] = [(1, &Inline), (cores.count(), &cores)];
    for (count, workers) in runs {
        let mut engine = Engine::new(&model, &plan, arena)?.with_workers(workers);
        let start = microseconds();
        let outcome = selftest::run(&mut engine, &tokenizer)?;
        let tokens = (outcome.prompt + selftest::STEPS - 1) as u64;
        let time = (microseconds() - start) / tokens;
        // The port cannot fail.
        _ = writeln!(
            port,
            "kernel {}, {count} of {} cores: {time} µs per token",
            engine.kernel(),
            cores.count()
        );
        _ = writeln!(port, "arena {ARENA_BYTES} bytes, context {}", engine.context());
        _ = writeln!(port, "prompt {} tokens, {} steps", outcome.prompt, selftest::STEPS);
        _ = writeln!(port, "logits {:016x}", outcome.hash);
    }
    _ = writeln!(port, "stack {} bytes", stack.used());

    let mut line = Line::new();
    while let Some(text) = read_line(port, &mut line)? {
        let Ok(steps) = text.parse() else { continue };
        for (count, workers) in runs {
            let mut engine = Engine::new(&model, &plan, arena)?.with_workers(workers);
            let hash = selftest::random(&mut engine, model.recipe().vocab_size, steps)?;
            _ = writeln!(
                port,
                "random {steps} steps, {count} cores: {} {hash:016x}",
                engine.kernel()
            );
        }
    }
    Ok(())
}
