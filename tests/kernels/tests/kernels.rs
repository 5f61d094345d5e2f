//! Every kernel that this machine can run against the formulas: exact for integers, bit-equal to the
//! scalar one for floats.

use acorn_core::format::encoding::{Band, Encoding, f32 as f32_band, q4, q8};
use acorn_core::format::recipe::Activation;
use acorn_core::kernel::elementwise::{Scores, Strided};
use acorn_core::kernel::{Bands, Ints, Kernel, Sums, Wide, Widened, available, scalar, widen};
use acorn_kernel_tests::Guarded;
use acorn_kernel_tests::naive::{self, Weights};
use proptest::prelude::*;

/// All kernels that this machine can run; [`the_machine_runs`] names them.
fn kernels() -> Vec<&'static Kernel> {
    let kernels: Vec<_> = available().collect();
    assert_eq!(kernels.last().map(|kernel| kernel.name), Some("scalar"));
    kernels
}

/// Names them, so that whoever runs this for another processor can see that it is not the scalar
/// kernel alone.
#[test]
fn the_machine_runs() {
    let names: Vec<_> = kernels().iter().map(|kernel| kernel.name).collect();
    println!("kernels: {}", names.join(" "));
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
            let bytes_of = |row: &Vec<i32>| row.iter().map(|&n| n as u8).collect::<Vec<_>>();
            let rows = weights.rows.each_ref().map(bytes_of);
            let sub_scales = weights.sub_scales.each_ref().map(bytes_of);
            let zeros = weights
                .zeros
                .each_ref()
                .map(|row| row.iter().map(|&z| z as i8).collect::<Vec<_>>());
            let row = |r: usize| q4::Row {
                nibbles: &rows[r],
                sub_scales: &sub_scales[r],
                zeros: &zeros[r],
                scale: 1.0,
            };
            q4::pack(&std::array::from_fn(row), &mut bytes);
        }
    }
    bytes
}

/// What a kernel may want beside activations, token by token.
fn widened(ints: &Ints<'_>) -> Guarded<Widened> {
    let blocks = ints.cols / 32;
    let mut all = vec![Widened::default(); ints.block_sums.len()];
    let rows = ints.values.chunks(ints.cols).zip(ints.block_sums.chunks(blocks));
    for ((values, sums), row) in rows.zip(all.chunks_mut(blocks)) {
        widen(values, sums, row);
    }
    Guarded::new(&all)
}

/// All kernels, each without and with that.
fn kernels_and<'a>(ints: Ints<'a>, widened: &'a [Widened]) -> Vec<(&'static Kernel, Ints<'a>)> {
    let ways = |kernel| [(kernel, ints), (kernel, Ints { widened, ..ints })];
    kernels().into_iter().flat_map(ways).collect()
}

/// The sums of `tokens` tokens, each with the activations `x`, shifted by its index. Every buffer ends
/// where readable memory ends, and starts wherever that puts it.
fn check(encoding: Encoding, weights: &Weights, x: &[i8], tokens: usize) {
    let bytes = Guarded::new(&packed(encoding, weights));
    let cols = x.len();
    let all: Vec<i8> =
        (0..tokens).flat_map(|t| (0..cols).map(move |k| x[(k + t) % cols])).collect();
    let block_sums: Vec<i16> =
        all.chunks(32).map(|block| block.iter().map(|&x| i16::from(x)).sum()).collect();
    let (all, block_sums) = (Guarded::new(&all), Guarded::new(&block_sums));
    let ints = Ints { cols, values: all.get(), block_sums: block_sums.get(), widened: &[] };
    let widened = widened(&ints);
    let each = kernels_and(ints, widened.get());
    for &(kernel, ints) in &each {
        let mut sums = vec![Sums::<i32>::default(); tokens];
        let expected = match Band::new(encoding, cols, bytes.get()) {
            Band::Q8(band) => {
                (kernel.q8)(band.groups, ints, &mut sums);
                |weights: &Weights, x: &[i8]| naive::q8(weights, x)
            }
            Band::Q4(band) => {
                (kernel.q4)(band.groups, band.pairs, ints, &mut sums);
                |weights: &Weights, x: &[i8]| naive::q4(weights, x)
            }
            Band::F32(_) => unreachable!("integers only"),
        };
        for (x, sums) in all.get().chunks(cols).zip(&sums) {
            let (name, encoding) = (kernel.name, encoding.name());
            assert_eq!(sums.map(i64::from), expected(weights, x), "{name} {encoding} K {cols}");
        }
    }
    check_two(encoding, bytes.get(), weights, &each);
}

