//! The one door to exp, sqrt, sine, cosine and rounding: the same steps, so the same bits, everywhere.
//!
//! Single precision only (a Cortex-M4 has no other), no fused multiply-add, no platform library.
//! Polynomials are those of Cephes' `expf`, `sinf`, `cosf`, `tanhf`, `erff` and `erfcf` (S. Moshier);
//! errors are measured against double precision in `tests/tests/maths.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Lanes of every reduction over floats: element i belongs to lane i mod 8.
pub const LANES: usize = 8;

/// Adding and subtracting 1.5 · 2²³ rounds |x| < 2²² to the nearest integer, ties to even.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// `x` rounded to the nearest integer, ties to even; for |x| < 2²².
#[inline(always)]
pub fn round(x: f32) -> f32 {
    (x + ROUND) - ROUND
}

/// The same as an integer, for |x| ≤ 2²²; 0 for NaN.
#[inline(always)]
pub fn nearest(x: f32) -> i32 {
    // The sum's last bit is 1, so its bits count from those of the constant.
    let x = if x.is_nan() { 0.0 } else { x };
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed()
}

/// eˣ, within 2 units in the last place; 0 below -103.97, infinity above 88.72. Without branches, so
/// that loops over it become vectors; where there are none, a program has it once.
#[cfg_attr(any(target_pointer_width = "64", target_arch = "wasm32"), inline(always))]
#[cfg_attr(not(any(target_pointer_width = "64", target_arch = "wasm32")), inline(never))]
pub fn exp(x: f32) -> f32 {
    // Beyond these bounds the result is 0 or infinity; within, 2ⁿ is built in two exact halves. NaN
    // stays NaN through the polynomial.
    let (n, y) = power_and_rest(x.clamp(-104.0, 89.0));
    let half = n / 2;
    y * power_of_two(half) * power_of_two(n - half)
}

/// Where [`exp_near`] is right: for smaller magnitudes.
pub const EXP_NEAR: f32 = 86.0;

/// The bits of [`exp`] where |x| < [`EXP_NEAR`], in fewer steps for processors without vectors: 2ⁿ is added to
/// an exponent.
#[inline(always)]
pub fn exp_near(x: f32) -> f32 {
    // |n| ≤ 125 and y is within 0.7 and 1.5.
    let (n, y) = power_and_rest(x);
    f32::from_bits(y.to_bits().wrapping_add(n.cast_unsigned() << 23))
}

/// 2ˣ for x ≤ 0, within 3 · 10⁻⁶ of it; exactly 1 at 0, and 0 below -125.5, which beside 1 counts for nothing
/// either. Softmax needs no more, and saves half of the steps.
#[inline(always)]
pub fn exp2_of_negative(x: f32) -> f32 {
    let rounded = x + ROUND;
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let rest = x - (rounded - ROUND);
    // Chosen for the smallest relative error in |x| ≤ 1/2.
    let mut p = 9.582_853e-3;
    for coefficient in [5.590_642_6e-2, 0.240_240_99, 0.693_124_2, 1.0] {
        p = p * rest + coefficient;
    }
    if rounded < ROUND - 125.0 { 0.0 } else { p * power_of_two(n) }
}

/// 2¹⁵⁻ˣ for x in units of 2⁻¹⁶, in integers, within 5; exactly 2¹⁵ at 0. For weights that will have 14 bits.
#[inline(always)]
pub fn exp2_fixed(x: u32) -> i32 {
    let x = x.min(0x7F_FFFF);
    let rest = i32::from(x as i16);
    let [mut p, others @ ..] = EXP2_FIXED;
    for coefficient in others {
        p = coefficient + ((p * rest) >> 16);
    }
    p.checked_shr((x + 0x8000) >> 16).unwrap_or(0)
}

/// The polynomial of 2¹⁵⁻ˣ for |x| ≤ 1/2: the coefficients of x³ to 1.
pub(crate) const EXP2_FIXED: [i32; 4] = [-1802, 7937, -22717, 32768];

/// The polynomial of (eˣ - 1 - x) / x² for |x| ≤ ln(2) / 2: the coefficients of x⁵ to 1.
pub(crate) const POWER_OF_E: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];

/// ln 2 in two parts: the first has few enough bits that n times it is exact.
pub(crate) const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// n and y such that eˣ = 2ⁿ · y, y near 1; for -104 ≤ x ≤ 89, or NaN, for which y is NaN.
#[inline(always)]
fn power_and_rest(x: f32) -> (i32, f32) {
    let rounded = x * core::f32::consts::LOG2_E + ROUND;
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let n_float = rounded - ROUND;
    let r = (x - n_float * LN_2[0]) - n_float * LN_2[1];
    let [mut p, coefficients @ ..] = POWER_OF_E;
    for coefficient in coefficients {
        p = p * r + coefficient;
    }
    (n, p * (r * r) + r + 1.0)
}

/// 2ⁿ for -126 ≤ n ≤ 127; any number for others.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// √x, correctly rounded.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

/// x · sigmoid(x), also called swish (arXiv 1702.03118).
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
pub fn tanh(x: f32) -> f32 {
    if x.abs() >= 0.625 {
        let rest = 2.0 / (exp(2.0 * x.abs()) + 1.0);
        return (1.0 - rest).copysign(x);
    }
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    for coefficient in [2.063_909e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_8] {
        p = p * z + coefficient;
    }
    p * z * x + x
}

