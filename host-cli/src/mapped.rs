//! A file as bytes, without reading it: with its threads and SIGBUS the tool's only unsafe code.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

use crate::error::Error;
use crate::memory::size::Size;
use crate::memory::system;

/// A whole file, mapped read-only.
///
/// Another process that shortens the file while it is mapped ends this one ([`crate::bus_error`]): replace model
/// files by renaming, as `acorn convert` does, never in place.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let (file, len) = open(path)?;
        // SAFETY: the map is private to this value and read-only. The bytes may change if another
        // process writes to the file; all readers treat them as untrusted input anyway, and none
        // relies on reading the same value twice for memory safety.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) };
        map.map(Self).map_err(|error| match system::address_space_limit() {
            Some(limit) if error.kind() == io::ErrorKind::OutOfMemory || limit < len => {
                let problem = format!(
                    "the file needs {} mapped, but the limit on address space is {}: use --max-memory {}M",
                    Size(len),
                    Size(limit),
                    limit >> 20
                );
                Error::input(path, problem)
            }
            _ => Error::io(path, "map it into memory")(error),
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lets the system take back the pages read so far, so that a walk over a file larger than the
    /// memory does not push out everything else. The bytes can still be read.
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        // SAFETY: the mapping is shared with the file and never written to, so dropping its pages
        // loses nothing: the next access reads them from the file again. A failure is harmless.
        #[allow(unsafe_code)]
        let _ = unsafe { self.0.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }
}

/// An `.acorn` file, opened, and its length in bytes.
pub(crate) fn open(path: &Path) -> Result<(File, u64), Error> {
    let file = File::open(path).map_err(Error::io(path, "open it"))?;
    let metadata = file.metadata().map_err(Error::io(path, "read its length"))?;
    if metadata.is_dir() {
        let hint = "a folder, but an .acorn file is needed (make one with `acorn convert`)";
        return Err(Error::input(path, hint));
    }
    Ok((file, metadata.len()))
}
