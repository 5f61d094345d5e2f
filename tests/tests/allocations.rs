//! Between two tokens nothing is allocated: neither by the engine nor by the threads that it borrows.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use acorn_cli::convert::Quant;
use acorn_cli::threads::Threads;
use acorn_core::{Engine, Limits, Model, Plan, Workers, greedy};
use acorn_tests::{Memory, converted};

/// The system's allocator, counting what is asked of it.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by this function's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: by this function's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// One test: others on other threads would be counted too.
#[test]
fn tokens_are_fed_and_decoded_without_allocating() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/home");
    let file = converted(&home, Quant::Q4);
    let model = Model::parse(&file).expect("a valid model");
    for workers in 1..4 {
        let limits = Limits { context: 128, batch: 16, workers, ..Limits::default() };
        let plan = Plan::new(&model, &limits).expect("a plan");
        let mut memory = Memory::new(plan.arena_bytes());
        let count = usize::try_from(workers).expect("few");
        let threads = Threads::new(count).expect("threads");
        // A thread allocates while it starts: all have, once they have met.
        let met = AtomicUsize::new(0);
        threads.run(&|_| {
            met.fetch_add(1, Ordering::Relaxed);
            while met.load(Ordering::Relaxed) < count {
                thread::yield_now();
            }
        });
        let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
        let mut engine = engine.with_workers(&threads);
        let before = COUNT.load(Ordering::Relaxed);
        let mut token = greedy(engine.prefill(&[1; 40]).expect("a prompt"));
        while engine.position() < engine.context() {
            token = greedy(engine.decode(token).expect("a token"));
        }
        assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "{workers} thread(s)");
    }
    assert!(COUNT.load(Ordering::Relaxed) > 0, "nothing was counted at all");
}
