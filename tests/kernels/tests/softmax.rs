//! Attention's softmax: every kernel that this machine can run gives the scalar one's bits, for scores that fit 32
//! bits, as a model's do, and for some that do not.

use acorn_core::kernel::elementwise::Scores;
use acorn_core::kernel::{Kernel, Sums, available, scalar};
use proptest::prelude::*;

/// The upper halves of floats from 0 to `most`, in bands.
fn halves(bands: usize, most: f32) -> impl Strategy<Value = Vec<Sums<u16>>> {
    let band = proptest::array::uniform8((0f32..most).prop_map(|x| (x.to_bits() >> 16) as u16));
    proptest::collection::vec(band, bands)
}

fn case() -> impl Strategy<Value = Case> {
    let scale = prop_oneof![6 => 1e-4f32..1.0, 1 => 1.0f32..1e6, 1 => Just(f32::INFINITY)];
    let max = prop_oneof![Just(i32::MIN), Just(i32::MAX), -3_000_000..3_000_000];
    (1usize..=16, 1usize..=4).prop_flat_map(move |(bands, step)| {
        let sums = proptest::array::uniform8(-30_000_000..30_000_000);
        // As many as are read: of the last band, the first of its `step`.
        let sums = proptest::collection::vec(sums, (bands - 1) * step + 1);
        let parts = (sums, halves(bands, 0.02), halves(bands, 4.0), 0..=8 * bands);
        (Just(step), parts, scale.clone(), max.clone()).prop_map(
            |(step, (sums, keys, values, count), scale, max)| Case {
                step,
                sums,
                keys,
                values,
                count,
                scale,
                max,
            },
        )
    })
}

#[derive(Clone, Debug)]
struct Case {
    step: usize,
    sums: Vec<Sums<i32>>,
    keys: Vec<Sums<u16>>,
    values: Vec<Sums<u16>>,
    count: usize,
    scale: f32,
    max: i32,
}

/// All that comes out, floats by their bits.
#[derive(Debug, PartialEq)]
struct Outcome {
    sums: Vec<Sums<i32>>,
    x: Vec<u32>,
    q: Vec<Sums<i16>>,
    max: i32,
    sum: i32,
    scale: u32,
}

fn run(kernel: &Kernel, case: &Case) -> Outcome {
    let bands = case.keys.len();
    let (mut sums, mut x, mut q) = (case.sums.clone(), vec![[0.0; 8]; bands], vec![[1; 8]; bands]);
    let scores = Scores {
        sums: &mut sums,
        step: case.step,
        scales: &case.keys,
        scale: case.scale,
        count: case.count,
        max: case.max,
    };
    let softmax = (kernel.elementwise.softmax)(scores, &case.values, 16383.0, &mut x, &mut q);
    let x = x.as_flattened().iter().map(|x| x.to_bits()).collect();
    Outcome { sums, x, q, max: softmax.max, sum: softmax.sum, scale: softmax.scale.to_bits() }
}

/// All fractions of a power of two, and shifts until nothing is left.
#[test]
fn weights_of_all_distances_are_equal() {
    let bands = 16;
    let one = (1.0f32.to_bits() >> 16) as u16;
    for first in (0..17 << 16).step_by(8 * bands) {
        let sum = |band: usize| std::array::from_fn(|row| -(first + (8 * band + row) as i32));
        let case = Case {
            step: 1,
            sums: (0..bands).map(sum).collect(),
            keys: vec![[one; 8]; bands],
            values: vec![[one; 8]; bands],
            count: 8 * bands,
            scale: 1.0,
            max: 0,
        };
        let expected = run(&scalar::KERNEL, &case);
        for kernel in available() {
            assert_eq!(run(kernel, &case), expected, "{} from {first} on", kernel.name);
        }
    }
}

proptest! {
    // There is no file to remember failures in where this is emulated.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn softmax_is_equal_bit_for_bit(case in case()) {
        let expected = run(&scalar::KERNEL, &case);
        for kernel in available() {
            prop_assert_eq!(&run(kernel, &case), &expected, "{}", kernel.name);
        }
    }
}
