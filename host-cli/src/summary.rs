//! A model in figures: one place decides what counts as a parameter and as a bit of it.

use acorn_core::Model;
use acorn_core::format::directory::Kind;
use acorn_core::format::encoding::Encoding;
use acorn_core::format::tensor_table::Role;

/// Sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Tensors in the file.
    pub tensors: u64,
    /// Trained numbers: every tensor but the rotary table, a tied head once, padding not counted.
    pub parameters: u64,
    /// Bytes of the weights section, padding included.
    pub weight_bytes: u64,
}

impl Summary {
    /// The figures of a model.
    pub fn of(model: &Model<'_>) -> Self {
        let weights = model.sections().find(|section| section.kind == Kind::Weights);
        Self {
            tensors: model.tensors().count() as u64,
            parameters: model.tensors().map(|t| parameters(t.role, t.rows, t.cols)).sum(),
            weight_bytes: weights.map_or(0, |section| section.len),
        }
    }

    /// Bits per weight: those of the whole weights section over all parameters.
    pub fn bpw(&self) -> f64 {
        bpw(self.weight_bytes, self.parameters)
    }
}

/// Trained numbers of a tensor.
pub fn parameters(role: Role, rows: u32, cols: u32) -> u64 {
    match role.vector_encoding() {
        Some(Encoding::Turns) => 0,
        // Measured, not trained.
        _ if role == Role::KeyCenter => 0,
        _ => u64::from(rows) * u64::from(cols),
    }
}

/// Bits per weight; 0 where there is no weight.
pub fn bpw(bytes: u64, parameters: u64) -> f64 {
    if parameters == 0 { 0.0 } else { bytes as f64 * 8.0 / parameters as f64 }
}
