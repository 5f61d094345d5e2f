//! The walk of a calibration: layer after layer, each matrix fitted to the inputs that the matrices
//! before it, as they are stored, really give.
//!
//! ```text
//! 1. the original model over the text                → inputs of the head
//! 2. the embedding                                     (is the head too, where that is tied)
//! 3. per layer, original and quantized side by side:   query key value | output | gate up | down
//! 4. the head, where it is not tied
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use acorn_core::Model;
use acorn_core::format::encoding::{self, BAND_ROWS, Encoding};
use acorn_core::format::tensor_table::Role;
use acorn_core::model::Matrix;
use serde::Serialize;

use super::layer::{Layer, Rows, Seen};
use super::linalg::Square;
use super::objective::Objective;
use super::{Distance, gptq, gptq8, key_center, parallel};
use crate::error::Error;
use crate::progress::Progress;

/// What an embedding's own error weighs beside that of the logits, where the head is tied, in units of
/// the inverse mean square of its numbers: measured on two models, flat within a factor of 3.
const AS_INPUT: f64 = 0.15;

/// How well a matrix is stored.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    /// The matrix.
    pub role: &'static str,
    /// Its layer.
    pub layer: u32,
    /// How it is stored.
    pub encoding: &'static str,
    /// Error of its products with the calibration's inputs, as a part of their size.
    pub output_error: f64,
}

/// A tensor as it goes to the file.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How they stand for numbers.
    pub encoding: Encoding,
    /// How far those are from the original ones.
    pub distance: Distance,
}

/// The stored tensors of a calibrated model.
#[derive(Debug, Default)]
pub struct Calibrated {
    /// Each matrix, and each centre of keys.
    pub tensors: HashMap<(Role, u32), Stored>,
    /// How well they fit, in order of the maths.
    pub fits: Vec<Fit>,
}

/// A text's tokens, and which of them stand together.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// All tokens.
    pub tokens: Vec<u32>,
    /// The windows, without holes.
    pub windows: Vec<Range<usize>>,
}

impl Text {
    /// A text of those windows.
    pub fn new(windows: &[Vec<u32>]) -> Self {
        let mut text = Self::default();
        for window in windows {
            let start = text.tokens.len();
            text.tokens.extend(window);
            text.windows.push(start..text.tokens.len());
        }
        text
    }
}

/// Quantizes the matrices of `source`, a model of floats, as `encoding` says, for inputs as `text`
/// makes them.
///
/// # Errors
/// The engine does not take the model: our own fault.
pub fn calibrate(
    source: &Model<'_>,
    path: &Path,
    text: &Text,
    encoding: &dyn Fn(Role, u32) -> Encoding,
    progress: &dyn Progress,
) -> Result<Calibrated, Error> {
    let layers = source.recipe().layers;
    progress.start("calibrating", u64::from(layers) * 5 + 1);
    let mut walk = Walk { source, path, text, encoding, out: Calibrated::default() };
    let original = first_states(source, text, &Rows::default(), &Rows::default());
    let head = walk.head_inputs(&original)?;
    progress.advance(u64::from(layers));
    let mut states = walk.embedding(&head);
    let mut originals = original;
    for layer in 0..layers {
        let (original, mut quantized) = walk.layer(layer, &originals, &states, progress)?;
        if layer + 1 == layers && !source.recipe().tied_head {
            walk.head(&quantized.inputs.pop().unwrap_or_default(), &head);
        }
        (originals, states) = (original, quantized.residual);
    }
    progress.finish();
    Ok(walk.out)
}

struct Walk<'w> {
    source: &'w Model<'w>,
    path: &'w Path,
    text: &'w Text,
    encoding: &'w dyn Fn(Role, u32) -> Encoding,
    out: Calibrated,
}

