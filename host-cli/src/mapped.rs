//! A file as bytes, without reading it: the one place of the tool with unsafe code but its threads.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::error::Error;

/// A whole file, mapped read-only.
///
/// Another process that shortens the file while it is mapped ends this one (SIGBUS): replace model
/// files by renaming, as `acorn convert` does, never in place.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path, "open it"))?;
        let metadata = file.metadata().map_err(Error::io(path, "read its length"))?;
        if metadata.is_dir() {
            let hint = "a folder, but an .acorn file is needed (make one with `acorn convert`)";
            return Err(Error::input(path, hint));
        }
        // SAFETY: the map is private to this value and read-only. The bytes may change if another
        // process writes to the file; all readers treat them as untrusted input anyway, and none
        // relies on reading the same value twice for memory safety.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) };
        map.map(Self).map_err(Error::io(path, "map it into memory"))
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
