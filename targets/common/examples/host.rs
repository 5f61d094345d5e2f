//! The firmware's self-test on this machine, with every kernel that it can run: what a device must give.
//!
//!     ACORN_MODEL=home.acorn cargo run --release --example host

use std::error::Error;

use acorn_core::{Arena, Engine, Plan, kernel};
use acorn_firmware::{ARENA_BYTES, LIMITS, boot, selftest};

fn main() -> Result<(), Box<dyn Error>> {
    let model = boot(|slot, error| eprintln!("slot {}: {error}", slot.name))?;
    let tokenizer = model.tokenizer().ok_or(acorn_firmware::Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut arena = Box::new(Arena::<ARENA_BYTES>::new());
    for kernel in kernel::available() {
        let mut engine = Engine::new(&model, &plan, &mut arena)?.with_kernel(kernel);
        let outcome = selftest::run(&mut engine, &tokenizer)?;
        println!("{} {:016x}", kernel.name, outcome.hash);
    }
    Ok(())
}
