//! A model that is not in the processor's memory: on a disk of blocks, read through a window of 16 KiB as it is
//! needed. The hash of the logits is `selftest`'s.
#![no_std]
#![no_main]

use acorn_core::{Arena, Engine, Limits, Model, Plan};
use acorn_firmware::storage::FlashSource;
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, selftest};
use acorn_qemu::{Disk, eprintln, println};
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

/// Bytes of the window.
const WINDOW: usize = 16 * 1024;

/// Room for all of the file but its matrices.
const RESIDENT: usize = 64 * 1024;

static ARENA: ConstStaticCell<Arena<{ ARENA_BYTES + WINDOW }>> = ConstStaticCell::new(Arena::new());
static MEMORY: ConstStaticCell<[u8; RESIDENT]> = ConstStaticCell::new([0; RESIDENT]);

fn main() -> Result<(), Error> {
    let arena = ARENA.take();
    let mut disk = FlashSource::new(Disk::open()?, 0);
    let resident = Model::resident_bytes(&mut disk)?;
    let model = Model::open(&mut disk, MEMORY.take())?;
    model.verify_through(&mut disk, arena)?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &Limits { window: Some(WINDOW), ..LIMITS })?;
    let mut engine = Engine::streaming(&model, &plan, arena, &mut disk)?;
    let outcome = selftest::run(&mut engine, &tokenizer)?;
    println!("arena {} bytes, resident {resident} bytes", plan.arena_bytes());
    println!("prompt {} tokens, {} steps", outcome.prompt, selftest::STEPS);
    println!("logits {:016x}", outcome.hash);
    eprintln!("read {} bytes in {} reads", disk.driver().bytes, disk.driver().reads);
    Ok(())
}