/// The error function, 2/√π ∫₀ˣ exp(-t²) dt.
#[inline]
pub fn erf(x: f32) -> f32 {
    if x.abs() >= 1.0 {
        return (1.0 - erfc_tail(x.abs())).copysign(x);
    }
    let z = x * x;
    let mut p = 7.853_861e-5;
    for coefficient in [
        -8.010_194e-4,
        5.188_327_6e-3,
        -2.685_381_3e-2,
        0.112_835_85,
        -0.376_126_26,
        core::f32::consts::FRAC_2_SQRT_PI,
    ] {
        p = p * z + coefficient;
    }
    p * x
}

/// 1 - erf(x) for x ≥ 1, without the cancellation.
#[inline]
fn erfc_tail(x: f32) -> f32 {
    let inverse = 1.0 / x;
    let z = inverse * inverse;
    const NEAR: [f32; 9] = [
        2.326_82e-2,
        -0.138_703_94,
        0.368_742_47,
        -0.582_473_3,
        0.621_000_46,
        -0.494_451_53,
        0.340_488,
        -0.274_112_7,
        0.563_825_94,
    ];
    const FAR: [f32; 9] = [
        0.0,
        -10.477_664,
        12.977_2,
        -7.495_518_7,
        2.921_019,
        -1.015_265_3,
        0.421_846_34,
        -0.282_076_74,
        0.564_189_5,
    ];
    let mut p = 0.0;
    for coefficient in if x < 2.0 { &NEAR } else { &FAR } {
        p = p * z + coefficient;
    }
    exp(-x * x) * inverse * p
}

/// x · Φ(x), Φ the distribution function of the normal distribution (arXiv 1606.08415).
#[inline]
pub fn gelu_erf(x: f32) -> f32 {
    let (half, t) = (0.5 * x, x * core::f32::consts::FRAC_1_SQRT_2);
    if t >= 1.0 {
        x - half * erfc_tail(t)
    } else if t <= -1.0 {
        half * erfc_tail(-t)
    } else {
        half * erf(t) + half
    }
}

/// The same with Φ(x) ≈ (1 + tanh(√(2/π) · (x + 0.044715·x³))) / 2, which is the sigmoid of twice
/// that argument.
#[inline(always)]
pub fn gelu_tanh(x: f32) -> f32 {
    let twice = 1.595_769 * (x + 0.044_715 * (x * x * x));
    x / (1.0 + exp(-twice))
}

/// Sine and cosine of an angle in turns / 2³². Whole turns vanish by themselves in 32 bits, so
/// angles of any position are exact before the polynomial.
pub fn sin_cos(turns: u32) -> (f32, f32) {
    // The nearest quarter turn, and what remains: within ±1/8 turn.
    let quarter = turns.wrapping_add(1 << 29) >> 30;
    let rest = turns.wrapping_sub(quarter << 30).cast_signed();
    let x = rest as f32 * (core::f32::consts::TAU / 4_294_967_296.0);
    let z = x * x;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 0.166_666_55) * z * x + x;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    match quarter & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// The sum of the lanes, in the one order that all kernels use.
#[inline(always)]
pub fn sum_lanes(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Σ f(i) over `values`, by lanes.
#[inline(always)]
fn reduce<T: Copy>(values: &[T], mut f: impl FnMut(T) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += f(value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += f(value);
    }
    sum_lanes(lanes)
}

/// Σ x, by lanes.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    reduce(x, |x| x)
}

/// Σ x², by lanes.
#[inline(always)]
pub fn sum_squares(x: &[f32]) -> f32 {
    reduce(x, |x| x * x)
}

/// Σ (x - center)², by lanes.
#[inline(always)]
pub fn sum_squared_differences(x: &[f32], center: f32) -> f32 {
    reduce(x, |x| (x - center) * (x - center))
}

/// Σ a·b, by lanes, over the shorter of the two.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    sum_lanes(lanes)
}

/// The largest x of which only the bits of `mask` count, or `least`; NaN counts as nothing. By lanes: any order
/// gives the same.
#[cfg_attr(acorn_mcu, inline(never))]
#[cfg_attr(not(acorn_mcu), inline(always))]
fn largest(x: &[f32], least: f32, mask: u32) -> f32 {
    let f = |x: f32| f32::from_bits(x.to_bits() & mask);
    let larger = |max: f32, x: f32| if x > max { x } else { max };
    let mut lanes = [least; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, f(x));
        }
    }
    rest.iter().map(|&x| f(x)).chain(lanes).fold(least, larger)
}

/// The largest |x|; NaN counts as nothing.
#[inline(always)]
pub fn max_abs(x: &[f32]) -> f32 {
    let most = max_abs_bits(x);
    if most <= f32::INFINITY.to_bits() {
        return f32::from_bits(most);
    }
    largest(x, 0.0, u32::MAX >> 1)
}

/// The bits of the largest |x|; those of a NaN if there is one.
#[inline(always)]
pub(crate) fn max_abs_bits(x: &[f32]) -> u32 {
    // Without their sign, floats are ordered as their bits are; those of NaN are beyond infinity's. Signed numbers are
    // what the oldest vectors compare.
    let bits = |x: &f32| (x.to_bits() & (u32::MAX >> 1)).cast_signed();
    x.iter().fold(0, |most: i32, x| most.max(bits(x))).cast_unsigned()
}

/// The largest x; NaN counts as nothing. Negative infinity for none.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    largest(x, f32::NEG_INFINITY, u32::MAX)
}
