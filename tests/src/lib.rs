//! What the tests share: where models and references lie, and an engine in a line.

pub mod device;
pub mod tokenizers;

use std::fs;
use std::path::{Path, PathBuf};

use acorn_cli::convert::{Quant, convert};
use acorn_core::kernel::{self, Kernel};
use acorn_core::plan::ALIGNMENT;
use acorn_core::{Engine, Limits, Model, Plan};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `tests/fixtures` of the repository.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Real models and texts beside the checkout, where there are any. Says so where not.
pub fn shared() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let found = fs::canonicalize(data).ok();
    if found.is_none() {
        println!("skipped: no real models beside the checkout (../shared/data)");
    }
    found
}

/// The Hugging Face folder of a model: one of the repository's own, or one beside the checkout.
pub fn model_dir(name: &str) -> Option<PathBuf> {
    let own = fixtures().join("models").join(name);
    match own.is_dir() {
        true => Some(own),
        false => Some(shared()?.join("models").join(name)),
    }
}

/// The models that references exist for, those that are there.
pub fn models() -> impl Iterator<Item = (&'static str, PathBuf)> {
    ["tiny-llama", "tiny-untied", "stories260K", "TinyStories-656K"]
        .into_iter()
        .filter_map(|name| Some((name, model_dir(name)?)))
}

/// The folder, converted: the bytes of the `.acorn` file.
pub fn converted(dir: &Path, quant: Quant) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model.acorn");
    convert(dir, &file, quant, &()).unwrap_or_else(|error| panic!("{error}"));
    fs::read(file).expect("the converted file")
}

/// Memory for an arena: aligned as engines want it, with a guard on both sides.
pub struct Memory {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

/// Bytes of each guard, and what they hold.
const GUARD: usize = 4096;
const CANARY: u8 = 0xA5;

impl Memory {
    /// An arena of `len` bytes.
    pub fn new(len: usize) -> Self {
        let bytes = vec![CANARY; len + 2 * GUARD + ALIGNMENT];
        let start = GUARD + bytes[GUARD..].as_ptr().align_offset(ALIGNMENT);
        Self { bytes, start, len }
    }

    /// The arena.
    pub fn arena(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }

    /// Whether no byte outside the arena was written.
    pub fn guards_are_intact(&self) -> bool {
        let (before, after) = (&self.bytes[..self.start], &self.bytes[self.start + self.len..]);
        before.iter().chain(after).all(|&byte| byte == CANARY)
    }
}

/// Calls `f` with an engine for the model in `file`.
pub fn with_engine<T>(file: &[u8], limits: &Limits, f: impl FnOnce(&mut Engine<'_>) -> T) -> T {
    with_engine_on(kernel::best(), file, limits, f)
}

/// The same with that kernel.
pub fn with_engine_on<T>(
    kernel: &'static Kernel,
    file: &[u8],
    limits: &Limits,
    f: impl FnOnce(&mut Engine<'_>) -> T,
) -> T {
    let model = Model::parse(file).expect("a valid model");
    let plan = Plan::new(&model, limits).expect("a plan");
    let mut memory = Memory::new(plan.arena_bytes());
    let result = {
        let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
        f(&mut engine.with_kernel(kernel))
    };
    assert!(memory.guards_are_intact());
    result
}

/// A file of `tests/fixtures/reference`, as JSON.
pub fn reference<T: DeserializeOwned>(name: &str) -> T {
    let path = fixtures().join("reference").join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Greedy generation by the reference, in double precision.
#[derive(Debug, Deserialize)]
pub struct Greedy {
    /// The prompt's tokens.
    pub prompt_ids: Vec<u32>,
    /// The tokens generated.
    pub ids: Vec<u32>,
    /// Per step, the largest logit less the second largest.
    pub margins: Vec<f64>,
}

/// The tokens of a reference, and its logits [tokens, vocab_size].
pub fn reference_logits(name: &str) -> (Vec<u32>, Vec<Vec<f32>>) {
    let path = fixtures().join("reference").join(format!("{name}.logits.npy"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let npy = npyz::NpyFile::new(&bytes[..]).expect("a NumPy array");
    let cols = npy.shape()[1] as usize;
    let values: Vec<f32> = npy.into_vec().expect("32-bit floats");
    (reference(&format!("{name}.tokens.json")), values.chunks(cols).map(<[f32]>::to_vec).collect())
}

/// The logits of all `tokens`, row by row.
pub fn logits(file: &[u8], limits: &Limits, tokens: &[u32]) -> Vec<Vec<f32>> {
    with_engine(file, limits, |engine| {
        let mut rows = Vec::new();
        for batch in tokens.chunks(limits.batch as usize) {
            engine.prefill(batch).expect("known tokens that fit");
            rows.extend(engine.batch_logits().map(<[f32]>::to_vec));
        }
        rows
    })
}

/// The largest |a - b|.
pub fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The place of the largest logit.
pub fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(index, _)| index as u32)
}

/// `count` tokens after `prompt`, each the likeliest.
pub fn greedy(file: &[u8], limits: &Limits, prompt: &[u32], count: usize) -> Vec<u32> {
    with_engine(file, limits, |engine| {
        let mut ids = Vec::new();
        let mut logits = engine.prefill(prompt).expect("a prompt that fits");
        while ids.len() < count {
            ids.push(argmax(logits));
            logits = engine.decode(ids[ids.len() - 1]).expect("a token that fits");
        }
        ids
    })
}
