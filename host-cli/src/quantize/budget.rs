//! Which matrices deserve 8 bits, where a file's size allows some.
//!
//! Each matrix is rounded to 4 bits alone, in a model of floats otherwise; the divergence of the
//! model's answers is what 8 bits would save. Those that save most per byte come first.

use std::collections::HashSet;
use std::path::Path;

use acorn_core::Model;
use acorn_core::format::encoding::{self, BAND_ROWS, Band, Encoding};
use acorn_core::format::tensor_table::{self, Role};

use super::calibrate::affordable;
use super::quality::{Answers, divergence};
use super::sequence::Text;
use super::{Quant, band};
use crate::convert::layout::Layout;
use crate::error::Error;
use crate::progress::Progress;
use crate::summary::{bpw, parameters};

/// Windows that the divergence is measured on.
const WINDOWS: usize = 4;

/// The matrices of `file`, a model of floats, that 8 bits are spent on, so that the whole has at most
/// `most` bits per weight.
///
/// # Errors
/// 4 bits in all matrices are more than that; or the model cannot be run.
pub fn spend(
    file: &[u8],
    path: &Path,
    text: &Text,
    most: f64,
    progress: &dyn Progress,
) -> Result<HashSet<(Role, u32)>, Error> {
    let ours = |problem: String| Error::internal(path, problem);
    let model = Model::parse(file).map_err(|error| ours(error.to_string()))?;
    let mut recipe = *model.recipe();
    recipe.key_centers = true;
    let mut chosen = HashSet::new();
    let count = tensor_table::expected(&recipe)
        .map(|(role, _)| (role, role.shape(&recipe)))
        .map(|(role, (rows, cols))| parameters(role, rows, cols))
        .sum();
    let size = |chosen: &HashSet<(Role, u32)>| {
        let encoding = |role, layer| match chosen.contains(&(role, layer)) {
            true => Encoding::Q8,
            false => Encoding::Q4,
        };
        Layout::new(&recipe, encoding, &[])
            .map(|layout| bpw(layout.weight_bytes(), count))
            .map_err(|kind| ours(kind.to_string()))
    };
    let least = size(&chosen)?;
    if most < least {
        let problem = format!(
            "mixed:{most} is too few bits per weight: this model takes {least:.3} with 4 bits in all matrices"
        );
        return Err(Error::Usage { problem });
    }
    let windows = affordable(text, WINDOWS, recipe.vocab_size);
    let answers = Answers::of(&model, path, &windows)?;
    let mut gains = Vec::new();
    let matrices: Vec<_> = model.tensors().filter(|t| t.encoding.is_matrix()).collect();
    progress.start("weighing matrices", matrices.len() as u64);
    let mut copy = file.to_vec();
    for tensor in matrices {
        let start = tensor.bytes.as_ptr() as usize - file.as_ptr() as usize;
        let place = start..start + tensor.bytes.len();
        round(&mut copy[place.clone()], tensor.cols);
        let rounded = Model::parse(&copy).map_err(|error| ours(error.to_string()))?;
        let lost = divergence(&answers, &rounded, path, &windows)?.divergence;
        copy[place.clone()].copy_from_slice(&file[place]);
        let bytes = |encoding: Encoding| encoding.tensor_len(tensor.rows, tensor.cols).unwrap_or(0);
        let more = bytes(Encoding::Q8).saturating_sub(bytes(Encoding::Q4)).max(1);
        gains.push((lost / more as f64, (tensor.role, tensor.layer)));
        progress.advance(1);
    }
    progress.finish();
    // A stable sort: equal gains stay in file order.
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, matrix) in gains {
        chosen.insert(matrix);
        if size(&chosen)? > most {
            chosen.remove(&matrix);
        }
    }
    Ok(chosen)
}

/// Rounds a matrix of floats, in bands, to what 4 bits can say.
fn round(bytes: &mut [u8], cols: u32) {
    let padded = encoding::padded_cols(cols).unwrap_or(0) as usize;
    let (float_len, q4_len) = (padded * BAND_ROWS * 4, Encoding::Q4.band_len(cols).unwrap_or(0));
    let mut rows = vec![0.0; padded * BAND_ROWS];
    let mut packed = vec![0; q4_len as usize];
    for bytes in bytes.chunks_mut(float_len.max(1)) {
        let floats = Band::new(Encoding::F32, padded, bytes);
        for (r, row) in rows.chunks_mut(padded).enumerate() {
            floats.row(r, row);
        }
        band(Quant::Q4, &rows, padded, &mut packed);
        let stored = Band::new(Encoding::Q4, padded, &packed);
        for (r, row) in rows.chunks_mut(padded).enumerate() {
            stored.row(r, row);
            row[cols as usize..].fill(0.0);
        }
        let rows = std::array::from_fn(|r| &rows[r * padded..(r + 1) * padded]);
        encoding::f32::pack(rows, bytes);
    }
}
