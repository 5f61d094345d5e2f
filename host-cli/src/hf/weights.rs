//! Which tensor of which file holds the numbers of each role.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use acorn_core::format::tensor_table::{self, Role};
use serde::Deserialize;

use super::Architecture;
use super::safetensors::{Dtype, Listed, Shard};
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

/// Tensors that no role has taken yet.
type Rest<'a> = BTreeMap<&'a str, (&'a Shard, &'a Listed)>;

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
    listed: &'a Listed,
    shard: &'a Shard,
}

impl Stored<'_> {
    /// The file it lies in.
    pub fn path(&self) -> &Path {
        &self.shard.path
    }

    /// Reads `out.len()` bytes from byte `start` of the tensor on.
    ///
    /// # Errors
    /// The file cannot be read, or has been shortened.
    pub fn read(&self, start: u64, out: &mut [u8]) -> Result<(), Error> {
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
        let mut rest = Rest::new();
        for shard in &self.shards {
            for (name, listed) in &shard.tensors {
                if rest.insert(name, (shard, listed)).is_some() {
                    return Err(Error::tensor(&shard.path, name, "is in two files"));
                }
            }
        }
        let mut located = Vec::new();
        for (role, layer) in tensor_table::expected(&architecture.recipe) {
            let stored = match (architecture.tensor_name)(role, layer) {
                None => None,
                Some(name) => Some(self.take(&mut rest, name, role, architecture)?),
            };
            located.push(Located { role, layer, stored });
        }
        match rest.iter().find(|(name, _)| !(architecture.harmless)(name)) {
            None => Ok(located),
            Some((name, (shard, _))) => {
                Err(Error::tensor(&shard.path, name, unknown(architecture)))
            }
        }
    }

    /// Takes a tensor out of `rest`, its shape and type checked.
    fn take<'a>(
        &'a self,
        rest: &mut Rest<'a>,
        name: String,
        role: Role,
        architecture: &Architecture,
    ) -> Result<Stored<'a>, Error> {
        let tied = architecture.recipe.tied_head && role == Role::Embedding;
        let twin = (architecture.tensor_name)(Role::Head, 0).filter(|_| tied);
        let twin = twin.and_then(|twin| rest.remove(twin.as_str()).map(|found| (twin, found)));
        let found = rest.remove(name.as_str());
        let expected = role.shape(&architecture.recipe);
        match (found, twin) {
            (None, None) => Err(Error::tensor(&self.dir, &name, missing(role, tied))),
            (Some(found), None) => Stored::check(name, role, expected, found),
            // A tied pair may be saved under either name.
            (None, Some((twin, found))) => Stored::check(twin, role, expected, found),
            (Some(found), Some((twin, other))) => {
                let stored = Stored::check(name, role, expected, found)?;
                let twin = Stored::check(twin, role, expected, other)?;
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
        name: String,
        role: Role,
        (rows, cols): (u32, u32),
        (shard, listed): (&'a Shard, &'a Listed),
    ) -> Result<Self, Error> {
        let expected = match role.vector_encoding() {
            Some(_) => vec![u64::from(cols)],
            None => vec![rows.into(), cols.into()],
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
        Ok(Self { name, dtype, listed, shard })
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
