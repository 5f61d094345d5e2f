//! A model by any of its names: an `.acorn` file, a Hugging Face folder, or a bundled model.
//!
//! Folders and bundled models are converted to q8 once, into a cache: `$ACORN_CACHE`, or `acorn` in
//! the user's cache folder. A folder that changes is converted again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::bundled::{self, Bundled, Content};
use crate::convert::{Quant, convert};
use crate::error::Error;
use crate::memory::size::Size;
use crate::model_file::ModelFile;
use crate::opened::{self, Opened};
use crate::progress::Progress;

/// How models that are converted on the fly are stored.
const QUANT: Quant = Quant::Q8;

/// Opens the model that `name` names. A bundled name comes before a path: write `./home` for a file
/// or folder of that name.
///
/// # Errors
/// There is no such model, a folder cannot be converted, or the cache not written.
pub fn open(name: &Path, progress: &dyn Progress) -> Result<ModelFile, Error> {
    ModelFile::open(&find(name, progress)?)
}

/// The same to run it, in at most `most` bytes of memory where that is given.
///
/// # Errors
/// The same.
pub fn open_to_run(
    name: &Path,
    most: Option<Size>,
    progress: &dyn Progress,
) -> Result<Opened, Error> {
    Opened::open(&find(name, progress)?, most)
}

/// The `.acorn` file of the model that `name` names.
fn find(name: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
    if let Some(model) = name.to_str().and_then(bundled::find) {
        return find_bundled(model, progress);
    }
    if !name.exists() {
        let names: Vec<_> = bundled::MODELS.iter().map(|model| model.name).collect();
        let names = names.join(", ");
        let problem = format!("no such file or folder, and no bundled model (those are: {names})");
        return Err(Error::Io {
            path: name.to_owned(),
            doing: "open it",
            source: std::io::Error::new(std::io::ErrorKind::NotFound, problem),
        });
    }
    if !name.is_dir() {
        return Ok(name.to_owned());
    }
    let dir = fs::canonicalize(name).map_err(Error::io(name, "open the folder"))?;
    let stem = dir.file_name().map_or_else(|| "model".into(), |stem| stem.to_string_lossy());
    cached(&stem, state(&dir)?, progress, |out| convert(&dir, out, QUANT, progress).map(drop))
}

fn find_bundled(model: &Bundled, progress: &dyn Progress) -> Result<PathBuf, Error> {
    let mut state = DefaultHasher::new();
    model.content.hash(&mut state);
    cached(model.name, state.finish(), progress, |out| {
        let files = match model.content {
            Content::Folder(files) => files,
            Content::File(bytes) => return write(bytes, out),
        };
        let folder =
            tempfile::tempdir().map_err(Error::io(out, "unpack the bundled model for it"))?;
        for (name, bytes) in files {
            let file = folder.path().join(name);
            fs::write(&file, bytes).map_err(Error::io(&file, "write it"))?;
        }
        convert(folder.path(), out, QUANT, progress).map(drop)
    })
}

/// Writes a file that appears whole or not at all.
fn write(bytes: &[u8], out: &Path) -> Result<(), Error> {
    let writing = |error| Error::io(out, "write it")(error);
    let folder = out.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(writing)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(writing)?;
    file.persist(out).map(drop).map_err(|error| writing(error.error))
}

/// The cached file for that state of a model; made by `make` where it is not there or not valid.
fn cached(
    stem: &str,
    state: u64,
    progress: &dyn Progress,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let folder = cache_folder();
    let mut key = DefaultHasher::new();
    (state, acorn_core::format::VERSION, env!("CARGO_PKG_VERSION")).hash(&mut key);
    let path = folder.join(format!("{stem}-{:016x}.{}.acorn", key.finish(), QUANT.name()));
    if opened::verify(&path, progress).is_ok() {
        return Ok(path);
    }
    fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the cache folder"))?;
    make(&path)?;
    Ok(path)
}

fn cache_folder() -> PathBuf {
    match std::env::var_os("ACORN_CACHE") {
        Some(folder) => folder.into(),
        None => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("acorn"),
    }
}

/// A number that changes when the folder's files do: their names, lengths and times of change.
fn state(dir: &Path) -> Result<u64, Error> {
    let reading = |error| Error::io(dir, "read the folder")(error);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let metadata = fs::metadata(entry.path()).map_err(reading)?;
        files.push((entry.file_name(), metadata.len(), metadata.modified().ok()));
    }
    files.sort();
    let mut state = DefaultHasher::new();
    (dir, files).hash(&mut state);
    Ok(state.finish())
}
