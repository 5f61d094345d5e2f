//! The firmware's self-test on this machine, with every kernel that it can run, alone and shared by two
//! threads as by a device's two cores: what a device must give.
//!
//!     ACORN_MODEL=home.acorn cargo run --release --example host

use std::error::Error;
use std::thread;

use acorn_core::{Arena, Engine, Limits, Plan, kernel};
use acorn_firmware::{ARENA_BYTES, LIMITS, Pool, SECOND_CORE_BYTES, boot, selftest};

static CORES: Pool = Pool::new(|| ());

fn main() -> Result<(), Box<dyn Error>> {
    let model = boot(|slot, error| eprintln!("slot {}: {error}", slot.name))?;
    let tokenizer = model.tokenizer().ok_or(acorn_firmware::Error::NoTokenizer)?;
    let plan = Plan::new(&model, &Limits { workers: 2, ..LIMITS })?;
    let mut arena = Box::new(Arena::<{ ARENA_BYTES + SECOND_CORE_BYTES }>::new());
    // It never ends: the program does.
    thread::spawn(|| CORES.help_for_good(thread::yield_now));
    for kernel in kernel::available() {
        let mut engine = Engine::new(&model, &plan, &mut arena)?.with_kernel(kernel);
        let outcome = selftest::run(&mut engine, &tokenizer)?;
        println!("{} {:016x}", kernel.name, outcome.hash);
        let engine = Engine::new(&model, &plan, &mut arena)?.with_kernel(kernel);
        let outcome = selftest::run(&mut engine.with_workers(&CORES), &tokenizer)?;
        println!("{}+two-cores {:016x}", kernel.name, outcome.hash);
    }
    Ok(())
}
