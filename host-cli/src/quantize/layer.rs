//! A model of one layer, in memory, run by the engine itself: so calibration has no maths of its own.
//!
//! Its vocabulary are the positions of the calibration text: row t of its embedding is the residual
//! stream of position t as it comes into the layer. Its token ids are 0, 1, 2, …; what the engine
//! leaves in the residual stream is what goes into the next layer.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use acorn_core::format::directory::Kind;
use acorn_core::format::encoding::{self, BAND_ROWS, Encoding};
use acorn_core::format::recipe::Recipe;
use acorn_core::format::tensor_table::Role;
use acorn_core::model::Tensor;
use acorn_core::{Engine, KeepLogits, KvKind, Limits, Model, Plan, Progress};

use super::parallel::{self, Arena};
use crate::convert::layout::Layout;
use crate::error::Error;

/// Residual streams, or inputs of a matrix: [tokens, stride].
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) stride: usize,
    pub(super) values: Vec<f32>,
}

/// What a run of a layer showed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The inputs of the matrices asked for, in their order.
    pub(super) inputs: Vec<Rows>,
    /// What goes into the next layer; empty unless the run went on to the layer's end.
    pub(super) residual: Vec<f32>,
}

/// A layer, as a model whose embedding are residual streams.
pub(super) struct Layer {
    bytes: Vec<u8>,
    places: HashMap<Role, Range<usize>>,
    windows: Vec<Range<usize>>,
    /// What errors are about.
    path: std::path::PathBuf,
}

impl Layer {
    /// Layer `layer` of `source`, a model of floats, over the residual streams `states`
    /// [tokens, hidden] of texts that take those ranges of tokens.
    pub(super) fn new(
        source: &Model<'_>,
        path: &Path,
        layer: u32,
        states: &[f32],
        windows: &[Range<usize>],
    ) -> Result<Self, Error> {
        let hidden = source.recipe().hidden as usize;
        let longest = windows.iter().map(Range::len).max().unwrap_or(1);
        let recipe = Recipe {
            vocab_size: (states.len() / hidden) as u32,
            layers: 1,
            context: longest as u32,
            tied_head: true,
            key_centers: false,
            ..*source.recipe()
        };
        let ours = |problem: String| Error::internal(path, problem);
        let layout = Layout::new(&recipe, |_, _| Encoding::F32, &[])
            .map_err(|kind| ours(kind.to_string()))?;
        let mut bytes = vec![0; layout.file_len() as usize];
        let mut places = HashMap::new();
        let tensors: HashMap<(Role, u32), Tensor<'_>> =
            source.tensors().map(|tensor| ((tensor.role, tensor.layer), tensor)).collect();
        for section in layout.sections() {
            let start = section.offset as usize;
            if section.kind != Kind::Weights {
                let encoded = layout.encode(section.kind, &recipe);
                let encoded = encoded.map_err(|kind| ours(kind.to_string()))?;
                bytes[start..start + encoded.len()].copy_from_slice(&encoded);
                continue;
            }
            let roles = acorn_core::format::tensor_table::expected(&recipe);
            for ((role, _), entry) in roles.zip(layout.entries()) {
                let first = start + entry.offset as usize;
                let place = first..first + entry.len as usize;
                let from = if Role::LAYER.contains(&role) { layer } else { 0 };
                match role {
                    Role::Embedding => pack(states, hidden, &mut bytes[place.clone()]),
                    // Positions are in the residual stream already.
                    Role::PositionEmbedding => {}
                    _ => {
                        let found = tensors.get(&(role, from)).map(|tensor| tensor.bytes);
                        let found = found.filter(|found| found.len() == place.len());
                        let missing = || ours(format!("no {} in layer {layer}", role.name()));
                        bytes[place.clone()].copy_from_slice(found.ok_or_else(missing)?);
                    }
                }
                places.insert(role, place);
            }
        }
        let crcs = vec![0; layout.sections().len()];
        let start = layout.header_and_directory(&crcs).map_err(|kind| ours(kind.to_string()))?;
        bytes[..start.len()].copy_from_slice(&start);
        Ok(Self { bytes, places, windows: windows.to_vec(), path: path.to_owned() })
    }

