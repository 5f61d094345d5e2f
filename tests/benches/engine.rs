//! How fast the inner loops and whole tokens are, per kernel: `cargo bench -p acorn-tests`.
//!
//! Dot products count multiply-accumulates (elements) per second; the machine's memory and its int8 peak
//! are measured beside them, so that each figure has something to be compared with.

use std::hint::black_box;
use std::time::{Duration, Instant};

use acorn_cli::convert::Quant;
use acorn_core::format::encoding::{Band, Encoding};
use acorn_core::kernel::{Ints, Kernel, Sums, Wide, Widened, available, widen};
use acorn_core::{Engine, Limits};
use acorn_tests::{converted, model_dir, with_engine_on};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Bytes of weights that no cache holds, and that a cache of the first or second level does.
const COLD: usize = 256 << 20;
const WARM: usize = 256 << 10;

/// int8 activations of some tokens.
struct Activations {
    cols: usize,
    values: Vec<i8>,
    block_sums: Vec<i16>,
    widened: Vec<Widened>,
}

impl Activations {
    fn new(cols: usize, tokens: usize) -> Self {
        let values: Vec<i8> =
            (0..cols * tokens).map(|i| ((i * 37 % 255) as i16 - 127) as i8).collect();
        let sum = |block: &[i8]| block.iter().map(|&x| i16::from(x)).sum();
        let block_sums: Vec<i16> = values.chunks(32).map(sum).collect();
        let mut widened = vec![Widened::default(); block_sums.len()];
        let rows = values.chunks(cols).zip(block_sums.chunks(cols / 32));
        for ((values, sums), row) in rows.zip(widened.chunks_mut(cols / 32)) {
            widen(values, sums, row);
        }
        Self { cols, values, block_sums, widened }
    }

    fn ints(&self) -> Ints<'_> {
        let Self { cols, values, block_sums, widened } = self;
        Ints { cols: *cols, values, block_sums, widened }
    }
}

/// Bands of about `bytes` bytes, of `cols` columns.
fn bands(encoding: Encoding, cols: usize, bytes: usize) -> (Vec<u8>, usize) {
    let band = encoding.band_len(cols as u32).expect("a size") as usize;
    let count = (bytes / band).max(1);
    ((0..count * band).map(|i| (i * 31 % 251) as u8).collect(), band)
}

fn product(kernel: &Kernel, encoding: Encoding, weights: &[u8], band: usize, x: &Activations) {
    let mut sums = [Sums::default(); 8];
    let tokens = x.values.len() / x.cols;
    for bytes in weights.chunks_exact(band) {
        match Band::new(encoding, x.cols, bytes) {
            Band::Q8(band) => (kernel.q8)(band.groups, x.ints(), &mut sums[..tokens]),
            Band::Q4(band) => (kernel.q4)(band.groups, band.pairs, x.ints(), &mut sums[..tokens]),
            Band::F32(_) => unreachable!("integers only"),
        }
        black_box(&sums);
    }
}

/// GEMV (one token, as in decoding) from memory and from the cache, and GEMM (8 tokens, as in a prompt).
fn products(c: &mut Criterion) {
    for (name, bytes, tokens) in [("gemv cold", COLD, 1), ("gemv warm", WARM, 1), ("gemm", WARM, 8)]
    {
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        for encoding in [Encoding::Q4, Encoding::Q8] {
            for cols in [576, 2048] {
                let (weights, band) = bands(encoding, cols, bytes);
                let x = Activations::new(cols, tokens);
                let macs = weights.len() / band * 8 * cols * tokens;
                for kernel in available().filter(|k| k.name != "scalar" || bytes == WARM) {
                    let id = format!("{} {} K {cols}", kernel.name, encoding.name());
                    group.throughput(Throughput::Elements(macs as u64));
                    group.bench_function(id, |b| {
                        b.iter(|| product(kernel, encoding, &weights, band, &x));
                    });
                }
            }
        }
        group.finish();
    }
    let mut group = c.benchmark_group("memory");
    group.sample_size(10).throughput(Throughput::Bytes(COLD as u64));
    let bytes: Vec<u64> = (0..COLD as u64 / 8).collect();
    group.bench_function("read", |b| {
        b.iter(|| black_box(&bytes).iter().fold(0u64, |sum, word| sum.wrapping_add(*word)));
    });
    group.finish();
}

/// Scores of 64 positions: 3 heads of 64 dimensions that share their keys.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("scores");
    let (groups, x) = (vec![[3u8; 32]; 8 * 16], vec![100i16; 3 * 64]);
    group.throughput(Throughput::Elements(64 * 64 * 3));
    for kernel in available() {
        let mut sums = [Sums::default(); 24];
        let keys = Wide { groups: &groups, stride: 16, per_band: 16, ahead: 0 };
        group.bench_function(kernel.name, |b| {
            b.iter(|| (kernel.q8_wide)(black_box(keys), &x, 3, &mut sums));
        });
    }
    group.finish();
}

/// A whole token of a small model, with few positions behind it and with many.
fn tokens(c: &mut Criterion) {
    let mut group = c.benchmark_group("token");
    let file = converted(&model_dir("tiny-llama").expect("a fixture"), Quant::Q4);
    let limits = Limits { context: 256, batch: 32, ..Limits::default() };
    for kernel in available() {
        for depth in [0u32, 192] {
            let prompt: Vec<u32> = (0..depth).map(|i| i % 500).collect();
            let id = BenchmarkId::new(kernel.name, depth);
            with_engine_on(kernel, &file, &limits, |engine| {
                group.bench_function(id, |b| {
                    b.iter_custom(|count| (0..count).map(|_| decode(engine, &prompt)).sum());
                });
            });
        }
    }
    group.finish();
}

/// The time of one token, `prompt` or a little more behind it.
fn decode(engine: &mut Engine<'_>, prompt: &[u32]) -> Duration {
    if engine.position() < prompt.len() || engine.position() >= prompt.len() + 32 {
        engine.reset();
        for part in prompt.chunks(32) {
            engine.prefill(part).expect("it fits");
        }
    }
    let start = Instant::now();
    black_box(engine.decode(7).expect("it fits"));
    start.elapsed()
}

criterion_group!(benches, products, attention, tokens);
criterion_main!(benches);