/// The same for kernels that take a band, `bytes`, and another at once: here the same rows in another order.
fn check_two(
    encoding: Encoding,
    bytes: &[u8],
    weights: &Weights,
    each: &[(&'static Kernel, Ints<'_>)],
) {
    let mut turned = weights.clone();
    turned.rows.rotate_left(3);
    turned.sub_scales.rotate_left(3);
    turned.zeros.rotate_left(3);
    let turned = Guarded::new(&packed(encoding, &turned));
    for (kernel, x) in each {
        let Some(two) = kernel.two else { continue };
        let mut sums = [(); 2].map(|()| vec![Sums::<i32>::default(); x.tokens()]);
        let all = sums.each_mut().map(Vec::as_mut_slice);
        let naive = match [bytes, turned.get()].map(|bytes| Band::new(encoding, x.cols, bytes)) {
            [Band::Q8(band), Band::Q8(turned)] => {
                (two.q8)([band.groups, turned.groups], *x, all);
                naive::q8
            }
            [Band::Q4(band), Band::Q4(turned)] => {
                let bands = [(band.groups, band.pairs), (turned.groups, turned.pairs)];
                (two.q4)(bands, *x, all);
                naive::q4
            }
            _ => unreachable!("integers only"),
        };
        let [sums, turned] = sums;
        for ((x_row, mut sums), turned) in x.values.chunks(x.cols).zip(sums).zip(turned) {
            let what = format!("{} {} K {}", kernel.name, encoding.name(), x.cols);
            assert_eq!(sums.map(i64::from), naive(weights, x_row), "{what}");
            sums.rotate_left(3);
            assert_eq!(sums, turned, "{what}, second band");
        }
    }
}

fn uniform(cols: usize, weight: i32, sub: i32, zero: i32) -> Weights {
    let blocks = cols.div_ceil(32);
    Weights {
        rows: std::array::from_fn(|_| vec![weight; cols]),
        sub_scales: std::array::from_fn(|_| vec![sub; blocks]),
        zeros: std::array::from_fn(|_| vec![zero; blocks]),
    }
}

/// The largest sums there can be: all corners of weights, sub-scales, zeros and activations, up to the
/// widest rows.
#[test]
fn extremes_are_exact() {
    for cols in [32, 64, 96, 160, 992, 4096, 26_400] {
        for x in [127, -127] {
            for weight in [127, -127] {
                for tokens in [1, if cols > 992 { 1 } else { 17 }] {
                    check(Encoding::Q8, &uniform(cols, weight, 1, 0), &vec![x; cols], tokens);
                }
            }
            for (weight, sub, zero) in
                [(0, 16, -8), (0, 1, -8), (15, 16, 7), (15, 1, 7), (0, 16, 7), (8, 16, 0)]
            {
                // Kernels may do otherwise with many tokens.
                let most = if cols > 992 { 1 } else { 17 };
                for tokens in [1, most] {
                    check(Encoding::Q4, &uniform(cols, weight, sub, zero), &vec![x; cols], tokens);
                }
            }
        }
    }
    check(Encoding::Q8, &uniform(1 << 17, -127, 1, 0), &vec![-127; 1 << 17], 1);
}

