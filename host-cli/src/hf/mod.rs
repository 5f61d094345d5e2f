//! Hugging Face folders. The names of architectures, fields and tensors live here and nowhere else:
//! what leaves this module is a [`Recipe`] and, per role, where its numbers lie.
//!
//! ```text
//! config.json → Architecture (recipe, rotary table, names)      config, common, gpt2, llama, rope
//! *.safetensors → Weights (which tensor lies where)             safetensors, weights
//! tokenizer.json → the tokenizer section                        tokenizer
//! ```

mod chat_template;
mod common;
mod config;
mod gpt2;
mod llama;
mod rope;
mod safetensors;
mod sampling;
pub mod tokenizer;
mod weights;

use std::path::Path;

use acorn_core::format::recipe::Recipe;
use acorn_core::format::tensor_table::Role;

pub use chat_template::chat_template;
pub use safetensors::Dtype;
pub use sampling::sampling;
pub use weights::{Located, Stored, Weights};

use crate::error::Error;
use config::Fields;

/// A model's architecture, read from its `config.json`.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// The name by which the folder calls it.
    pub name: String,
    /// The architecture as data.
    pub recipe: Recipe,
    /// Base of the rotary angles, as the folder gives it; `None` where positions are not rotary.
    pub rope_theta: Option<f64>,
    /// Angle per position of each rotated pair, in turns / 2³² [rotary_dims / 2].
    pub rotary: Vec<u32>,
    /// Where the folder has the tensor of a role and layer; `None` for tensors that are computed.
    pub(crate) source: fn(Role, u32) -> Option<Source>,
    /// What some folders leave out at the start of names.
    pub(crate) prefix: &'static str,
    /// Whether a tensor outside the recipe changes nothing.
    pub(crate) harmless: fn(&str) -> bool,
}

/// How a folder has the numbers of a role.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The tensor's name.
    pub(crate) name: String,
    /// Whether a matrix is stored [columns, rows].
    pub(crate) transposed: bool,
    /// Which of the tensor's equal parts it is, in order of its rows (of a vector: its numbers).
    pub(crate) part: u32,
    /// How many parts there are.
    pub(crate) parts: u32,
}

impl Source {
    /// A tensor as the recipe has it.
    pub(crate) fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), transposed: false, part: 0, parts: 1 }
    }
}

impl Architecture {
    /// Reads `config.json` of the folder `dir`.
    ///
    /// # Errors
    /// There is no such file, the architecture is not known, or a field may change the maths in a
    /// way that this release does not know; the error names it.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        std::fs::read_dir(dir).map_err(Error::io(dir, "open the folder"))?;
        let path = dir.join("config.json");
        if !path.exists() {
            let problem = "has no config.json: expected the folder of a Hugging Face model";
            return Err(Error::input(dir, problem));
        }
        let mut fields = Fields::load(&path)?;
        let names = fields.texts("architectures")?.unwrap_or_default();
        match names.as_slice() {
            [name] if llama::NAMES.contains(&name.as_str()) => llama::read(name, fields),
            [name] if gpt2::NAMES.contains(&name.as_str()) => gpt2::read(name, fields),
            _ => {
                let known = [llama::NAMES.as_slice(), &gpt2::NAMES].concat().join(", ");
                let problem = format!("is {names:?}, but this release converts one of: {known}");
                Err(fields.error("architectures", problem))
            }
        }
    }
}
