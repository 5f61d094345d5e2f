//! Weights streamed from a file by the tool: the same bits however much is read ahead or kept, and a file that
//! is cut short meanwhile is an error that leaves the engine as it was.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use acorn_cli::convert::Quant;
use acorn_cli::memory::stream::{Stream, bytes_per_pass};
use acorn_cli::threads::Threads;
use acorn_core::error::EngineError;
use acorn_core::{Engine, Inline, Limits, Model, Plan, Source, Workers};
use acorn_tests::{Memory, converted, fixtures, model_dir, with_engine};

/// Tied and untied heads, positions rotary and learned; some larger than all that is read ahead.
const MODELS: [(&str, Quant); 4] = [
    ("tiny-llama", Quant::F32),
    ("tiny-untied", Quant::Q8),
    ("tiny-gpt2", Quant::F32),
    ("home", Quant::Q8),
];

const LIMITS: Limits = Limits {
    context: 48,
    batch: 5,
    kv: None,
    workers: 1,
    logits: acorn_core::KeepLogits::Last,
    window: Some(64 * 1024),
};

/// The model's file in a folder of its own, and its bytes.
fn file(name: &str, quant: Quant) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let own = fixtures().join("../../models").join(name);
    let dir = if own.is_dir() { own } else { model_dir(name).expect("a fixture") };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.acorn");
    let bytes = converted(&dir, quant);
    fs::write(&path, &bytes).expect("written");
    (folder, path, bytes)
}

/// Logits after a prompt in batches, and after tokens one by one.
fn run(engine: &mut Engine<'_>) -> Vec<Vec<u32>> {
    let all: Vec<u32> = (0..20).map(|index| 1 + index * 37 % 90).collect();
    let (prompt, rest) = all.split_at(12);
    let passes = [prompt].into_iter().chain(rest.chunks(1));
    let mut logits = |tokens| {
        let logits = engine.prefill(tokens).expect("tokens that fit");
        logits.iter().map(|logit| logit.to_bits()).collect()
    };
    passes.map(&mut logits).collect()
}

fn streaming<T>(
    bytes: &[u8],
    source: &mut dyn Source,
    limits: &Limits,
    workers: &dyn Workers,
    f: impl FnOnce(&mut Engine<'_>) -> T,
) -> T {
    let model = Model::parse(bytes).expect("a valid model");
    let plan = Plan::new(&model, limits).expect("a plan");
    let mut memory = Memory::new(plan.arena_bytes());
    let engine = Engine::streaming(&model, &plan, memory.arena(), source).expect("an engine");
    f(&mut engine.with_workers(workers))
}

fn open(path: &Path, bytes: &[u8], ahead: u64, kept: u64, cached: bool) -> Stream {
    let model = Model::parse(bytes).expect("a valid model");
    Stream::open(path, &model, ahead, kept, cached).expect("the file")
}

#[test]
fn what_is_read_ahead_or_kept_changes_no_bit() {
    let threads = Threads::new(3).expect("threads");
    for (name, quant) in MODELS {
        let (_folder, path, bytes) = file(name, quant);
        let expected = with_engine(&bytes, &Limits { window: None, ..LIMITS }, run);
        let all = bytes_per_pass(&Model::parse(&bytes).expect("a valid model"));
        assert!(all > bytes.len() as u64 / 2, "{name}: {all}");
        for ahead in [0, 150_000, 300_000, 1 << 20] {
            for kept in [0, 4096, all / 3, all - 4096, all] {
                for (cached, window) in [(true, 64 << 10), (false, 200 << 10)] {
                    let what = format!("{name}: {ahead} ahead, {kept} kept, window {window}");
                    let mut stream = open(&path, &bytes, ahead, kept, cached);
                    let limits = Limits { window: Some(window), ..LIMITS };
                    let twice = |engine: &mut Engine<'_>| {
                        let first = run(engine);
                        // From the middle of an order that goes on.
                        engine.reset();
                        assert!(run(engine) == first);
                        first
                    };
                    let found = streaming(&bytes, &mut stream, &limits, &Inline, twice);
                    assert!(found == expected, "{what}");
                    let limits = Limits { workers: 3, ..limits };
                    let found = streaming(&bytes, &mut stream, &limits, &threads, run);
                    assert!(found == expected, "{what}, threads");
                }
            }
        }
    }
}

/// Any order of reads gives the file's bytes.
#[test]
fn reads_out_of_order_give_the_bytes_of_the_file() {
    let (_folder, path, bytes) = file("home", Quant::Q8);
    for (ahead, kept) in [(0, 50_000), (150_000, 0), (300_000, 100_000), (1 << 20, 0)] {
        let mut stream = open(&path, &bytes, ahead, kept, false);
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let mut place = 0;
        for _ in 0..500 {
            // Mostly on from where the last one ended.
            if next(3) == 0 {
                place = next(bytes.len());
            }
            let len = next(100_000).min(bytes.len() - place);
            let mut into = vec![0; len];
            assert_eq!(stream.read(place as u64, &mut into), Ok(()));
            assert!(into == bytes[place..place + len], "{len} bytes at {place}");
            place = if place + len == bytes.len() { 0 } else { place + len };
        }
        assert!(stream.read(bytes.len() as u64 - 3, &mut [0; 4]).is_err());
    }
}

#[test]
fn a_file_cut_short_is_an_error_and_one_made_whole_goes_on() {
    let (_folder, path, bytes) = file("tiny-llama", Quant::F32);
    let expected = with_engine(&bytes, &Limits { window: None, ..LIMITS }, run);
    for ahead in [0, 150_000] {
        let mut stream = open(&path, &bytes, ahead, 0, true);
        streaming(&bytes, &mut stream, &LIMITS, &Inline, |engine| {
            assert!(run(engine) == expected);
            let file = OpenOptions::new().write(true).open(&path).expect("the file");
            file.set_len(8192).expect("cut short");
            engine.reset();
            // What was read ahead before may do for a pass.
            let error = (0..20).find_map(|_| engine.prefill(&[1]).err());
            assert!(matches!(error, Some(EngineError::Read(_))), "{error:?}");
            let position = engine.position();
            assert!(engine.prefill(&[1]).is_err());
            assert_eq!(engine.position(), position);
            fs::write(&path, &bytes).expect("written");
            engine.reset();
            assert!(run(engine) == expected);
        });
    }
}
