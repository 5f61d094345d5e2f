//! Which tensor of which file holds the numbers of each role.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use acorn_core::format::tensor_table::{self, Role};
use serde::Deserialize;

use super::safetensors::{Dtype, Listed, Shard};
use super::{Architecture, Source};
use crate::error::Error;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Bytes compared at a time where a folder holds a tied tensor twice.
const COMPARE: usize = 1 << 20;

/// The folder's safetensors files, open.
#[derive(Debug)]
pub struct Weights {
    dir: PathBuf,
    shards: Vec<Shard>,
}

/// A tensor of a file.
type Found<'a> = (&'a Shard, &'a Listed);

/// All tensors by name, and which of them some role has taken.
#[derive(Default)]
struct All<'a> {
    tensors: BTreeMap<&'a str, Found<'a>>,
    taken: BTreeSet<&'a str>,
}

impl<'a> All<'a> {
    /// Takes the tensor `name`, or the one without `prefix`. A tensor of several parts is taken by
    /// several roles.
    fn take(&mut self, name: &str, prefix: &str) -> Option<(String, Found<'a>)> {
        let short = name.strip_prefix(prefix).unwrap_or(name);
        let (name, found) =
            [name, short].into_iter().find_map(|name| self.tensors.get_key_value(name))?;
        self.taken.insert(name);
        Some(((*name).to_owned(), *found))
    }
}

/// A tensor of the model, and where its numbers come from.
#[derive(Debug)]
pub struct Located<'a> {
    /// What it is for.
    pub role: Role,
    /// Its layer, or 0.
    pub layer: u32,
    /// In the files; `None` for the rotary table, which is computed.
    pub stored: Option<Stored<'a>>,
}

/// A tensor in a file.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// Its name there.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// See [`Source::transposed`].
    transposed: bool,
    /// Its first row (of a vector: number) in the tensor, and how many the tensor has.
    first: u64,
    all: u64,
    listed: &'a Listed,
    shard: &'a Shard,
}

impl Stored<'_> {
    /// The file it lies in.
    pub fn path(&self) -> &Path {
        &self.shard.path
    }

    /// Reads the numbers of a vector.
    ///
    /// # Errors
    /// The file cannot be read, or has been shortened.
    pub fn read_vector(&self, out: &mut [u8]) -> Result<(), Error> {
        self.read(self.first * self.dtype.size(), out)
    }

    /// Reads rows of `cols` numbers from row `first` on, as many as `out` takes. Where the file has
    /// them as columns, a strip of each of its rows.
    ///
    /// # Errors
    /// The file cannot be read, or has been shortened.
    pub fn read_rows(&self, first: usize, cols: usize, out: &mut [u8]) -> Result<(), Error> {
        let size = self.dtype.size() as usize;
        let first = self.first + first as u64;
        let row_len = cols * size;
        if !self.transposed {
            return self.read(first * row_len as u64, out);
        }
        let mut strip = vec![0; out.len() / row_len * size];
        for col in 0..cols {
            self.read((col as u64 * self.all + first) * size as u64, &mut strip)?;
            for (row, number) in out.chunks_exact_mut(row_len).zip(strip.chunks_exact(size)) {
                row[col * size..(col + 1) * size].copy_from_slice(number);
            }
        }
        Ok(())
    }

    /// Where the file has the number at that row and column: its index there.
    pub fn place(&self, row: usize, col: usize) -> String {
        let row = row as u64 + self.first;
        if self.transposed { format!("[{col}, {row}]") } else { format!("[{row}, {col}]") }
    }

    /// The same for a vector's number.
    pub fn vector_place(&self, index: usize) -> String {
        format!("[{}]", index as u64 + self.first)
    }

    fn read(&self, start: u64, out: &mut [u8]) -> Result<(), Error> {
        self.shard.read(self.listed, start, out)
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens `model.safetensors`, or all the files that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// There are none, one is not a whole safetensors file, or index and files disagree.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let (single, index) = (dir.join(SINGLE), dir.join(INDEX));
        if single.exists() {
            return Ok(Self { dir: dir.to_owned(), shards: vec![Shard::open(&single)?] });
        }
        if !index.exists() {
            let problem = format!(
                "has neither {SINGLE} nor {INDEX}: weights in other formats must be saved as safetensors first"
            );
            return Err(Error::input(dir, problem));
        }
        let text = fs::read(&index).map_err(Error::io(&index, "read it"))?;
        let Index { weight_map } = serde_json::from_slice(&text)
            .map_err(|error| Error::input(&index, format!("not a valid index: {error}")))?;
        let mut shards = Vec::new();
        for name in weight_map.values().collect::<BTreeSet<_>>() {
            if !is_plain(name) {
                return Err(Error::input(&index, format!("\"{name}\" is not a plain file name")));
            }
            let path = dir.join(name);
            if !path.exists() {
                let problem = format!("names {name}, which is not in the folder: download it");
                return Err(Error::input(&index, problem));
            }
            let shard = Shard::open(&path)?;
            let mut listed = weight_map.iter().filter(|(_, file)| *file == name);
            if let Some((tensor, _)) =
                listed.find(|(tensor, _)| !shard.tensors.contains_key(*tensor))
            {
                let problem = format!("is not in this file, where {INDEX} says it is");
                return Err(Error::tensor(&path, tensor, problem));
            }
            shards.push(shard);
        }
        Ok(Self { dir: dir.to_owned(), shards })
    }

    /// Finds every tensor of the architecture, in file order of the model.
    ///
    /// # Errors
    /// A tensor is missing, comes twice, is unknown, or has another shape or type than expected.
    pub fn locate(&self, architecture: &Architecture) -> Result<Vec<Located<'_>>, Error> {
        let mut all = All::default();
        for shard in &self.shards {
            for (name, listed) in &shard.tensors {
                if all.tensors.insert(name, (shard, listed)).is_some() {
                    return Err(Error::tensor(&shard.path, name, "is in two files"));
                }
            }
        }
        let mut located = Vec::new();
        for (role, layer) in tensor_table::expected(&architecture.recipe) {
            let stored = match (architecture.source)(role, layer) {
                None => None,
                Some(source) => Some(self.take(&mut all, &source, role, architecture)?),
            };
            located.push(Located { role, layer, stored });
        }
        let All { tensors, taken } = all;
        let mut rest = tensors.iter().filter(|(name, _)| !taken.contains(*name));
        match rest.find(|(name, _)| !(architecture.harmless)(name)) {
            None => Ok(located),
            Some((name, (shard, _))) => {
                Err(Error::tensor(&shard.path, name, unknown(architecture)))
            }
        }
    }

    /// Takes a tensor, its shape and type checked.
    fn take<'a>(
        &'a self,
        all: &mut All<'a>,
        source: &Source,
        role: Role,
        architecture: &Architecture,
    ) -> Result<Stored<'a>, Error> {
        let tied = architecture.recipe.tied_head && role == Role::Embedding;
        let twin = (architecture.source)(Role::Head, 0).filter(|_| tied);
        let twin = twin.and_then(|twin| all.take(&twin.name, architecture.prefix));
        let found = all.take(&source.name, architecture.prefix);
        let expected = role.shape(&architecture.recipe);
        match (found, twin) {
            (None, None) => Err(Error::tensor(&self.dir, &source.name, missing(role, tied))),
            // A tied pair may be saved under either name.
            (Some(found), None) | (None, Some(found)) => {
                Stored::check(found, source, role, expected)
            }
            (Some(found), Some(twin)) => {
                let stored = Stored::check(found, source, role, expected)?;
                let twin = Stored::check(twin, source, role, expected)?;
                if stored.dtype != twin.dtype || !stored.equals(&twin)? {
                    let problem = format!(
                        "differs from {}, but config.json ties the two: set tie_word_embeddings to \
                         false if they are meant to differ",
                        stored.name
                    );
                    return Err(Error::tensor(twin.path(), &twin.name, problem));
                }
                Ok(stored)
            }
        }
    }
}

