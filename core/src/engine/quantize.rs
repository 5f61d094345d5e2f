//! Floats to int8: activations per token, queries, keys and values per head.

use crate::format::BLOCK;
use crate::math::{max_abs, round};

/// Below this the largest magnitude counts as zero: 127 / it would not be finite.
const TINY: f32 = 1e-30;

/// `x` rounded to the nearest int8 in -127..=127, ties to even; NaN is 0.
fn to_i8(x: f32) -> i8 {
    (round(x) as i32).clamp(-127, 127) as i8
}

/// Quantizes one vector: `q = round(x · 127 / max|x|)`. Returns the scale, `max|x| / 127`.
/// A vector of zeros, or one whose largest magnitude is not finite, becomes zeros with scale 0.
pub(super) fn quantize(x: &[f32], q: &mut [i8]) -> f32 {
    let largest = max_abs(x);
    if !(TINY..f32::INFINITY).contains(&largest) {
        q.fill(0);
        return 0.0;
    }
    let inverse = 127.0 / largest;
    for (q, x) in q.iter_mut().zip(x) {
        *q = to_i8(x * inverse);
    }
    largest / 127.0
}

/// The same with a scale of 16 bits, the upper half of an f32 (a bfloat16), rounded up so that no
/// value is clipped. Returns the scale's bits.
pub(super) fn quantize_short(x: &[f32], q: &mut [i8]) -> u16 {
    let largest = max_abs(x);
    let scale = short_scale((largest / 127.0).to_bits().saturating_add(0xFFFF).to_be_bytes());
    if !(TINY..f32::INFINITY).contains(&largest) || !long_scale(scale).is_finite() {
        q.fill(0);
        return 0;
    }
    let inverse = 1.0 / long_scale(scale);
    for (q, x) in q.iter_mut().zip(x) {
        *q = to_i8(x * inverse);
    }
    scale
}

fn short_scale([a, b, _, _]: [u8; 4]) -> u16 {
    u16::from_be_bytes([a, b])
}

/// The scale that [`quantize_short`] returned.
pub(super) fn long_scale(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Quantizes the activations of some tokens, [tokens, cols] with cols a multiple of [`BLOCK`].
pub(super) fn quantize_tokens(
    cols: usize,
    floats: &[f32],
    quants: &mut [i8],
    scales: &mut [f32],
    block_sums: &mut [i16],
) {
    let cols = cols.max(BLOCK);
    let tokens = floats.chunks_exact(cols).zip(quants.chunks_exact_mut(cols));
    let sums = block_sums.chunks_exact_mut(cols / BLOCK);
    for (((x, q), scale), sums) in tokens.zip(scales).zip(sums) {
        *scale = quantize(x, q);
        for (sum, block) in sums.iter_mut().zip(q.as_chunks::<BLOCK>().0) {
            *sum = block.iter().map(|&q| i16::from(q)).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_defined() {
        let mut q = [1; 3];
        assert_eq!(quantize(&[0.0, -0.0, 0.0], &mut q), 0.0);
        assert_eq!(q, [0; 3]);
        assert_eq!(quantize(&[f32::INFINITY, 1.0, -1.0], &mut q), 0.0);
        assert_eq!(q, [0; 3]);
        quantize(&[f32::NAN, 2.0, -2.0], &mut q);
        assert_eq!(q, [0, 127, -127]);
        quantize(&[f32::MAX, f32::MIN, 1.0], &mut q);
        assert_eq!(q, [127, -127, 0]);
        assert_eq!(quantize_short(&[1e-38, 0.0, 0.0], &mut q), 0);
        assert_eq!(q, [0; 3]);
    }

    #[test]
    fn a_short_scale_never_clips() {
        let mut q = [0; 2];
        for largest in [1e-20f32, 0.017, 1.0, 3.3333, 1e20] {
            let scale = long_scale(quantize_short(&[largest, -largest / 3.0], &mut q));
            assert!(scale >= largest / 127.0 && scale <= largest / 126.0);
            for (q, x) in q.iter().zip([largest, -largest / 3.0]) {
                assert!((f32::from(*q) * scale - x).abs() <= 0.5001 * scale);
            }
        }
    }
}