impl Walk<'_> {
    /// The original model's inputs of the head.
    fn head_inputs(&self, original: &[f32]) -> Result<Rows, Error> {
        let mut states = original.to_vec();
        let layers = self.source.recipe().layers;
        for layer in 0..layers {
            let model = self.one_layer(layer, &states)?;
            let asked: &[Role] = if layer + 1 == layers { &[Role::Head] } else { &[] };
            let mut seen = model.run(asked, true)?;
            if let Some(inputs) = seen.inputs.pop() {
                return Ok(inputs);
            }
            states = seen.residual;
        }
        Ok(Rows::default())
    }

    fn one_layer(&self, layer: u32, states: &[f32]) -> Result<Layer, Error> {
        Layer::new(self.source, self.path, layer, states, &self.text.windows)
    }

    /// Quantizes the embedding, and the positions', where they are learned. Returns the residual
    /// streams that they make.
    fn embedding(&mut self, head: &Rows) -> Vec<f32> {
        let hidden = self.source.recipe().hidden as usize;
        let mut inputs = Square::identity(hidden);
        if self.source.recipe().tied_head {
            let mut square = Square::zero(hidden);
            square.add_products(&head.values, &head.values, head.stride);
            square.add_to_diagonal(AS_INPUT / self.mean_square().max(1e-30));
            inputs = square;
        }
        let embedding = self.fit(Role::Embedding, 0, &Objective::new(inputs, None));
        let mut positions = Rows::default();
        if self.source.position_embedding().rows() > 0 {
            let alike = Objective::new(Square::identity(hidden), None);
            positions = self.fit(Role::PositionEmbedding, 0, &alike);
        }
        first_states(self.source, self.text, &embedding, &positions)
    }

    /// Of the embedding's numbers, as often as the text has them.
    fn mean_square(&self) -> f64 {
        let mut row = vec![0.0; self.source.recipe().hidden as usize];
        let mut sum = 0.0;
        for token in &self.text.tokens {
            self.source.embedding().row(*token as usize, &mut row);
            sum += row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        }
        sum / (self.text.tokens.len() * row.len()).max(1) as f64
    }

    /// Quantizes a layer. Returns the residual streams behind it: the original, and those of the
    /// layer as stored; these with the inputs of the head that they would give.
    fn layer(
        &mut self,
        layer: u32,
        originals: &[f32],
        states: &[f32],
        progress: &dyn Progress,
    ) -> Result<(Vec<f32>, Seen), Error> {
        let middle: &[Role] = match self.source.recipe().ungated {
            true => &[Role::Up],
            false => &[Role::Gate, Role::Up],
        };
        let stages: [&[Role]; 4] = [
            &[Role::Query, Role::Key, Role::Value],
            &[Role::AttentionOutput],
            middle,
            &[Role::Down],
        ];
        let asked = stages.map(|stage| stage[0]);
        let original = self.one_layer(layer, originals)?.run(&asked, true)?;
        if let Some(inputs) = original.inputs.first() {
            let center = key_center::mean(self.source, layer, inputs, &self.text.windows);
            let (encoding, distance) = (Encoding::Vector, Distance::default());
            let stored = Stored { bytes: center, encoding, distance };
            self.out.tensors.insert((Role::KeyCenter, layer), stored);
        }
        let mut quantized = self.one_layer(layer, states)?;
        for (stage, original) in stages.iter().zip(&original.inputs) {
            let mut seen = quantized.run(&stage[..1], false)?;
            let inputs = seen.inputs.pop().unwrap_or_default();
            let objective = objective(self.cols(stage[0]), &inputs, original);
            for &role in *stage {
                let weights = self.fit(role, layer, &objective);
                quantized.replace(role, &weights);
            }
            progress.advance(1);
        }
        let last = layer + 1 == self.source.recipe().layers;
        let asked: &[Role] = if last { &[Role::Head] } else { &[] };
        Ok((original.residual, quantized.run(asked, true)?))
    }

    /// Quantizes a head of its own.
    fn head(&mut self, inputs: &Rows, original: &Rows) {
        let objective = objective(self.cols(Role::Head), inputs, original);
        self.fit(Role::Head, 0, &objective);
    }

    fn cols(&self, role: Role) -> usize {
        role.shape(self.source.recipe()).1 as usize
    }

    fn matrix(&self, role: Role, layer: u32) -> Matrix<'_> {
        match role {
            Role::Head => self.source.head(),
            _ => self.source.matrix(role, layer),
        }
    }

    /// Quantizes a matrix, and notes its bytes and its fit. Returns what the bytes stand for.
    fn fit(&mut self, role: Role, layer: u32, objective: &Objective) -> Rows {
        let encoding = (self.encoding)(role, layer);
        let matrix = self.matrix(role, layer);
        let (rows, cols) = (matrix.rows(), self.cols(role));
        let band_len = encoding.band_len(cols as u32).unwrap_or(0) as usize;
        let stride = objective.padded;
        let mut bytes = vec![0; matrix.bands() * band_len];
        let mut stored = vec![0.0; matrix.bands() * BAND_ROWS * stride];
        let done = Mutex::new(Vec::new());
        let bands = bytes.chunks_mut(band_len.max(1)).zip(stored.chunks_mut(BAND_ROWS * stride));
        parallel::each(bands.enumerate(), |(band, (bytes, stored))| {
            let sums = fit_band(&matrix, band, cols, encoding, objective, bytes, stored);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((band, sums));
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(band, _)| *band);
        let (mut error, mut size, mut distance) = (0.0, 0.0, Distance::default());
        for (_, sums) in done {
            (error, size) = (error + sums.error, size + sums.size);
            distance = distance.plus(sums.distance);
        }
        self.out.fits.push(Fit {
            role: role.name(),
            layer,
            encoding: encoding.name(),
            output_error: if size > 0.0 { (error / size).max(0.0).sqrt() } else { 0.0 },
        });
        self.out.tensors.insert((role, layer), Stored { bytes, encoding, distance });
        stored.truncate(rows * stride);
        let mut weights = Rows { stride: cols, values: Vec::with_capacity(rows * cols) };
        for row in stored.chunks(stride) {
            weights.values.extend(&row[..cols]);
        }
        weights
    }
}

