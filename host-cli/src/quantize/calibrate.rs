//! The text that a model is calibrated on: drawn from the model itself, or read from a file.
//!
//! What a model says is typical of what goes through its matrices, and needs no text that suits the
//! model (arXiv 2305.17888 has the same for training). The engine draws the same tokens everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use acorn_core::{Engine, Limits, Model, Plan, Sampler, SamplerOptions};

use super::parallel::{self, Arena};
use super::sequence::Text;
use crate::error::Error;
use crate::progress::Progress;
use crate::summary::Summary;
use crate::text;

/// Tokens of a window, where the model's context allows.
const WINDOW: usize = 256;

/// Windows that the matrices are fitted to, at least and at most, and those kept back for measuring.
/// 160 give 6 % less divergence than 48 on a model of 260,000 parameters; larger models take longer.
const FITTED: [u64; 2] = [56, 160];
const HELD: usize = 8;

/// Fitted windows times parameters, where that is between the two.
const WORK: u64 = 400_000_000;

/// The least tokens that a text must give.
const LEAST: usize = 512;

/// Where the text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// Nowhere: every weight is rounded to the nearest.
    None,
    /// The model itself.
    Samples,
    /// A file in UTF-8.
    Text(PathBuf),
}

/// The text to fit to, and the one to measure on.
#[derive(Debug)]
pub struct Texts {
    /// To fit to.
    pub fitted: Text,
    /// Kept back.
    pub held: Text,
}

impl Texts {
    /// The windows to measure on: fewer where a large vocabulary makes answers large.
    pub fn held_windows(&self, vocab_size: u32) -> Vec<Vec<u32>> {
        affordable(&self.held, HELD, vocab_size)
    }
}

/// The first `most` windows, or as many as give 2²⁶ logits.
pub(super) fn affordable(text: &Text, most: usize, vocab_size: u32) -> Vec<Vec<u32>> {
    let logits = WINDOW * vocab_size as usize;
    let count = ((1 << 26) / logits.max(1)).clamp(1, most);
    let windows = text.windows.iter().take(count);
    windows.map(|window| text.tokens[window.clone()].to_vec()).collect()
}

/// The texts for `model`, which lies in the file `path`; `None` without calibration.
///
/// # Errors
/// The text cannot be read, is not UTF-8, or is too short; or the model cannot be run.
pub fn texts(
    calibration: &Calibration,
    model: &Model<'_>,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Option<Texts>, Error> {
    let windows = match calibration {
        Calibration::None => return Ok(None),
        Calibration::Samples => samples(model, path, progress)?,
        Calibration::Text(file) => windows_of(file, model, path)?,
    };
    // The held-out tail; a short text gives at least one window for each use.
    let held = (windows.len() * HELD).div_ceil(wanted(model)).clamp(1, HELD);
    let (fitted, held) = windows.split_at(windows.len() - held);
    Ok(Some(Texts { fitted: Text::new(fitted), held: Text::new(held) }))
}

/// Windows in all.
fn wanted(model: &Model<'_>) -> usize {
    let fitted = (WORK / Summary::of(model).parameters.max(1)).clamp(FITTED[0], FITTED[1]);
    fitted as usize + HELD
}

fn window_len(model: &Model<'_>) -> usize {
    WINDOW.min(model.recipe().context as usize)
}

/// Windows of a text, at even distances where it is longer than needed.
fn windows_of(file: &Path, model: &Model<'_>, path: &Path) -> Result<Vec<Vec<u32>>, Error> {
    let bytes = fs::read(file).map_err(Error::io(file, "read the calibration text"))?;
    let string = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(file, format!("byte {at} is not UTF-8: calibration needs plain text"))
    })?;
    let tokens = text::encode(path, model, &string, false)?;
    let bos = text::bos(model);
    let own = window_len(model).saturating_sub(usize::from(bos.is_some())).max(1);
    let least = LEAST.min(2 * own);
    if tokens.len() < least {
        let problem = format!(
            "has {} tokens, but calibration needs at least {least}, better {}: give a longer text, or --calibrate samples",
            tokens.len(),
            wanted(model) * own
        );
        return Err(Error::input(file, problem));
    }
    let all: Vec<&[u32]> = tokens.chunks(own).filter(|window| window.len() * 2 > own).collect();
    let count = all.len().min(wanted(model));
    let window = |index: usize| {
        let own = all[index * all.len() / count];
        bos.into_iter().chain(own.iter().copied()).collect()
    };
    Ok((0..count).map(window).collect())
}

/// Windows drawn at temperature 1. Where a text ends, the next one begins in the same window.
fn samples(
    model: &Model<'_>,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Vec<u32>>, Error> {
    let ours = |problem: String| Error::internal(path, problem);
    let len = window_len(model);
    let limits = Limits { context: len as u32, ..Limits::default() };
    let plan = Plan::new(model, &limits).map_err(|error| ours(error.to_string()))?;
    let drawn = Mutex::new(Vec::new());
    let count = wanted(model);
    progress.start("drawing samples", count as u64);
    parallel::each_with(
        0..count,
        || Arena::new(&plan),
        |arena, index| {
            let engine =
                Engine::new(model, &plan, arena.bytes()).map_err(|error| error.to_string());
            let window = engine.and_then(|engine| draw(model, engine, len, index));
            progress.advance(1);
            drawn.lock().unwrap_or_else(PoisonError::into_inner).push((index, window));
        },
    );
    progress.finish();
    let mut drawn = drawn.into_inner().unwrap_or_else(PoisonError::into_inner);
    drawn.sort_by_key(|(index, _)| *index);
    let windows = drawn.into_iter().map(|(_, window)| window);
    windows.map(|window| window.map_err(ours)).collect()
}

fn draw(
    model: &Model<'_>,
    mut engine: Engine<'_>,
    len: usize,
    index: usize,
) -> Result<Vec<u32>, String> {
    let tokenizer = model.tokenizer();
    let start = text::bos(model).or_else(|| tokenizer.and_then(|tokenizer| tokenizer.eos()));
    // Without a token to begin with, any: spread over the vocabulary.
    let any = (index as u64 * 2_654_435_761 % u64::from(model.recipe().vocab_size)) as u32;
    let options =
        SamplerOptions { temperature: 1.0, seed: index as u64 + 1, ..SamplerOptions::default() };
    let mut sampler = Sampler::new(options).map_err(|error| error.to_string())?;
    let mut window = vec![start.unwrap_or(any)];
    while window.len() < len {
        let last = window[window.len() - 1];
        let logits = engine.decode(last).map_err(|error| error.to_string())?;
        let ended = tokenizer.is_some_and(|tokenizer| tokenizer.is_stop(last));
        let next = sampler.sample(logits, &[]);
        window.push(start.filter(|&start| ended && start != last).unwrap_or(next));
    }
    Ok(window)
}