/// Kernels may add up in fewer bits what is small enough: all of it, or all but a few.
#[test]
fn sums_around_16_bits_are_exact() {
    let cols = 32 * 29;
    for (weight, x) in [(68, 59), (74, 55), (75, 55), (90, 45), (127, 31), (64, 64), (65, 64)] {
        for (weight, x) in [(weight, x), (-weight, x), (weight, -x), (-weight, -x)] {
            check(Encoding::Q8, &uniform(cols, weight, 1, 0), &vec![x; cols], 20);
            let mut weights = uniform(cols, weight, 1, 0);
            let mut x = vec![x; cols];
            for place in [3, 77, 78, 300, 301, 302, cols - 1] {
                weights.rows[place % 8][place] = 127;
                x[(place * 5) % cols] = -127;
            }
            check(Encoding::Q8, &weights, &x, 20);
        }
    }
    // Two products side by side, w + 128 times x.
    let two = |k: usize, pair: [i32; 2]| pair.get(k % 16).copied().unwrap_or(0);
    let row = (0..cols).map(|k| two(k, [127; 2])).collect();
    let weights =
        Weights { rows: std::array::from_fn(|_| Vec::clone(&row)), ..uniform(cols, 0, 1, 0) };
    for pair in [[100, 28], [100, 29], [-100, -29], [127, 2]] {
        let x: Vec<i8> = (0..cols).map(|k| two(k, pair) as i8).collect();
        check(Encoding::Q8, &weights, &x, 20);
    }
}

/// Rows of more blocks than a kernel lays out at a time, and every number of tokens that share that.
#[test]
fn wide_rows_by_several_tokens_are_exact() {
    let cols = 32 * 53;
    let number = |r: usize, k: usize| (r * 7919 + k * 104_729) % 1009;
    let weights = Weights {
        rows: std::array::from_fn(|r| (0..cols).map(|k| number(r, k) as i32 % 16).collect()),
        sub_scales: std::array::from_fn(|r| {
            (0..53).map(|b| number(b, r) as i32 % 16 + 1).collect()
        }),
        zeros: std::array::from_fn(|r| (0..53).map(|b| number(r + 9, b) as i32 % 16 - 8).collect()),
    };
    let x: Vec<i8> = (0..cols).map(|k| (number(1, k) % 255) as i8).map(|x| x.max(-127)).collect();
    let mut ints = weights.clone();
    ints.rows.iter_mut().flatten().enumerate().for_each(|(i, w)| *w = (i * 31 % 255) as i32 - 127);
    for tokens in 1..=33 {
        check(Encoding::Q4, &weights, &x, tokens);
        check(Encoding::Q8, &ints, &x, tokens);
    }
}

