//! exp, silu, sqrt, tanh, erf, GELU, sine and cosine against double precision (`tools/reference/maths.py`).

use std::collections::BTreeMap;

use acorn_core::math::{
    erf, exp, exp2_fixed, exp2_of_negative, gelu_erf, gelu_tanh, round, silu, sin_cos, sqrt, tanh,
};
use acorn_tests::reference;

type Points = BTreeMap<String, Vec<(u32, f64)>>;

/// The largest error over the points, in units in the last place of the expected value, or of
/// `smallest` where that is smaller.
fn worst(points: &[(u32, f64)], smallest: f64, f: impl Fn(f32) -> f32) -> f64 {
    let error = |&(bits, expected): &(u32, f64)| {
        let found = f(f32::from_bits(bits));
        if expected > f64::from(f32::MAX) {
            return if found == f32::INFINITY { 0.0 } else { f64::INFINITY };
        }
        let size = expected.abs().max(smallest);
        let unit = 2f64.powi(size.log2().floor() as i32 - 23);
        (f64::from(found) - expected).abs() / unit
    };
    points.iter().map(error).fold(0.0, f64::max)
}

#[test]
fn functions_are_within_their_stated_errors() {
    let points: Points = reference("maths.json");
    // A result below the normal range is as exact as its spacing allows. SiLU is 0 already where
    // exp(-x) overflows, at -88.72, where it should be -2e-37.
    let normal = f64::from(f32::MIN_POSITIVE);
    for (name, f, smallest, bound) in [
        ("exp", exp as fn(f32) -> f32, normal, 2.0),
        ("silu", silu, 1e-30, 4.0),
        ("sqrt", sqrt, normal, 0.5),
    ] {
        let worst = worst(&points[name], smallest, f);
        println!("{name}: {worst:.2} units in the last place over {} points", points[name].len());
        assert!(worst <= bound, "{name}: {worst}");
    }
}

#[test]
fn gelu_is_exact_where_it_counts() {
    let points: Points = reference("maths.json");
    for (name, f, bound) in [
        ("tanh", tanh as fn(f32) -> f32, 1.2e-7),
        ("erf", erf, 1.2e-7),
        ("gelu_erf", gelu_erf, 2e-7),
        ("gelu_tanh", gelu_tanh, 2e-7),
    ] {
        // Absolute up to 1; beyond, where GELU is its argument, relative.
        let error = |&(bits, expected): &(u32, f64)| {
            (f64::from(f(f32::from_bits(bits))) - expected).abs() / expected.abs().max(1.0)
        };
        let worst = points[name].iter().map(error).fold(0.0, f64::max);
        println!("{name}: {worst:.2e} over {} points", points[name].len());
        assert!(worst <= bound, "{name}: {worst}");
    }
}

#[test]
fn turns_give_sine_and_cosine() {
    let points: Points = reference("maths.json");
    let error = |name: &str, f: fn((f32, f32)) -> f32| {
        let errors = points[name]
            .iter()
            .map(|&(turns, expected)| (f64::from(f(sin_cos(turns))) - expected).abs());
        errors.fold(0.0, f64::max)
    };
    let (sine, cosine) = (error("sin_turns", |(sin, _)| sin), error("cos_turns", |(_, cos)| cos));
    println!("sine: {sine:.2e}, cosine: {cosine:.2e}");
    assert!(sine <= 1.2e-7 && cosine <= 1.2e-7, "{sine} {cosine}");
}

#[test]
fn powers_of_two_are_as_near_as_weights_need() {
    let mut worst = [0.0f64; 2];
    for x in (0..=125 << 16).step_by(331) {
        let exact = (-f64::from(x) / 65536.0).exp2();
        worst[0] = worst[0].max((f64::from(exp2_fixed(x)) - exact * 32768.0).abs());
        let found = f64::from(exp2_of_negative(-(x as f32 / 65536.0)));
        worst[1] = worst[1].max((found / exact - 1.0).abs());
    }
    println!("in integers {:.2}, in floats {:.2e}", worst[0], worst[1]);
    assert!(worst[0] <= 5.0 && worst[1] <= 3e-6, "{worst:?}");
    assert_eq!([0, 24 << 16, u32::MAX].map(exp2_fixed), [32768, 0, 0]);
    assert_eq!([0.0, -126.0, f32::NEG_INFINITY].map(exp2_of_negative), [1.0, 0.0, 0.0]);
    assert!(exp2_of_negative(f32::NAN).is_nan());
}

#[test]
fn rounding_takes_ties_to_even() {
    let pairs = [
        (0.5, 0.0),
        (1.5, 2.0),
        (2.5, 2.0),
        (-0.5, 0.0),
        (-1.5, -2.0),
        (126.5, 126.0),
        (0.49, 0.0),
    ];
    for (x, expected) in pairs {
        assert_eq!(round(x), expected, "{x}");
    }
}

#[test]
fn edges_are_defined() {
    assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    assert_eq!(exp(f32::INFINITY), f32::INFINITY);
    assert!(exp(f32::NAN).is_nan());
    assert_eq!(silu(f32::NEG_INFINITY).to_bits() & 0x7FFF_FFFF, f32::NAN.to_bits() & 0x7FFF_FFFF);
    assert_eq!(silu(-1000.0), 0.0);
    assert_eq!(silu(1000.0), 1000.0);
    for f in [gelu_erf, gelu_tanh] {
        assert_eq!([f(0.0), f(1e30), f(-1e30), f(f32::MAX)], [0.0, 1e30, 0.0, f32::MAX]);
        assert!(f(f32::NAN).is_nan());
    }
    assert_eq!(
        [tanh(100.0), tanh(f32::NEG_INFINITY), erf(1e30), erf(f32::NEG_INFINITY)],
        [1.0, -1.0, 1.0, -1.0]
    );
    assert!(tanh(f32::NAN).is_nan() && erf(f32::NAN).is_nan());
}
