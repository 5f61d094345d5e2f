//! Channels of unlike size, evened out: what goes into a matrix is divided channel by channel, and the
//! matrix's columns multiplied with the same factors (SmoothQuant, arXiv 2211.10438). Nothing is left to
//! do when the model runs, since each factor goes into what makes the channel:
//!
//! ```text
//! norm's gain and bias → query, key, value         value's rows → attention's output
//! norm's gain and bias → gate, up                  up's rows    → down, where there is a gate
//! norm's gain and bias → head, where it is not tied
//! ```
//!
//! A token's activations share a scale, as do a row's (or a block's) weights: one large channel costs all
//! others their last bits. Which factors s are best depends on both:
//!
//! ```text
//! error(s) ≈ E_t[max_j (x_tj/s_j)²]/127² · Σ_j s_j²·Σ_r w_rj²                      of activations
//!          + Σ_r Σ_block (max_j (w_rj·s_j))²/steps² · Σ_j E_t[x_tj²]/s_j²           of weights
//! ```
//!
//! The best of a family, `s = E[x²]^(α/2) / (Σw²)^(β/2)`, is taken.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use acorn_core::Model;
use acorn_core::format::encoding::{self, BAND_ROWS, BLOCK, Band, Encoding};
use acorn_core::format::tensor_table::Role;
use acorn_core::model::Matrix;

use super::Quant;
use super::channels::Channels;
use super::layer::{Layer, Rows};
use super::sequence::{Text, first_states};
use crate::error::Error;
use crate::progress::Progress;

/// A place where channels can be evened out.
struct Fold {
    /// What makes the channels, one per row or number.
    makers: [Role; 2],
    /// What takes them, one per column. The inputs are those of the first.
    takers: &'static [Role],
}

/// In the order of the maths.
const FOLDS: [Fold; 5] = [
    Fold {
        makers: [Role::AttentionNorm, Role::AttentionNormBias],
        takers: &[Role::Query, Role::Key, Role::Value],
    },
    Fold { makers: [Role::Value, Role::ValueBias], takers: &[Role::AttentionOutput] },
    Fold {
        makers: [Role::FeedForwardNorm, Role::FeedForwardNormBias],
        takers: &[Role::Gate, Role::Up],
    },
    Fold { makers: [Role::Up, Role::UpBias], takers: &[Role::Down] },
    Fold { makers: [Role::FinalNorm, Role::FinalNormBias], takers: &[Role::Head] },
];

/// The same without a gate: the activation is between up and down.
const UNGATED: [Fold; 4] = {
    let [qkv, output, _, _, head] = FOLDS;
    let up =
        Fold { makers: [Role::FeedForwardNorm, Role::FeedForwardNormBias], takers: &[Role::Up] };
    [qkv, output, up, head]
};

/// What a tensor is multiplied with: nothing where there are no factors.
#[derive(Clone, Debug, Default)]
struct Factors {
    rows: Vec<f32>,
    cols: Vec<f32>,
}

/// A model's factors, and where its tensors are.
#[derive(Debug)]
pub struct Balance {
    factors: HashMap<(Role, u32), Factors>,
    places: Vec<Place>,
}

/// Where a tensor is in its file.
#[derive(Clone, Copy, Debug)]
struct Place {
    tensor: (Role, u32),
    encoding: Encoding,
    cols: usize,
    offset: u64,
    len: usize,
}

