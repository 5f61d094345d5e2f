//! The elementwise loops that take most of a token, for processors with a floating-point unit and no vectors:
//! the same operations in the same order as [`crate::kernel::elementwise`], with fewer instructions around
//! them.
//!
//! ```text
//! magnitudes:  floats without their sign are ordered as their bits are, and a comparison of integers is
//!              cheaper; bits beyond infinity's are NaN: then the portable loop does it
//! rounding:    x + 1.5 · 2²³ has the integer in its low bits, which are stored as they are
//! ```

use crate::format::BLOCK;
use crate::format::recipe::Activation;
use crate::kernel::elementwise::Elementwise;
use crate::math::{EXP_NEAR, ROUND, exp_near};

/// The loops.
pub(super) const ELEMENTWISE: Elementwise = Elementwise {
    quantize,
    quantize_wide,
    activate,
    #[cfg(acorn_fpu)]
    softmax: super::softmax::softmax,
    ..Elementwise::PORTABLE
};

/// The largest magnitude, or NaN.
fn largest(x: &[f32]) -> f32 {
    let twice = |x: &[f32]| x.iter().fold(0, |most: u32, x| most.max(x.to_bits() << 1));
    #[cfg(acorn_fpu)]
    let twice = |x: &[f32]| {
        let (bands, rest) = x.as_chunks();
        super::fpu::largest_twice(bands).max(twice(rest))
    };
    f32::from_bits(twice(x) >> 1)
}

/// `limit / max|x|` and `max|x| / limit`; `None` if the portable loop must see to it.
#[inline(always)]
fn scales(x: &[f32], limit: f32) -> Option<(f32, f32)> {
    let largest = largest(x);
    (1e-30..f32::INFINITY).contains(&largest).then(|| (limit / largest, largest / limit))
}

fn quantize(x: &[f32], q: &mut [i8], block_sums: &mut [i16]) -> f32 {
    let Some((inverse, scale)) = scales(x, 127.0) else {
        return (Elementwise::PORTABLE.quantize)(x, q, block_sums);
    };
    #[cfg(acorn_fpu)]
    if super::fpu::quantize(x, inverse, q, block_sums) {
        return scale;
    }
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(q.as_chunks_mut::<BLOCK>().0);
    for ((x, q), block_sum) in blocks.zip(block_sums) {
        // 32 times the constant's bits end with zeros in their low half.
        let mut sum = 0u32;
        for (q, x) in q.iter_mut().zip(x) {
            let bits = (x * inverse + ROUND).to_bits();
            sum = sum.wrapping_add(bits);
            *q = bits as i8;
        }
        *block_sum = sum as i16;
    }
    scale
}

fn quantize_wide(x: &[f32], limit: f32, q: &mut [i16]) -> f32 {
    let Some((inverse, scale)) = scales(x, limit) else {
        return (Elementwise::PORTABLE.quantize_wide)(x, limit, q);
    };
    #[cfg(acorn_fpu)]
    if super::fpu::round(x, inverse, q) {
        return scale;
    }
    for (q, x) in q.iter_mut().zip(x) {
        *q = (x * inverse + ROUND).to_bits() as i16;
    }
    scale
}

fn activate(f: Activation, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]) {
    let (Activation::Silu, Some(gate)) = (f, gate) else {
        return (Elementwise::PORTABLE.activate)(f, gate, up, out);
    };
    if !(0.0..EXP_NEAR).contains(&largest(gate)) {
        return (Elementwise::PORTABLE.activate)(f, Some(gate), up, out);
    }
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + exp_near(-gate)) * up;
    }
}
