//! What is computed in floats: equal, bit for bit, in all kernels and on all processors.

use acorn_core::format::recipe::Activation;
use acorn_core::kernel::elementwise::{Scores, Strided};
use acorn_core::kernel::{Kernel, Sums, available};

use crate::random::{Hash, Random};

/// Random cases.
const RANDOM: u32 = 300;

/// The most numbers of a case.
const MOST: usize = 160;

/// Runs every float loop of all kernels; prints a hash of what came out.
#[inline(never)]
pub fn run() -> bool {
    let mut ok = true;
    let mut hash = Hash::default();
    for seed in 0..RANDOM {
        let mut values = available().map(|kernel| case(kernel, seed));
        let first = values.next().unwrap_or_default();
        if !values.all(|value| value == first) {
            crate::say!("FAILED: floats of case {seed}");
            ok = false;
        }
        hash.add(first as u32);
        hash.add((first >> 32) as u32);
    }
    crate::say!("floats: {RANDOM} random cases, {:016x}", hash.value());
    ok
}

/// A float of ordinary size mostly, now and then a special one.
fn float(random: &mut Random) -> f32 {
    let fraction = (random.word() >> 8) as f32 / 8_388_608.0 - 1.0;
    match random.below(64) {
        0 => 0.0,
        1 => -0.0,
        2 => f32::NAN,
        3 => f32::INFINITY,
        4 => f32::MIN,
        5 | 6 => fraction * 1e30,
        7 | 8 => fraction * 1e-30,
        9 => fraction * 1e-38,
        _ => fraction * 8.0,
    }
}

/// The hash of all results. There are many NaNs; which one comes out is not in the contract.
fn case(kernel: &Kernel, seed: u32) -> u64 {
    let mut random = Random::new(seed);
    let len = 32 + random.below(MOST - 32);
    let cols = len / 32 * 32;
    let mut x = [0.0f32; MOST];
    let mut y = [0.0f32; MOST];
    // Every third case has no special numbers.
    let mut next = || loop {
        let x = float(&mut random);
        if !seed.is_multiple_of(3) || x.abs() < 8.0 {
            return x;
        }
    };
    x.iter_mut().chain(&mut y).for_each(|x| *x = next());
    let gain = y.map(f32::to_le_bytes);
    let halves = y.map(|y| (y.to_bits() >> 16) as u16);
    let mut hash = Hash::default();
    let mut add = |values: &[f32]| {
        values
            .iter()
            .for_each(|x| hash.add(if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }));
    };
    let e = &kernel.elementwise;
    let (x, mut out) = (&x[..len], [0.0; MOST]);
    let (mut ints, mut sums, mut wide) = ([0i8; MOST], [0i16; MOST / 32], [0i16; MOST]);
    add(&[(e.quantize)(&x[..cols], &mut ints[..cols], &mut sums[..cols / 32])]);
    add(&ints.map(f32::from));
    add(&sums.map(f32::from));
    add(&[(e.quantize_wide)(x, 4095.0, &mut wide[..len])]);
    add(&wide.map(f32::from));
    (e.rms_norm)(x, &gain, 1e-5, &mut out[..len]);
    add(&out);
    (e.layer_norm)(x, &gain, &gain, 1e-5, &mut out[..len]);
    add(&out);
    for f in [Activation::Silu, Activation::GeluErf, Activation::GeluTanh] {
        (e.activate)(f, Some(x), &y, &mut out[..len]);
        add(&out);
    }
    (e.activate)(Activation::Silu, None, x, &mut out[..len]);
    add(&out);
    let mut bands = [Sums::<i32>::default(); MOST / 8];
    for (band, ints) in bands.iter_mut().zip(ints.as_chunks::<8>().0) {
        *band = ints.map(|x| i32::from(x) * 1001);
    }
    let strided = Strided { sums: &bands, step: 1 };
    (e.accumulate)(&mut out[..len], 0.7, strided, 0.01);
    add(&out);
    // A chunk of attention: scores, their softmax, the weights of values.
    let count = len / 8;
    let (halves, _) = halves.as_chunks::<8>();
    let max = if seed.is_multiple_of(2) { f32::NEG_INFINITY } else { 2.0 };
    let mut x_bands = [Sums::<f32>::default(); MOST / 8];
    let weights = &mut x_bands[..count];
    weights.as_flattened_mut().copy_from_slice(&x[..count * 8]);
    let (max, sum) = (e.exp_sum)(weights, max);
    add(&[max, sum]);
    add(weights.as_flattened());
    // Any scale of keys, values' scales that are not negative in most cases.
    let last = random.below(8);
    let scores = Scores {
        sums: &mut bands,
        step: 1,
        scales: halves,
        scale: 37.0,
        count: count * 8 - last,
        max: if seed.is_multiple_of(2) { i32::MIN } else { 1 << 16 },
    };
    let mut values = [Sums::<u16>::default(); MOST / 8];
    for (value, half) in values.as_flattened_mut().iter_mut().zip(halves.as_flattened()) {
        *value = if seed.is_multiple_of(5) { *half } else { half & 0x3FFF };
    }
    let mut q = [Sums::<i16>::default(); MOST / 8];
    let softmax = (e.softmax)(scores, &values[..count], 16383.0, weights, &mut q[..count]);
    add(&[softmax.max as f32, softmax.sum as f32, softmax.scale]);
    bands.as_flattened().iter().for_each(|&sum| add(&[sum as f32]));
    add(weights.as_flattened());
    q.as_flattened().iter().for_each(|&q| add(&[q.into()]));
    let columns = MOST / 8;
    let bytes = gain.as_flattened().as_chunks::<32>().0;
    let mut dots = [Sums::<f32>::default(); 1];
    (kernel.f32)(&bytes[..columns], &x[..columns], &mut dots);
    add(&dots[0]);
    hash.value()
}
