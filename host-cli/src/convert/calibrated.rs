//! Matrices made before the file is written: fitted to a text, and measured.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use acorn_core::format::encoding::Encoding;
use acorn_core::format::tensor_table::Role;
use serde::Serialize;

use super::{Options, write_file};
use crate::error::Error;
use crate::model_file::ModelFile;
use crate::progress::Progress;
use crate::quantize::balance::Balance;
use crate::quantize::calibrate::{self, Calibration, Texts};
use crate::quantize::quality::{Answers, Divergence, divergence};
use crate::quantize::sequence::{self, Calibrated, Fit, Stored};
use crate::quantize::{Distance, Quant, budget};

/// What is known of a calibrated model's quality.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// How far it is from the original, on text that it was not fitted to.
    #[serde(flatten)]
    pub divergence: Divergence,
    /// How well each matrix fits.
    pub matrices: Vec<Fit>,
}

/// All matrices of a model, as they go to the file.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    tensors: HashMap<(Role, u32), Stored>,
    fits: Vec<Fit>,
    /// For the file's metadata.
    pub(super) facts: serde_json::Map<String, serde_json::Value>,
    /// If asked for.
    pub(super) quality: Option<Quality>,
}

impl Prepared {
    pub(super) fn get(&self, role: Role, layer: u32) -> Option<&Stored> {
        self.tensors.get(&(role, layer))
    }

    pub(super) fn encoding(&self, role: Role, layer: u32) -> Option<Encoding> {
        self.get(role, layer).map(|stored| stored.encoding)
    }
}

/// Makes the matrices that `options` ask for; `None` where each is to be rounded by itself. Needs
/// the disk space of the model in floats beside `out`, for as long as it works.
pub(super) fn prepare(
    dir: &Path,
    out: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Option<Prepared>, Error> {
    let none = options.calibration == Calibration::None;
    if options.quant == Quant::F32 || (none && options.budget.is_none() && !options.quality) {
        return Ok(None);
    }
    if none {
        let problem = "--quality and --quant mixed need a calibration text: leave out --calibrate, or give it a file";
        return Err(Error::Usage { problem: problem.into() });
    }
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let scratch = tempfile::Builder::new().prefix(".acorn-").tempdir_in(folder);
    let scratch = scratch.map_err(Error::io(folder, "make a temporary folder in it"))?;
    let floats = scratch.path().join("floats.acorn");
    write_file(dir, &floats, Quant::F32, None, progress)?;
    let file = ModelFile::open(&floats)?;
    let model = file.model()?;
    let texts = calibrate::texts(&options.calibration, &model, &floats, progress)?;
    let Some(texts) = texts else { return Ok(None) };
    // The file is another one from here on, the model the same.
    let balance = Balance::of(&model, &floats, &texts.fitted, options.quant, progress)?;
    drop(file);
    let vectors = balance.apply(&floats)?;
    let file = ModelFile::open(&floats)?;
    let model = file.model()?;

    let eight = match options.budget {
        None => HashSet::new(),
        Some(most) => {
            let bytes = fs::read(&floats).map_err(Error::io(&floats, "read it"))?;
            budget::spend(&bytes, &floats, &texts.fitted, most, progress)?
        }
    };
    let encoding = |role, layer| match eight.contains(&(role, layer)) {
        true => Encoding::Q8,
        false => options.quant.encoding(),
    };
    let calibrated = sequence::calibrate(&model, &floats, &texts.fitted, &encoding, progress)?;
    let Calibrated { mut tensors, fits } = calibrated;
    for (place, bytes) in vectors {
        let stored = Stored { bytes, encoding: Encoding::Vector, distance: Distance::default() };
        tensors.insert(place, stored);
    }
    let mut prepared = Prepared { tensors, fits, ..Prepared::default() };
    prepared.facts.insert("quantization".into(), options.name().into());
    let source = match options.calibration {
        Calibration::Text(_) => "text",
        _ => "samples",
    };
    let tokens = texts.fitted.tokens.len();
    prepared
        .facts
        .insert("calibration".into(), serde_json::json!({ "source": source, "tokens": tokens }));
    if options.quality {
        let trial = scratch.path().join("trial.acorn");
        write_file(dir, &trial, options.quant, Some(&prepared), progress)?;
        let quality = measure(&file, &trial, &texts, prepared.fits.clone())?;
        let facts = serde_json::to_value(&quality);
        let facts = facts.map_err(|error| Error::internal(out, error.to_string()))?;
        prepared.facts.insert("quality".into(), facts);
        prepared.quality = Some(quality);
    }
    Ok(Some(prepared))
}

fn measure(
    original: &ModelFile,
    trial: &Path,
    texts: &Texts,
    matrices: Vec<Fit>,
) -> Result<Quality, Error> {
    let windows = texts.held_windows(original.model()?.recipe().vocab_size);
    let answers = Answers::of(&original.model()?, original.path(), &windows)?;
    let file = ModelFile::open(trial)?;
    let divergence = divergence(&answers, &file.model()?, trial, &windows)?;
    Ok(Quality { divergence, matrices })
}
