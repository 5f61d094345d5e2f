//! An `.acorn` file on disk.

use std::path::{Path, PathBuf};

use acorn_core::Model;

use crate::error::Error;
use crate::mapped::Mapped;
use crate::progress::Progress;

/// Bytes checked between two reports of progress, and the most that a check keeps in memory.
const STEP: usize = 16 << 20;

/// A model file, mapped into memory.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    map: Mapped,
}

impl ModelFile {
    /// Maps the file; reads nothing yet.
    ///
    /// # Errors
    /// The file cannot be opened, or is a folder.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), map: Mapped::open(path)? })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.map.bytes().len() as u64
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.map.bytes().is_empty()
    }

    /// Checks the structure and gives the model: [`Model::parse`], in O(tensors).
    ///
    /// # Errors
    /// The file is not a valid model.
    pub fn model(&self) -> Result<Model<'_>, Error> {
        Model::parse(self.map.bytes())
            .map_err(|source| Error::Model { path: self.path.clone(), source })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// Checks structure, checksums and every number: [`Model::verify`], in O(bytes), holding no
    /// more than a few MiB of the file in memory at a time.
    ///
    /// # Errors
    /// The file is not a valid model, or is damaged.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Model<'_>, Error> {
        let model = self.model()?;
        let mut verifier = model.verifier();
        // Every byte is looked at once for its checksum, and the weights once more for their values.
        let weights: u64 = model.tensors().map(|tensor| tensor.len).sum();
        progress.start("verifying", self.len() + weights);
        loop {
            let step = verifier.step(STEP);
            match step.map_err(|source| Error::Model { path: self.path.clone(), source })? {
                0 => break,
                bytes => progress.advance(bytes as u64),
            }
            self.map.release();
        }
        progress.finish();
        Ok(model)
    }
}