/// The residual streams before the first layer, from those tables or (where empty) the original.
pub(super) fn first_states(
    source: &Model<'_>,
    text: &Text,
    embedding: &Rows,
    positions: &Rows,
) -> Vec<f32> {
    let hidden = source.recipe().hidden as usize;
    let row = |own: &Rows, matrix: Matrix<'_>, row: usize, out: &mut [f32]| match own
        .values
        .chunks(own.stride.max(1))
        .nth(row)
    {
        Some(values) => out.copy_from_slice(&values[..hidden]),
        None => matrix.row(row, out),
    };
    let mut states = vec![0.0; text.tokens.len() * hidden];
    let mut position = vec![0.0; hidden];
    for window in &text.windows {
        for (place, token) in window.clone().enumerate() {
            let token_id = text.tokens[token] as usize;
            let state = &mut states[token * hidden..(token + 1) * hidden];
            row(embedding, source.embedding(), token_id, state);
            if source.position_embedding().rows() > 0 {
                row(positions, source.position_embedding(), place, &mut position);
                state.iter_mut().zip(&position).for_each(|(x, p)| *x += p);
            }
        }
    }
    states
}

/// The objective for inputs as they are, aiming at what the original ones gave.
fn objective(cols: usize, inputs: &Rows, original: &Rows) -> Objective {
    let mut square = Square::zero(cols);
    square.add_products(&inputs.values, &inputs.values, inputs.stride);
    let mut cross = Square::zero(cols);
    cross.add_products(&original.values, &inputs.values, inputs.stride);
    Objective::new(square, Some(cross))
}

/// Of some rows.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Squared error of their products with the inputs.
    error: f64,
    /// Squared size of the products.
    size: f64,
    /// Of the weights from the original ones.
    distance: Distance,
}

/// Quantizes 8 rows into `bytes`, and puts what those stand for into `stored` [8, padded].
fn fit_band(
    matrix: &Matrix<'_>,
    band: usize,
    cols: usize,
    encoding: Encoding,
    objective: &Objective,
    bytes: &mut [u8],
    stored: &mut [f32],
) -> Sums {
    let padded = objective.padded;
    let count = matrix.rows().saturating_sub(band * BAND_ROWS).min(BAND_ROWS);
    let mut aims = vec![vec![0.0; padded]; BAND_ROWS];
    for (r, aim) in aims.iter_mut().enumerate().take(count) {
        matrix.row(band * BAND_ROWS + r, &mut aim[..cols]);
        *aim = objective.aim(aim);
    }
    match encoding {
        Encoding::Q4 => {
            let rows: Vec<_> = aims.iter().map(|aim| gptq::row(aim, objective)).collect();
            let packed = std::array::from_fn(|r| rows[r].as_packed());
            encoding::q4::pack(&packed, bytes);
            for (row, out) in rows.iter().zip(stored.chunks_mut(padded)) {
                out.iter_mut().zip(row.floats()).for_each(|(out, w)| *out = w);
            }
        }
        Encoding::Q8 => {
            let rows: Vec<_> = aims.iter().map(|aim| gptq8::row(aim, objective)).collect();
            let weights = std::array::from_fn(|r| rows[r].weights.as_slice());
            let scales = std::array::from_fn(|r| rows[r].scale);
            encoding::q8::pack(weights, &scales, bytes);
            for (row, out) in rows.iter().zip(stored.chunks_mut(padded)) {
                out.iter_mut().zip(row.floats()).for_each(|(out, w)| *out = w);
            }
        }
        _ => {
            encoding::f32::pack(std::array::from_fn(|r| aims[r].as_slice()), bytes);
            stored.chunks_mut(padded).zip(&aims).for_each(|(out, aim)| out.copy_from_slice(aim));
        }
    }
    let mut sums = Sums::default();
    let mut original = vec![0.0; cols];
    for (r, (aim, row)) in aims.iter().zip(stored.chunks_mut(padded)).take(count).enumerate() {
        let error: Vec<f32> = aim.iter().zip(&*row).map(|(aim, w)| aim - w).collect();
        sums.error += objective.cost(&error);
        sums.size += objective.cost(aim);
        matrix.row(band * BAND_ROWS + r, &mut original);
        let distance = Distance::between(&original, row.iter().copied());
        sums.distance = sums.distance.plus(distance);
    }
    sums
}