impl Balance {
    /// The best factors for `source`, a model of floats, for inputs as `text` makes them, where its
    /// matrices are to be stored as `quant`.
    ///
    /// # Errors
    /// The engine does not take the model: our own fault.
    pub fn of(
        source: &Model<'_>,
        path: &Path,
        text: &Text,
        quant: Quant,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let place = |tensor: acorn_core::model::Tensor<'_>| Place {
            tensor: (tensor.role, tensor.layer),
            encoding: tensor.encoding,
            cols: tensor.cols as usize,
            offset: tensor.offset,
            len: tensor.len as usize,
        };
        let places = source.tensors().map(place).collect();
        let mut balance = Self { factors: HashMap::new(), places };
        let recipe = source.recipe();
        let folds: &[Fold] = if recipe.ungated { &UNGATED } else { &FOLDS };
        let mut states = first_states(source, text, &Rows::default(), &Rows::default());
        progress.start("balancing channels", u64::from(recipe.layers));
        for layer in 0..recipe.layers {
            // The head's inputs are those of the last layer's run.
            let last = layer + 1 == recipe.layers && !recipe.tied_head;
            let folds = if last { folds } else { &folds[..folds.len() - 1] };
            let asked: Vec<Role> = folds.iter().map(|fold| fold.takers[0]).collect();
            let model = Layer::new(source, path, layer, &states, &text.windows)?;
            let seen = model.run(&asked, true)?;
            for (fold, inputs) in folds.iter().zip(&seen.inputs) {
                balance.fold(source, layer, fold, inputs, quant);
            }
            states = seen.residual;
            progress.advance(1);
        }
        progress.finish();
        Ok(balance)
    }

    fn fold(&mut self, source: &Model<'_>, layer: u32, fold: &Fold, inputs: &Rows, quant: Quant) {
        let recipe = source.recipe();
        let is_head = fold.takers == [Role::Head];
        let matrix = |role: &Role| match is_head {
            true => source.head(),
            false => source.matrix(*role, layer),
        };
        let takers: Vec<Matrix<'_>> = fold.takers.iter().map(matrix).collect();
        let weight = |row: usize, out: &mut [f32]| {
            let mut row = row;
            for taker in &takers {
                match row.checked_sub(taker.rows()) {
                    Some(further) => row = further,
                    None => return taker.row(row, out),
                }
            }
        };
        let dim = recipe.head_dim as usize;
        let shared = dim * (recipe.heads / recipe.kv_heads) as usize;
        let maker = |col: usize| match fold.makers[0] {
            // Query heads that share values share their factors.
            Role::Value => col / shared * dim + col % dim,
            _ => col,
        };
        let maker = (0..fold.takers[0].shape(recipe).1 as usize).map(maker).collect();
        let rows = takers.iter().map(Matrix::rows).sum();
        let channels = Channels::new(maker, inputs, rows, weight, quant);
        let Some(factors) = channels.best() else { return };
        let layer = if is_head { 0 } else { layer };
        let inverse: Vec<f32> = factors.iter().map(|factor| 1.0 / factor).collect();
        for role in fold.makers {
            self.factors.entry((role, layer)).or_default().rows.clone_from(&inverse);
        }
        let cols = channels.of_columns(&factors);
        for role in fold.takers {
            self.factors.entry((*role, layer)).or_default().cols.clone_from(&cols);
        }
    }

    /// Multiplies the tensors in the file `path`, that of the model that this is the balance of; its
    /// checksums no longer hold then. Returns the bytes of the vectors that are other than before.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn apply(&self, path: &Path) -> Result<HashMap<(Role, u32), Vec<u8>>, Error> {
        let mut vectors = HashMap::new();
        let open = OpenOptions::new().read(true).write(true).open(path);
        let mut file = open.map_err(Error::io(path, "open it"))?;
        for place in &self.places {
            let Some(factors) = self.factors.get(&place.tensor) else { continue };
            let mut bytes = vec![0; place.len];
            let read = file.seek(SeekFrom::Start(place.offset));
            read.and_then(|_| file.read_exact(&mut bytes)).map_err(Error::io(path, "read it"))?;
            match place.encoding {
                Encoding::Vector => scale_vector(&mut bytes, &factors.rows),
                _ => scale_matrix(&mut bytes, place.cols, factors),
            }
            let written = file.seek(SeekFrom::Start(place.offset));
            written.and_then(|_| file.write_all(&bytes)).map_err(Error::io(path, "write it"))?;
            if place.encoding == Encoding::Vector {
                vectors.insert(place.tensor, bytes);
            }
        }
        Ok(vectors)
    }
}

fn scale_vector(bytes: &mut [u8], factors: &[f32]) {
    for (bytes, factor) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(factors) {
        *bytes = (f32::from_le_bytes(*bytes) * factor).to_le_bytes();
    }
}

/// A matrix of floats, in bands.
fn scale_matrix(bytes: &mut [u8], cols: usize, factors: &Factors) {
    let padded = cols.next_multiple_of(BLOCK);
    let mut rows = vec![0.0; padded * BAND_ROWS];
    for (b, bytes) in bytes.chunks_mut(padded * BAND_ROWS * 4).enumerate() {
        let band = Band::new(Encoding::F32, padded, bytes);
        for (r, row) in rows.chunks_mut(padded).enumerate() {
            band.row(r, row);
            row.iter_mut().zip(&factors.cols).for_each(|(w, factor)| *w *= factor);
            if let Some(factor) = factors.rows.get(b * BAND_ROWS + r) {
                row.iter_mut().for_each(|w| *w *= factor);
            }
        }
        encoding::f32::pack(std::array::from_fn(|r| &rows[r * padded..(r + 1) * padded]), bytes);
    }
}
