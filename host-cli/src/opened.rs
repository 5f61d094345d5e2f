//! An `.acorn` file opened to be run: mapped, or within a bound on memory, which may be less than the file.

use std::path::{Path, PathBuf};

use acorn_core::error::OpenError;
use acorn_core::{Limits, Model, Plan};

use crate::error::Error;
use crate::file_source::FileSource;
use crate::mapped;
use crate::memory::budget::{Budget, PROCESS, Placement};
use crate::memory::size::Size;
use crate::memory::system;
use crate::model_file::ModelFile;
use crate::progress::Progress;

/// A model file, mapped where it fits.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    len: u64,
    most: Option<Size>,
    map: Option<ModelFile>,
}

impl Opened {
    /// Opens the file to run it in at most `most` bytes of memory, where that is given. Says so on standard
    /// error where the file is larger than the memory, and no bound is given.
    ///
    /// # Errors
    /// The file cannot be opened, or is a folder; without a bound: or cannot be mapped.
    pub fn open(path: &Path, most: Option<Size>) -> Result<Self, Error> {
        let (_, len) = mapped::open(path)?;
        // Where addresses are limited, the file must leave enough of them for all else, or be streamed.
        let addresses = system::address_space_left().is_none_or(|left| len <= left / 2);
        let map = match most {
            None => Some(ModelFile::open(path)?),
            Some(most) if addresses && len.saturating_add(PROCESS) <= most.0 => {
                ModelFile::open(path).ok()
            }
            Some(_) => None,
        };
        if let (None, Some(available)) = (most, system::available().filter(|&bytes| bytes < len)) {
            eprintln!(
                "acorn: {}: the file has {}, but only {} of memory are available: \
                 --max-memory {}M would stream it",
                path.display(),
                Size(len),
                Size(available),
                available >> 20
            );
        }
        Ok(Self { path: path.to_owned(), len, most, map })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mapped file, if it is.
    pub fn mapped(&self) -> Option<&ModelFile> {
        self.map.as_ref()
    }

    /// Checks the structure and gives the model. Where the file is not mapped, `resident` takes all of it but
    /// the matrices.
    ///
    /// # Errors
    /// The file is not a valid model, or cannot be read.
    pub fn model<'a>(&'a self, resident: &'a mut Vec<u8>) -> Result<Model<'a>, Error> {
        match &self.map {
            Some(file) => file.model(),
            None => open_resident(&self.path, resident).map(|(model, _)| model),
        }
    }

    /// The plan of the file's model, and where its weights are then.
    ///
    /// # Errors
    /// The model does not allow the limits, or its file not so little memory.
    pub fn plan(&self, model: &Model<'_>, limits: &Limits) -> Result<(Plan, Placement), Error> {
        let Some(most) = self.most else {
            let plan = Plan::new(model, &Limits { window: None, ..*limits });
            let plan = plan.map_err(|error| Error::input(&self.path, error.to_string()))?;
            return Ok((plan, Placement::InPlace));
        };
        let mapped = self.map.as_ref().map(|_| self.len);
        let budget = Budget { most, mapped, resident: self.resident_bytes()? };
        budget.plan(model, limits).map_err(|error| Error::input(&self.path, error.to_string()))
    }

    /// Bytes of the file without its matrices.
    ///
    /// # Errors
    /// It cannot be read, or is no model.
    pub fn resident_bytes(&self) -> Result<u64, Error> {
        let mut source = FileSource::open(&self.path).map_err(Error::io(&self.path, "open it"))?;
        let resident = Model::resident_bytes(&mut source);
        resident.map(|bytes| bytes as u64).map_err(|error| Error::open(&self.path, error))
    }
}

/// The model without its matrices, in `resident`, and what to read these from.
fn open_resident<'a>(
    path: &Path,
    resident: &'a mut Vec<u8>,
) -> Result<(Model<'a>, FileSource), Error> {
    let mut source = FileSource::open(path).map_err(Error::io(path, "open it"))?;
    let failed = |error| Error::open(path, error);
    let len = Model::resident_bytes(&mut source).map_err(failed)?;
    resident.try_reserve_exact(len).map_err(|_| {
        Error::input(
            path,
            format!("no memory for {}, the file without its matrices", Size(len as u64)),
        )
    })?;
    resident.resize(len, 0);
    let model = Model::open(&mut source, resident).map_err(failed)?;
    Ok((model, source))
}

/// Bytes that are checked at a time.
const STEP: usize = 1 << 20;

/// Checks structure, checksums and every number of a file, without mapping it: [`Model::verify_through`].
///
/// # Errors
/// It cannot be read, is not a valid model, or is damaged.
pub fn verify(path: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let mut resident = Vec::new();
    let (model, mut source) = open_resident(path, &mut resident)?;
    let mut buffer = vec![0; STEP];
    let mut verifier = model.verifier();
    // Every byte is looked at once for its checksum, and the weights once more for their values.
    let weights: u64 = model.tensors().map(|tensor| tensor.len).sum();
    let sections: u64 = model.sections().map(|section| section.len).sum();
    progress.start("verifying", sections + weights);
    loop {
        match verifier.step_through(&mut source, &mut buffer, STEP) {
            Ok(0) => break,
            Ok(bytes) => progress.advance(bytes as u64),
            // A band that is larger.
            Err(OpenError::BufferTooSmall { need, have }) if need > have => buffer.resize(need, 0),
            Err(error) => return Err(Error::open(path, error)),
        }
    }
    progress.finish();
    Ok(())
}
