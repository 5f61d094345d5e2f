//! Rotary positions: the config's fields to a table of angles.
//!
//! Source: transformers, `modeling_rope_utils.py` (`_compute_default_rope_parameters`,
//! `_compute_linear_scaling_rope_parameters`, `_compute_llama3_parameters`).

use std::f64::consts::TAU;

use serde_json::Value;

use super::config::Fields;
use crate::error::Error;

/// How the angles are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rope {
    pub(super) theta: f64,
    /// Rotated dimensions of a head.
    pub(super) dims: u32,
    scaling: Scaling,
}

#[derive(Clone, Copy, Debug)]
enum Scaling {
    None,
    /// All angles divided by a factor (position interpolation).
    Linear(f64),
    /// Llama 3.1: slow angles divided by a factor, fast ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        context: f64,
    },
}

/// Reads `rope_theta`, `partial_rotary_factor`, and `rope_scaling` or (transformers 5)
/// `rope_parameters`, which may hold all of them.
pub(super) fn read(fields: &mut Fields, head_dim: u32) -> Result<Rope, Error> {
    let mut theta = fields.positive("rope_theta")?;
    let mut partial = fields.positive("partial_rotary_factor")?;
    let mut scaling = Scaling::None;
    for name in ["rope_scaling", "rope_parameters"] {
        let Some(mut inner) = fields.object(name)? else { continue };
        theta = inner.positive("rope_theta")?.or(theta);
        partial = inner.positive("partial_rotary_factor")?.or(partial);
        match read_scaling(&mut inner)? {
            Scaling::None => {}
            found => scaling = found,
        }
        inner.finish()?;
    }
    let partial = partial.unwrap_or(1.0);
    if partial > 1.0 {
        return Err(fields.error("partial_rotary_factor", format!("is {partial}, above 1")));
    }
    let dims = (f64::from(head_dim) * partial) as u32;
    Ok(Rope { theta: theta.unwrap_or(10_000.0), dims, scaling })
}

fn read_scaling(fields: &mut Fields) -> Result<Scaling, Error> {
    let old = fields.text("type")?;
    let kind = fields.text("rope_type")?.or(old).unwrap_or_else(|| "default".into());
    match kind.as_str() {
        "default" | "none" => Ok(Scaling::None),
        "linear" => {
            let factor = fields.required_positive("factor")?;
            if factor < 1.0 {
                return Err(fields.error("factor", format!("is {factor}, but must be 1 or more")));
            }
            Ok(Scaling::Linear(factor))
        }
        "llama3" => {
            let factor = fields.required_positive("factor")?;
            let low = fields.required_positive("low_freq_factor")?;
            let high = fields.required_positive("high_freq_factor")?;
            let context = fields.required_positive("original_max_position_embeddings")?;
            if factor < 1.0 || high <= low {
                let problem = "needs factor ≥ 1 and high_freq_factor > low_freq_factor";
                return Err(fields.error("rope_type", problem));
            }
            Ok(Scaling::Llama3 { factor, low, high, context })
        }
        other => {
            let known = Value::from(vec!["default", "linear", "llama3"]);
            let problem = format!("is \"{other}\", but this release knows only {known}");
            Err(fields.error("rope_type", problem))
        }
    }
}

impl Rope {
    /// Angle per position of each pair, in turns / 2³², rounded: computed in f64 with the same
    /// powers on every host.
    pub(super) fn table(&self) -> Vec<u32> {
        let turn = f64::from(u32::MAX) + 1.0;
        (0..self.dims / 2).map(|pair| (self.angle(pair) / TAU * turn).round() as u32).collect()
    }

    /// Radians per position of a pair.
    fn angle(&self, pair: u32) -> f64 {
        let exponent = -2.0 * f64::from(pair) / f64::from(self.dims);
        let angle = libm::pow(self.theta, exponent);
        match self.scaling {
            Scaling::None => angle,
            Scaling::Linear(factor) => angle / factor,
            Scaling::Llama3 { factor, low, high, context } => {
                let turns = context * angle / TAU;
                let ramp = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - ramp) * angle / factor + ramp * angle
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(theta: f64, dims: u32, scaling: Scaling) -> Vec<u32> {
        Rope { theta, dims, scaling }.table()
    }

    #[test]
    fn plain_angles() {
        // 2³² / 2π, and a tenth, a hundredth, a thousandth of it.
        let plain = table(10_000.0, 8, Scaling::None);
        assert_eq!(plain, [683_565_276, 68_356_528, 6_835_653, 683_565]);
        let half = table(10_000.0, 8, Scaling::Linear(2.0));
        assert_eq!(half, [341_782_638, 34_178_264, 3_417_826, 341_783]);
    }

    /// Llama 3.2: fast angles stay, slow ones are divided by 32.
    #[test]
    fn llama3_ends_of_the_ramp() {
        let scaling = Scaling::Llama3 { factor: 32.0, low: 1.0, high: 4.0, context: 8192.0 };
        let plain = table(500_000.0, 64, Scaling::None);
        let scaled = table(500_000.0, 64, scaling);
        assert_eq!(plain[..15], scaled[..15]);
        assert_eq!(scaled[31], (f64::from(plain[31]) / 32.0).round() as u32);
        assert!(plain.iter().zip(&scaled).all(|(plain, scaled)| scaled <= plain));
    }
}
