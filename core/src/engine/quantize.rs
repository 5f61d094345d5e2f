//! Floats to int8: keys and values per head. (Activations and queries:
//! [`crate::kernel::elementwise`].)

use crate::math::max_abs;

/// Below this the largest magnitude counts as zero: 127 / it would not be finite.
const TINY: f32 = 1e-30;

/// How one vector is quantized: `q = nearest(x · inverse)`, with a scale of 16 bits, the upper half of an f32 (a
/// bfloat16): max|x| / 127 rounded up, so that no value is clipped. Returns the scale's bits, and the inverse. A vector
/// of zeros, or one whose largest magnitude is not finite, becomes zeros with scale 0.
#[cfg_attr(not(acorn_mcu), inline(always))]
pub(super) fn short_quantizer(x: &[f32]) -> (u16, f32) {
    let largest = max_abs(x);
    let scale = short_scale((largest / 127.0).to_bits().saturating_add(0xFFFF).to_be_bytes());
    let inverse = 1.0 / long_scale(scale);
    if !(TINY..f32::INFINITY).contains(&largest) || !long_scale(scale).is_finite() {
        return (0, 0.0);
    }
    (scale, inverse)
}

fn short_scale([a, b, _, _]: [u8; 4]) -> u16 {
    u16::from_be_bytes([a, b])
}

/// The scale that [`short_quantizer`] returned.
fn long_scale(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::nearest;

    fn quantized<const N: usize>(x: [f32; N]) -> ([i8; N], u16) {
        let (scale, inverse) = short_quantizer(&x);
        (x.map(|x| nearest(x * inverse) as i8), scale)
    }

    #[test]
    fn extremes_are_defined() {
        assert_eq!(quantized([0.0, -0.0, 0.0]), ([0; 3], 0));
        assert_eq!(quantized([f32::INFINITY, 1.0, -1.0]), ([0; 3], 0));
        assert_eq!(quantized([f32::NAN, 2.0, -2.0]).0[0], 0);
        // The scale is rounded up.
        assert_eq!(quantized([f32::MAX, f32::MIN, 1.0]).0, [126, -126, 0]);
        assert_eq!(quantized([1e-38, 0.0, 0.0]), ([0; 3], 0));
    }

    #[test]
    fn a_short_scale_never_clips() {
        for largest in [1e-20f32, 0.017, 1.0, 3.3333, 1e20] {
            let x = [largest, -largest / 3.0];
            let (q, scale) = quantized(x);
            let scale = long_scale(scale);
            assert!(scale >= largest / 127.0 && scale <= largest / 126.0);
            for (q, x) in q.iter().zip(x) {
                assert!((f32::from(*q) * scale - x).abs() <= 0.5001 * scale);
            }
        }
    }
}
