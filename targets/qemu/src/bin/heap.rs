//! An application with a heap around an engine without one: it keeps what was said, in `String`s in a
//! `VecDeque`, and forgets the oldest when memory runs out. The engine has its arena and nothing else.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::VecDeque;
use alloc::string::String;

use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, answer};
use acorn_qemu::println;
use embedded_alloc::LlffHeap;
use static_cell::ConstStaticCell;

acorn_qemu::entry!(main);

/// The engine's memory.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

/// The application's memory.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();
const HEAP_BYTES: usize = 1024;

/// Bytes of a question with its answer.
const EXCHANGE: usize = 256;

#[allow(unsafe_code)]
fn main() -> Result<(), Error> {
    // SAFETY: this program's only call, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, HEAP_BYTES);
    }
    let model = acorn_qemu::model()?;
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;

    let mut history = VecDeque::new();
    for device in ["lights", "fans", "heaters", "lamps", "alarms"] {
        let mut text = room_for_another(&mut history);
        text.push_str("turn off all the ");
        text.push_str(device);
        let prompt = text.clone();
        text.push_str(": ");
        let before = HEAP.used();
        answer(&mut engine, tokenizer, &prompt, &mut |part| text.push_str(part))?;
        println!("{text}");
        println!("  heap: {before} bytes in use, the engine took {}", HEAP.used() - before);
        history.push_back(text);
    }
    println!("remembers the last {}", history.len());
    Ok(())
}

/// An empty text, at the price of the oldest ones if need be.
fn room_for_another(history: &mut VecDeque<String>) -> String {
    let mut text = String::new();
    while text.try_reserve_exact(EXCHANGE).is_err() || history.try_reserve(1).is_err() {
        if history.pop_front().is_none() {
            break;
        }
    }
    text
}
