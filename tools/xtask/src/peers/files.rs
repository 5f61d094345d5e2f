//! The files of contestants, made once: `target/peers/SHAPE/`.

use std::fs;
use std::path::{Path, PathBuf};

use super::Quant;
use super::tools::Tools;
use crate::command::Result;
use crate::shapes::Shape;
use crate::synth;

const SEED: u64 = 0;

/// Who runs a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Acorn,
    LlamaCpp,
}

impl Engine {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acorn => "acorn",
            Self::LlamaCpp => "llama.cpp",
        }
    }
}

/// A file, and who runs it.
#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) engine: Engine,
    pub(super) quant: Quant,
    /// The engine's name of how weights are stored.
    pub(super) kind: &'static str,
    pub(super) file: PathBuf,
    /// Bytes of weights that one decoded token reads.
    pub(super) bytes_per_token: u64,
}

/// For each encoding Acorn's file, and those of llama.cpp that compare with it.
pub(super) fn prepare(
    tools: &Tools,
    shape: Shape,
    quants: &[Quant],
    folder: &Path,
) -> Result<Vec<Vec<Contestant>>> {
    let folder = folder.join(shape.name());
    eprintln!("{}: files", folder.display());
    let weights = folder.join("hf");
    if !weights.exists() {
        synth::write(shape, SEED, &weights)?;
    }
    make_gguf(tools, &weights, quants, &folder)?;
    quants.iter().map(|&quant| contestants(tools, &weights, quant, &folder)).collect()
}

/// Makes the GGUF files that are missing.
fn make_gguf(tools: &Tools, weights: &Path, quants: &[Quant], folder: &Path) -> Result<()> {
    let kinds = quants.iter().flat_map(|quant| quant.peers());
    let missing: Vec<_> =
        kinds.map(|kind| (kind, gguf(folder, kind))).filter(|(_, file)| !file.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let plain = gguf(folder, "F16");
    tools.write_gguf(weights, &plain)?;
    for (kind, file) in missing {
        tools.quantize_gguf(&plain, &file, kind)?;
    }
    fs::remove_file(&plain).map_err(|error| format!("{}: {error}", plain.display()))
}

fn gguf(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("{kind}.gguf"))
}

fn contestants(
    tools: &Tools,
    weights: &Path,
    quant: Quant,
    folder: &Path,
) -> Result<Vec<Contestant>> {
    let file = folder.join(format!("{}.acorn", quant.name()));
    if !is_newer(&file, &tools.acorn) {
        tools.convert(weights, quant, &file)?;
    }
    let (engine, kind, bytes_per_token) = (Engine::Acorn, quant.name(), tools.acorn_bytes(&file)?);
    let mut all = vec![Contestant { engine, quant, kind, file, bytes_per_token }];
    for kind in quant.peers() {
        let (engine, file) = (Engine::LlamaCpp, gguf(folder, kind));
        let bytes_per_token = tools.gguf_bytes(&file)?;
        all.push(Contestant { engine, quant, kind, file, bytes_per_token });
    }
    Ok(all)
}

/// Whether a file was made after the program that makes it.
fn is_newer(file: &Path, program: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    matches!((changed(file), changed(program)), (Some(file), Some(program)) if file > program)
}
