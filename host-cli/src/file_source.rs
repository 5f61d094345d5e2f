//! A model's file as a source of weights: read as they are needed, never mapped.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::{io, thread};

use acorn_core::{Fault, Source};

/// Bytes that are worth a thread that reads them beside the work: starting one takes some 20 µs, in which a
/// page cache gives about as many.
const WORTH_A_THREAD: usize = 1 << 17;

/// An open `.acorn` file.
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

/// Fills `into`. A fault has the operating system's number; -1 where the file ends before.
fn read(mut file: &File, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
    let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(into));
    read.map_err(|error| Fault(error.raw_os_error().unwrap_or(-1)))
}

impl Source for FileSource {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        read(&self.0, offset, into)
    }

    fn read_beside(
        &mut self,
        offset: u64,
        into: &mut [u8],
        work: &mut dyn FnMut(),
    ) -> Result<(), Fault> {
        if into.len() < WORTH_A_THREAD {
            work();
            return self.read(offset, into);
        }
        thread::scope(|scope| {
            let reader = scope.spawn(|| read(&self.0, offset, into));
            work();
            reader.join().unwrap_or(Err(Fault(-1)))
        })
    }
}
