//! The engine in an Embassy task: a bounded piece of work, then a watchdog is fed and other tasks run. With
//! the prompt `hang` the task stops feeding it, and the watchdog ends the emulation.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use acorn_core::tokenizer::Decoder;
use acorn_core::{Arena, Engine, Plan, Progress, greedy};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, LINE_BYTES, encode};
use acorn_qemu::{Prompts, Watchdog, eprintln, exit, print, println};
use embassy_executor::Executor;
use embassy_futures::yield_now;
use static_cell::{ConstStaticCell, StaticCell};

acorn_qemu::entry!(main);

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());
static EXECUTOR: StaticCell<Executor> = StaticCell::new();

/// Multiply-accumulates of a poll. Fewer: other tasks wait less.
const BUDGET: u64 = 1 << 14;

/// How often the other task ran.
static OTHER: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<(), Error> {
    EXECUTOR.init(Executor::new()).run(|spawner| {
        // A task can be spawned once, and is.
        _ = generate().map(|task| spawner.spawn(task));
        _ = other().map(|task| spawner.spawn(task));
    })
}

#[embassy_executor::task]
async fn generate() {
    let result = answer().await;
    eprintln!("the other task ran {} times", OTHER.load(Ordering::Relaxed));
    exit(result)
}

/// Prints what the model says after the command line's prompt.
async fn answer() -> Result<(), Error> {
    let model = acorn_qemu::model()?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    let mut prompts = Prompts::default();
    let prompt = prompts.read()?.unwrap_or_default();
    let mut watchdog = Watchdog::start(1_000_000); // its clock's ticks: 40 ms
    if prompt == "hang" {
        loop {
            core::hint::spin_loop(); // what a watchdog is for
        }
    }

    let mut tokens = [0; LINE_BYTES];
    let mut decoder = Decoder::new(tokenizer);
    let tokens = encode(tokenizer, prompt, &mut tokens)?;
    for (count, &token) in (1..).zip(tokens) {
        if count < tokens.len() {
            engine.begin_without_logits(&[token])?;
        } else {
            engine.begin(&[token])?;
        }
        finish(&mut engine, &mut watchdog).await?;
    }
    loop {
        let token = greedy(engine.logits());
        if tokenizer.is_stop(token) {
            break;
        }
        decoder.push(token, |text| print!("{text}"));
        if engine.position() == engine.context() {
            break;
        }
        engine.begin(&[token])?;
        finish(&mut engine, &mut watchdog).await?;
    }
    decoder.finish(|text| print!("{text}"));
    println!();
    Ok(())
}

/// Finishes the pass under way, a piece of work at a time.
async fn finish(engine: &mut Engine<'_>, watchdog: &mut Watchdog) -> Result<(), Error> {
    while engine.poll(BUDGET)? == Progress::Pending {
        watchdog.feed();
        yield_now().await; // other tasks run here
    }
    Ok(())
}

/// Whatever else the product does, a piece at a time.
#[embassy_executor::task]
async fn other() {
    loop {
        OTHER.store(OTHER.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        yield_now().await;
    }
}
