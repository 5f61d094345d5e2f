//! A row of int8 weights with one scale: absolute maximum to 127, round to nearest.

use acorn_core::format::encoding::short;

use super::{absolute_max, usable};

/// A quantized row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) weights: Vec<i8>,
    pub(super) scale: f32,
}

impl Row {
    pub(super) fn new(row: &[f32]) -> Self {
        // The scale is rounded first; where that makes it smaller, the largest weights are clipped by
        // less than half a step.
        let scale = usable(short(absolute_max(row) / 127.0), 128.0);
        // In f64 no quotient can overflow; -128 is out of contract, see `encoding::q8`.
        let quantize = |w: &f32| match scale {
            0.0 => 0,
            scale => (f64::from(*w) / f64::from(scale)).round().clamp(-127.0, 127.0) as i8,
        };
        Self { weights: row.iter().map(quantize).collect(), scale }
    }

    /// What the weights stand for.
    pub(super) fn floats(&self) -> impl Iterator<Item = f32> {
        self.weights.iter().map(|&q| f32::from(q) * self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes() {
        let zero = Row::new(&[0.0, -0.0]);
        assert_eq!((zero.weights, zero.scale), (vec![0, 0], 0.0));
        let tiny = Row::new(&[1e-44, -1e-44]);
        assert_eq!((tiny.weights, tiny.scale), (vec![0, 0], 0.0));
        let huge = Row::new(&[f32::MAX, -f32::MAX, 0.0]);
        assert_eq!(huge.weights, [127, -127, 0]);
        assert!(huge.floats().all(f32::is_finite));
    }

    #[test]
    fn nearest() {
        let row = Row::new(&[127.0, 1.4, 1.6, -126.6]);
        assert_eq!((row.weights, row.scale), (vec![127, 1, 2, -127], 1.0));
    }
}
