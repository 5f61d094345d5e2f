//! One `.safetensors` file: its header, and reads of its tensors in pieces.
//!
//! The format: a u64 length, that many bytes of JSON, then the tensors' bytes; every byte belongs
//! to exactly one tensor (<https://github.com/huggingface/safetensors>). The header is read here,
//! rather than by the safetensors crate, because tensors are read in pieces through the file, not
//! through a map: the memory stays small, and a file that is shortened meanwhile is an error.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;

/// The longest header that safetensors allows.
const MAX_HEADER: u64 = 100_000_000;

/// Types of numbers that can be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dtype {
    /// bfloat16.
    Bf16,
    /// IEEE half precision.
    F16,
    /// IEEE single precision.
    F32,
}

impl Dtype {
    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
            Self::F32 => "F32",
        }
    }

    /// Bytes of one number.
    pub fn size(self) -> u64 {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// Widens little-endian numbers, exactly, into `out`.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        let halves = out.iter_mut().zip(bytes.as_chunks().0);
        match self {
            Self::Bf16 => halves.for_each(|(out, raw)| *out = bf16::from_le_bytes(*raw).to_f32()),
            Self::F16 => halves.for_each(|(out, raw)| *out = f16::from_le_bytes(*raw).to_f32()),
            Self::F32 => {
                let singles = out.iter_mut().zip(bytes.as_chunks().0);
                singles.for_each(|(out, raw)| *out = f32::from_le_bytes(*raw));
            }
        }
    }
}

/// A tensor as the header lists it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
    /// Start and end, from the end of the header.
    data_offsets: (u64, u64),
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) path: PathBuf,
    pub(crate) tensors: BTreeMap<String, Listed>,
    file: File,
    data: u64,
}

impl Shard {
    /// Opens a file and checks its header: the tensors must cover the rest of the file exactly.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::io(path, "open it"))?;
        let len = file.metadata().map_err(Error::io(path, "read its length"))?.len();
        let mut prefix = [0; 8];
        let header = match file.read_exact(&mut prefix) {
            Ok(()) => u64::from_le_bytes(prefix),
            Err(_) => return Err(cut_short(path, 8, len)),
        };
        if header > MAX_HEADER {
            let problem = format!("not a safetensors file: its header would have {header} bytes");
            return Err(Error::input(path, problem));
        }
        let data = header + 8;
        if data > len {
            return Err(cut_short(path, data, len));
        }
        let mut json = Vec::new();
        let read = (&file).take(header).read_to_end(&mut json);
        read.map_err(Error::io(path, "read its header"))?;
        let tensors = parse_header(path, &json)?;
        check_places(path, &tensors, data, len)?;
        Ok(Self { path: path.to_owned(), tensors, file, data })
    }

    /// Reads `out.len()` bytes of a tensor, from its byte `start` on.
    pub(crate) fn read(&self, tensor: &Listed, start: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data + tensor.data_offsets.0 + start))
            .and_then(|_| file.read_exact(out))
            .map_err(Error::io(&self.path, "read its tensors"))
    }
}

fn cut_short(path: &Path, need: u64, have: u64) -> Error {
    let problem = format!("must have {need} bytes but has {have}: cut short? download it again");
    Error::input(path, problem)
}

fn parse_header(path: &Path, json: &[u8]) -> Result<BTreeMap<String, Listed>, Error> {
    let wrong = |error| Error::input(path, format!("its header is not valid: {error}"));
    let entries: BTreeMap<String, Value> = serde_json::from_slice(json).map_err(wrong)?;
    let mut tensors = BTreeMap::new();
    for (name, value) in entries {
        if name != "__metadata__" {
            let listed = serde_json::from_value(value)
                .map_err(|error| Error::tensor(path, &name, format!("bad entry: {error}")))?;
            tensors.insert(name, listed);
        }
    }
    Ok(tensors)
}

/// No hole, no overlap, no byte beyond the end; and each tensor is as long as its shape says.
fn check_places(
    path: &Path,
    tensors: &BTreeMap<String, Listed>,
    data: u64,
    len: u64,
) -> Result<(), Error> {
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|(_, listed)| listed.data_offsets);
    let mut end = 0;
    for (name, listed) in order {
        let (start, stop) = listed.data_offsets;
        if start != end || stop < start {
            let problem =
                format!("lies at bytes {start} to {stop}, but {end} is the next free one");
            return Err(Error::tensor(path, name, problem));
        }
        if let Some(dtype) = listed.dtype() {
            let count = listed.shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
            if count != Some(stop - start) {
                let found = stop - start;
                let problem = format!(
                    "has {found} bytes, which is not what {} {:?} takes",
                    dtype.name(),
                    listed.shape
                );
                return Err(Error::tensor(path, name, problem));
            }
        }
        end = stop;
    }
    match data.checked_add(end) {
        Some(need) if need == len => Ok(()),
        need => Err(cut_short(path, need.unwrap_or(u64::MAX), len)),
    }
}

impl Listed {
    /// The type of its numbers, if that can be converted.
    pub(crate) fn dtype(&self) -> Option<Dtype> {
        [Dtype::Bf16, Dtype::F16, Dtype::F32].into_iter().find(|dtype| dtype.name() == self.dtype)
    }
}