fn band(blocks: usize, weights: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Weights> {
    use proptest::array::uniform8;
    use proptest::collection::vec;
    let rows = uniform8(vec(weights, blocks * 32));
    let (subs, zeros) = (uniform8(vec(1..=16i32, blocks)), uniform8(vec(-8..=7i32, blocks)));
    (rows, subs, zeros).prop_map(|(rows, sub_scales, zeros)| Weights { rows, sub_scales, zeros })
}

fn case(
    weights: std::ops::RangeInclusive<i32>,
) -> impl Strategy<Value = (Weights, Vec<i8>, usize)> {
    (1usize..=30).prop_flat_map(move |blocks| {
        let x = proptest::collection::vec(-127i8..=127, blocks * 32);
        (band(blocks, weights.clone()), x, 1usize..=33)
    })
}

/// Floats of all sizes, some of them special.
fn floats(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f32>> {
    let float = prop_oneof![
        20 => -8f32..8.0,
        2 => -1e30f32..1e30,
        2 => -1e-30f32..1e-30,
        1 => prop_oneof![Just(0.0f32), Just(-0.0), Just(f32::NAN), Just(f32::INFINITY), Just(f32::MIN)],
    ];
    proptest::collection::vec(float, len)
}

fn bits(values: &[f32]) -> Vec<u32> {
    // There are many NaNs; which one comes out is not in the contract.
    values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

proptest! {
    // There is no file to remember failures in where this is emulated.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn q8_is_exact((weights, x, tokens) in case(-127..=127)) {
        check(Encoding::Q8, &weights, &x, tokens);
    }

    /// Rows of any multiple of 4: q8 is not padded further, and its activations are zeros there.
    #[test]
    fn q8_takes_rows_of_any_length((weights, x, tokens) in case(-127..=127), short in 1usize..=7) {
        let cols = x.len();
        let groups = cols / 4 - short;
        let bytes = packed(Encoding::Q8, &weights);
        let groups = Guarded::new(&bytes.as_chunks::<32>().0[..groups]);
        let value = |t: usize, k: usize| if k < 4 * groups.get().len() { x[k] / (t as i8 + 1) } else { 0 };
        let all: Vec<i8> = (0..tokens * cols).map(|i| value(i / cols, i % cols)).collect();
        let block_sums: Vec<i16> =
            all.chunks(32).map(|block| block.iter().map(|&x| i16::from(x)).sum()).collect();
        let all = Guarded::new(&all);
        let ints = Ints { cols, values: all.get(), block_sums: &block_sums, widened: &[] };
        let widened = widened(&ints);
        for (kernel, ints) in kernels_and(ints, widened.get()) {
            let mut sums = vec![Sums::<i32>::default(); tokens];
            (kernel.q8)(groups.get(), ints, &mut sums);
            for (x, sums) in all.get().chunks(cols).zip(&sums) {
                prop_assert_eq!(sums.map(i64::from), naive::q8(&weights, x), "{}", kernel.name);
            }
        }
    }

    /// Numbers as they are in models: few are large.
    #[test]
    fn q8_is_exact_for_small_numbers(
        (weights, x, tokens) in case(-127..=127),
        (divisor, seldom) in (1i32..=9, 2usize..=300),
    ) {
        let smaller = |index: usize, value: i32| {
            if index.is_multiple_of(seldom) { value } else { value / divisor }
        };
        let mut weights = weights;
        for (r, row) in weights.rows.iter_mut().enumerate() {
            row.iter_mut().enumerate().for_each(|(k, w)| *w = smaller(k * 8 + r, *w));
        }
        let x: Vec<i8> = (0..).zip(&x).map(|(k, &x)| smaller(k, i32::from(x)) as i8).collect();
        check(Encoding::Q8, &weights, &x, tokens);
    }

    #[test]
    fn q4_is_exact((weights, x, tokens) in case(0..=15)) {
        check(Encoding::Q4, &weights, &x, tokens);
    }

    /// A matrix times a vector: the exact sums, multiplied with the scales of the band's row and the token.
    #[test]
    fn gemv_multiplies_sums_with_scales(
        quarter in any::<bool>(),
        blocks in 1usize..=6,
        short in 0usize..8,
        bands in 1usize..=11,
        scale in 1e-3f32..1.0,
        bytes in proptest::collection::vec(any::<u8>(), 11 * (8 * 192 + 16)),
        x in proptest::collection::vec(-127i8..=127, 192),
    ) {
        let (cols, encoding) =
            (blocks * 32, if quarter { Encoding::Q4 } else { Encoding::Q8 });
        let stored = if quarter { cols } else { cols - short * 4 };
        let len = encoding.band_len(stored as u32).expect("a size") as usize;
        let mut bytes = bytes[..bands * len].to_vec();
        if !quarter {
            bytes.iter_mut().filter(|byte| **byte == 0x80).for_each(|byte| *byte = 0);
        }
        // Scales near 1, so that none is NaN.
        for band in bytes.chunks_mut(len) {
            band[len - 16..].as_chunks_mut::<2>().0.iter_mut().for_each(|scale| scale[1] = 0x3F);
        }
        let x: Vec<i8> = (0..cols).map(|k| if k < stored { x[k] } else { 0 }).collect();
        let block_sums: Vec<i16> =
            x.chunks(32).map(|block| block.iter().map(|&x| i16::from(x)).sum()).collect();
        let (bytes, x) = (Guarded::new(&bytes), Guarded::new(&x));
        let ints = Ints { cols, values: x.get(), block_sums: &block_sums, widened: &[] };
        let mut expected = Vec::new();
        for bytes in bytes.get().chunks(len) {
            let mut sums = [Sums::<i32>::default()];
            let rows = match Band::new(encoding, cols, bytes) {
                Band::Q8(band) => {
                    (scalar::KERNEL.q8)(band.groups, ints, &mut sums);
                    band.scales
                }
                Band::Q4(band) => {
                    (scalar::KERNEL.q4)(band.groups, band.pairs, ints, &mut sums);
                    band.scales
                }
                Band::F32(_) => unreachable!(),
            };
            expected.extend(sums[0].iter().zip(rows).map(|(sum, row)| *sum as f32 * (row * scale)));
        }
        let widened = widened(&ints);
        for (kernel, ints) in kernels_and(ints, widened.get()) {
            let gemv = if quarter { kernel.gemv_q4 } else { kernel.gemv_q8 };
            let mut out = vec![[0.0; 8]; bands];
            gemv(Bands { bytes: bytes.get(), len }, &ints, scale, &mut out);
            prop_assert_eq!(bits(out.as_flattened()), bits(&expected), "{}", kernel.name);
        }
    }

    /// Several bands, of which only some columns count, as the KV cache has them; up to more columns than a kernel
    /// has room for.
    #[test]
    fn q8_wide_is_exact(
        (bands, stride, per_band, tokens) in (1usize..=8, prop_oneof![1usize..=24, 25usize..=72])
            .prop_flat_map(|(bands, stride)| (Just(bands), Just(stride), 1..=stride, 1usize..=9)),
        seed in any::<u64>(),
    ) {
        let mut state = seed | 1;
        let mut next = |range: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as i64).rem_euclid(2 * range + 1) - range
        };
        let cols = per_band * 4;
        let matrices: Vec<Weights> = (0..bands)
            .map(|_| Weights {
                rows: std::array::from_fn(|_| (0..stride * 4).map(|_| next(127) as i32).collect()),
                ..uniform(0, 0, 1, 0)
            })
            .collect();
        let groups: Vec<[u8; 32]> = matrices
            .iter()
            .flat_map(|weights| {
                let bytes = packed(Encoding::Q8, weights);
                bytes[..stride * 32].as_chunks::<32>().0.to_vec()
            })
            .collect();
        let x: Vec<i16> = (0..tokens * cols).map(|_| next(16383) as i16).collect();
        let (groups, x) = (Guarded::new(&groups), Guarded::new(&x));
        for kernel in kernels() {
            let mut sums = vec![Sums::<i32>::default(); bands * tokens];
            let wide = Wide { groups: groups.get(), stride, per_band, ahead: 1 << 20 };
            (kernel.q8_wide)(wide, x.get(), tokens, &mut sums);
            for (weights, sums) in matrices.iter().zip(sums.chunks(tokens)) {
                for (x, sums) in x.get().chunks(cols).zip(sums) {
                    prop_assert_eq!(sums.map(i64::from), naive::q8(weights, x), "{}", kernel.name);
                }
            }
        }
    }

    #[test]
    fn elementwise_loops_are_equal_bit_for_bit(
        x in floats(32usize..200),
        y in floats(200),
        // All that take the short way, mostly.
        near in proptest::collection::vec(-86.05f32..86.05, 200),
        limit in prop_oneof![Just(4095.0f32), Just(16383.0)],
    ) {
        let cols = x.len() / 32 * 32;
        let gain: Vec<[u8; 4]> = y.iter().map(|y| y.to_le_bytes()).collect();
        let run = |kernel: &Kernel| {
            let e = &kernel.elementwise;
            let (mut ints, mut wide) = (vec![1i8; cols], vec![1i16; x.len()]);
            let (mut sums, mut out) = (vec![1i16; cols / 32], Vec::new());
            let mut scales = vec![(e.quantize)(&x[..cols], &mut ints, &mut sums)];
            scales.push((e.quantize_wide)(&x, limit, &mut wide));
            let mut values = x.clone();
            (e.rms_norm)(&x, &gain, 1e-5, &mut values);
            out.extend(bits(&values));
            (e.layer_norm)(&x, &gain, &gain[1..], 1e-5, &mut values);
            out.extend(bits(&values));
            let bands: Vec<Sums<i32>> = ints.as_chunks::<8>().0.iter().map(|s| s.map(i32::from)).collect();
            let strided = Strided { sums: &bands, step: 2 };
            let halves: Vec<u16> = y.iter().map(|y| (y.to_bits() >> 16) as u16).collect();
            let half = x.len() / 2;
            let mut scores = x.as_chunks::<8>().0.to_vec();
            let (max, sum) = (e.exp_sum)(&mut scores, limit - 4095.0);
            scales.extend([max, sum]);
            out.extend(bits(scores.as_flattened()));
            let halves = halves.as_chunks::<8>().0;
            let mut weights = vec![[1i16; 8]; scores.len()];
            let mut ints_of = bands.clone();
            let chunk = Scores {
                sums: &mut ints_of,
                step: 2,
                scales: halves,
                scale: 3700.0,
                count: half - 5,
                max: if limit > 5000.0 { i32::MIN } else { 100_000 },
            };
            let (scores, weights) = (&mut scores[..half / 8], &mut weights[..half / 8]);
            let softmax = (e.softmax)(chunk, &halves[1..], limit, scores, weights);
            scales.extend([softmax.max as f32, softmax.sum as f32, softmax.scale]);
            wide.extend(ints_of.as_flattened().iter().flat_map(|&x| [x as i16, (x >> 16) as i16]));
            out.extend(bits(scores.as_flattened()));
            wide.extend(weights.as_flattened());
            (e.accumulate)(&mut values[..half], 0.7, strided, 0.21);
            out.extend(bits(&values));
            for f in Activation::ALL {
                for gate in [None, Some(y.as_slice()), Some(near.as_slice())] {
                    (e.activate)(f, gate, &x, &mut values);
                    out.extend(bits(&values));
                }
            }
            (ints, wide, sums, bits(&scales), out)
        };
        let expected = run(&scalar::KERNEL);
        for kernel in kernels() {
            prop_assert_eq!(&run(kernel), &expected, "{}", kernel.name);
        }
    }

    /// The order of additions that the scalar kernel documents.
    #[test]
    fn f32_adds_in_its_order(
        values in proptest::collection::vec(-1e3f32..1e3, 9 * 64),
        cols in 61usize..=64,
        tokens in 1usize..=9,
    ) {
        let rows: Vec<&[f32]> = values[..8 * 64].chunks(64).collect();
        let mut bytes = vec![0; Encoding::F32.band_len(64).expect("a size") as usize];
        f32_band::pack(std::array::from_fn(|r| rows[r]), &mut bytes);
        let Band::F32(packed) = Band::new(Encoding::F32, 64, &bytes) else { unreachable!() };
        let x: Vec<f32> = values[8 * 64..].iter().copied().cycle().skip(1).take(tokens * cols).collect();
        let (columns, x) = (Guarded::new(&packed.columns[..cols]), Guarded::new(&x));
        for kernel in kernels() {
            let mut sums = vec![Sums::<f32>::default(); tokens];
            (kernel.f32)(columns.get(), x.get(), &mut sums);
            for (x, sums) in x.get().chunks(cols).zip(&sums) {
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