    /// Puts other weights [rows, stride] in the place of a matrix.
    pub(super) fn replace(&mut self, role: Role, weights: &Rows) {
        if let Some(place) = self.places.get(&role) {
            pack(&weights.values, weights.stride, &mut self.bytes[place.clone()]);
        }
    }

    /// Runs all windows. Stops at the last of the matrices asked for, in the order of the maths,
    /// unless `to_the_end`.
    pub(super) fn run(&self, asked: &[Role], to_the_end: bool) -> Result<Seen, Error> {
        let ours = |problem: String| Error::internal(&self.path, problem);
        let model = Model::parse(&self.bytes).map_err(|error| ours(error.to_string()))?;
        let longest = self.windows.iter().map(Range::len).max().unwrap_or(1) as u32;
        let all = asked.contains(&Role::Head);
        let limits = Limits {
            context: longest,
            batch: longest,
            kv: Some(KvKind::F32),
            workers: 1,
            logits: if all { KeepLogits::All } else { KeepLogits::LastOfAll },
            window: None,
        };
        let plan = Plan::new(&model, &limits).map_err(|error| ours(error.to_string()))?;
        let done = Mutex::new(Vec::new());
        let windows = self.windows.iter().enumerate();
        parallel::each_with(
            windows,
            || Arena::new(&plan),
            |arena, (index, window)| {
                let engine = Engine::new(&model, &plan, arena.bytes());
                let seen = engine.and_then(|engine| run_window(engine, window, asked, to_the_end));
                done.lock().unwrap_or_else(PoisonError::into_inner).push((index, seen));
            },
        );
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        let mut whole = Seen { inputs: vec![Rows::default(); asked.len()], ..Seen::default() };
        for (_, seen) in done {
            let seen = seen.map_err(|error| ours(error.to_string()))?;
            for (whole, part) in whole.inputs.iter_mut().zip(seen.inputs) {
                whole.stride = part.stride;
                whole.values.extend(part.values);
            }
            whole.residual.extend(seen.residual);
        }
        Ok(whole)
    }
}

fn run_window(
    mut engine: Engine<'_>,
    window: &Range<usize>,
    asked: &[Role],
    to_the_end: bool,
) -> Result<Seen, acorn_core::EngineError> {
    let tokens: Vec<u32> = window.clone().map(|token| token as u32).collect();
    engine.begin(&tokens)?;
    let mut seen = Seen::default();
    loop {
        if let Some(pending) = engine.pending_product() {
            if asked.get(seen.inputs.len()) == Some(&pending.role) {
                let (stride, values) = (pending.cols, pending.input.to_vec());
                seen.inputs.push(Rows { stride, values });
            }
            if pending.role == Role::Head {
                seen.residual = pending.residual.to_vec();
            }
            if pending.role == Role::Head || (seen.inputs.len() == asked.len() && !to_the_end) {
                return Ok(seen);
            }
        }
        if engine.poll(1)? == Progress::Done {
            return Ok(seen);
        }
    }
}

/// Rows [rows, stride] as bands of floats.
fn pack(rows: &[f32], stride: usize, out: &mut [u8]) {
    let padded = stride.next_multiple_of(encoding::BLOCK);
    let bands = out.chunks_mut(padded * BAND_ROWS * 4);
    for (rows, out) in rows.chunks(stride * BAND_ROWS).zip(bands) {
        let mut filled = vec![0.0; padded * BAND_ROWS];
        for (row, filled) in rows.chunks(stride).zip(filled.chunks_mut(padded)) {
            filled[..stride].copy_from_slice(row);
        }
        let rows = std::array::from_fn(|r| &filled[r * padded..(r + 1) * padded]);
        encoding::f32::pack(rows, out);
    }
}
