//! Every kernel against the formulas: exact for integers, bit-equal to the scalar for floats.

use acorn_core::format::encoding::{Band, Encoding, f32 as f32_band, q4, q8};
use acorn_core::kernel::{Kernel, Sums, best, scalar};
use acorn_tests::naive::{self, Weights};
use proptest::prelude::*;

/// All kernels that this machine can run.
fn kernels() -> Vec<&'static Kernel> {
    let mut kernels = vec![&scalar::KERNEL];
    if best().name != scalar::KERNEL.name {
        kernels.push(best());
    }
    kernels
}

fn packed(encoding: Encoding, weights: &Weights) -> Vec<u8> {
    let cols = weights.rows[0].len();
    let mut bytes = vec![0; encoding.band_len(cols as u32).expect("a size") as usize];
    match encoding {
        Encoding::Q8 => {
            let rows =
                weights.rows.each_ref().map(|row| row.iter().map(|&w| w as i8).collect::<Vec<_>>());
            q8::pack(rows.each_ref().map(Vec::as_slice), &[1.0; 8], &mut bytes);
        }
        _ => {
            let rows =
                weights.rows.each_ref().map(|row| row.iter().map(|&n| n as u8).collect::<Vec<_>>());
            let subs = weights
                .sub_scales
                .each_ref()
                .map(|row| row.iter().map(|&s| s as i8).collect::<Vec<_>>());
            let row = |r: usize| q4::Row { nibbles: &rows[r], sub_scales: &subs[r], scale: 1.0 };
            q4::pack(&std::array::from_fn(row), &mut bytes);
        }
    }
    bytes
}

/// The sums of `tokens` tokens, each with the activations `x`, shifted by its index.
fn check(encoding: Encoding, weights: &Weights, x: &[i8], tokens: usize) {
    let bytes = packed(encoding, weights);
    let cols = x.len();
    let all: Vec<i8> =
        (0..tokens).flat_map(|t| (0..cols).map(move |k| x[(k + t) % cols])).collect();
    let block_sums: Vec<i16> =
        all.chunks(32).map(|block| block.iter().map(|&x| i16::from(x)).sum()).collect();
    for kernel in kernels() {
        let mut sums = vec![Sums::<i32>::default(); tokens];
        let oracle = match Band::new(encoding, cols, &bytes) {
            Band::Q8(band) => {
                (kernel.q8)(band.groups, &all, &mut sums);
                naive::q8
            }
            Band::Q4(band) => {
                (kernel.q4)(band.groups, band.sub_scales, &all, &block_sums, &mut sums);
                naive::q4
            }
            Band::F32(_) => unreachable!("integers only"),
        };
        for (x, sums) in all.chunks(cols).zip(&sums) {
            let expected = oracle(weights, x);
            assert_eq!(
                sums.map(i64::from),
                expected,
                "{} {} K {cols}",
                kernel.name,
                encoding.name()
            );
        }
    }
}

fn uniform(encoding: Encoding, cols: usize, weight: i32, sub: i32) -> (Encoding, Weights) {
    let weights = Weights {
        rows: std::array::from_fn(|_| vec![weight; cols]),
        sub_scales: std::array::from_fn(|_| vec![sub; cols / 32]),
    };
    (encoding, weights)
}

/// The largest sums there can be: all corners of weights, sub-scales and activations.
#[test]
fn extremes_are_exact() {
    for cols in [32, 64, 96, 160, 992, 4096, 1 << 17] {
        for x in [127, -127] {
            for weight in [127, -127] {
                let (encoding, weights) = uniform(Encoding::Q8, cols, weight, 1);
                check(encoding, &weights, &vec![x; cols], 1);
            }
            for (weight, sub) in [(0, 8), (0, -8), (15, 8), (15, -8), (8, 8)] {
                let (encoding, weights) = uniform(Encoding::Q4, cols, weight, sub);
                check(encoding, &weights, &vec![x; cols], 1);
            }
        }
    }
}

fn band(blocks: usize, weights: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Weights> {
    let row = proptest::collection::vec(weights, blocks * 32);
    let sub = (1..=8i32, any::<bool>()).prop_map(|(s, negative)| if negative { -s } else { s });
    let subs = proptest::collection::vec(sub, blocks);
    let rows = proptest::array::uniform8(row);
    (rows, proptest::array::uniform8(subs))
        .prop_map(|(rows, sub_scales)| Weights { rows, sub_scales })
}

fn case(
    weights: std::ops::RangeInclusive<i32>,
) -> impl Strategy<Value = (Weights, Vec<i8>, usize)> {
    (1usize..=20).prop_flat_map(move |blocks| {
        let x = proptest::collection::vec(-127i8..=127, blocks * 32);
        (band(blocks, weights.clone()), x, 1usize..=9)
    })
}

proptest! {
    #[test]
    fn q8_is_exact((weights, x, tokens) in case(-127..=127)) {
        check(Encoding::Q8, &weights, &x, tokens);
    }

    #[test]
    fn q4_is_exact((weights, x, tokens) in case(0..=15)) {
        check(Encoding::Q4, &weights, &x, tokens);
    }

    /// The order of additions that the scalar kernel documents.
    #[test]
    fn f32_adds_in_its_order(
        values in proptest::collection::vec(-1e3f32..1e3, 9 * 64),
        tokens in 1usize..=9,
    ) {
        let cols = 64;
        let rows: Vec<&[f32]> = values[..8 * cols].chunks(cols).collect();
        let mut bytes = vec![0; Encoding::F32.band_len(cols as u32).expect("a size") as usize];
        f32_band::pack(std::array::from_fn(|r| rows[r]), &mut bytes);
        let Band::F32(packed) = Band::new(Encoding::F32, cols, &bytes) else { unreachable!() };
        let x: Vec<f32> = values[8 * cols..].iter().copied().cycle().skip(1).take(tokens * cols).collect();
        for kernel in kernels() {
            let mut sums = vec![Sums::<f32>::default(); tokens];
            (kernel.f32)(packed.columns, &x, &mut sums);
            for (x, sums) in x.chunks(cols).zip(&sums) {
                for (row, sum) in rows.iter().zip(sums) {
                    let part = |j: usize| {
                        let products = (j..cols).step_by(4).map(|k| row[k] * x[k]);
                        products.fold(0.0f32, |sum, product| sum + product)
                    };
                    let expected = (part(0) + part(1)) + (part(2) + part(3));
                    prop_assert_eq!(sum.to_bits(), expected.to_bits(), "{}", kernel.name);
                }
            }
        }
    }
}
