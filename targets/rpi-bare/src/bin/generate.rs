//! A line that comes in is a prompt, the answer streams out; Ctrl-D switches off. All cores share the rows.
#![no_std]
#![no_main]

use core::fmt::Write;

use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, Line, answer};
use acorn_rpi_bare::cores::Cores;
use acorn_rpi_bare::uart::Uart;
use acorn_rpi_bare::{model, read_line, report};
use static_cell::ConstStaticCell;

acorn_rpi_bare::entry!(main);

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

fn main(port: &mut Uart) -> Result<(), Error> {
    let cores = Cores::start();
    let model = model(port)?; // the first slot whose checksums are right
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?.with_workers(&cores);
    let (kernel, count) = (engine.kernel(), cores.count());
    _ = writeln!(port, "kernel {kernel}, {count} cores, arena {ARENA_BYTES} bytes");

    let mut line = Line::new();
    loop {
        port.print("> ");
        let result = match read_line(port, &mut line) {
            Ok(None) => break,
            Ok(Some(prompt)) => {
                answer(&mut engine, tokenizer, prompt, &mut |text| port.print(text))
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => port.print("\n"),
            Err(error) => report(port, error), // the next prompt may be fine
        }
    }
    port.print("\n");
    Ok(())
}
