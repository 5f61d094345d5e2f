//! A model's file as a source of weights: read as they are needed, never mapped.

use std::fs::File;
use std::io;
use std::path::Path;

use acorn_core::{Fault, Source};

/// An open `.acorn` file. [`crate::memory::stream`] reads ahead in one.
#[derive(Debug)]
pub struct FileSource(File);

impl FileSource {
    /// Opens it for reading.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }
}

/// A fault has the operating system's number; -1 where the file ends before.
impl Source for FileSource {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        let need = into.len();
        fill(&self.0, offset, into, need)
    }
}

/// Reads bytes from `offset` on into `into`, at least `need`. A fault has the operating system's number; -1
/// where the file ends before.
pub(crate) fn fill(file: &File, offset: u64, into: &mut [u8], need: usize) -> Result<(), Fault> {
    let mut done = 0;
    while done < need {
        let rest = into.get_mut(done..).unwrap_or_default();
        match read_at(file, offset + done as u64, rest) {
            Ok(0) => return Err(Fault(-1)),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Fault(error.raw_os_error().unwrap_or(-1))),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}