impl<'a> Stored<'a> {
    fn check(
        (name, (shard, listed)): (String, Found<'a>),
        source: &Source,
        role: Role,
        (rows, cols): (u32, u32),
    ) -> Result<Self, Error> {
        let (rows, cols, parts) = (u64::from(rows), u64::from(cols), u64::from(source.parts));
        let vector = role.vector_encoding().is_some();
        let len = if vector { cols } else { rows };
        let expected = match (vector, source.transposed) {
            (true, _) => vec![cols * parts],
            (false, false) => vec![rows * parts, cols],
            (false, true) => vec![cols, rows * parts],
        };
        let found = &listed.shape;
        if *found != expected {
            let problem = format!("has shape {found:?}, but config.json asks for {expected:?}");
            return Err(Error::tensor(&shard.path, &name, problem));
        }
        let Some(dtype) = listed.dtype() else {
            let problem = format!(
                "holds {}, but only F32, F16 and BF16 can be converted: take the unquantized weights",
                listed.dtype
            );
            return Err(Error::tensor(&shard.path, &name, problem));
        };
        let (first, all) = (len * u64::from(source.part), len * parts);
        Ok(Self { name, dtype, transposed: source.transposed, first, all, listed, shard })
    }

    /// Bytes in the file.
    fn len(&self) -> u64 {
        self.listed.shape.iter().product::<u64>() * self.dtype.size()
    }

    fn equals(&self, other: &Self) -> Result<bool, Error> {
        let (mut left, mut right) = (vec![0; COMPARE], vec![0; COMPARE]);
        for start in (0..self.len()).step_by(COMPARE) {
            let len = (self.len() - start).min(COMPARE as u64) as usize;
            let (left, right) = (&mut left[..len], &mut right[..len]);
            self.read(start, left)?;
            other.read(start, right)?;
            if left != right {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn missing(role: Role, tied: bool) -> String {
    let twin = if tied { " (and so is the head it is tied to)" } else { "" };
    let hint = match role {
        Role::Head => ": set tie_word_embeddings to true if the head is the embedding",
        _ => ", but config.json asks for it: is the download complete?",
    };
    format!("is missing{twin}{hint}")
}

fn unknown(architecture: &Architecture) -> String {
    let recipe = &architecture.recipe;
    format!(
        "is not part of {} with {} layers and a {} head: weights and config.json are not of the \
         same model, or it is a variant that this release does not know",
        architecture.name,
        recipe.layers,
        if recipe.tied_head { "tied" } else { "separate" },
    )
}

/// A name without folders, so that an index cannot reach outside its own.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}
