//! A disk: a file of the host, read in blocks of 512 bytes as an SD card is.

use acorn_firmware::Error;
use embedded_storage::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash, check_read};
use semihosting::experimental::env::args;
use semihosting::fs::File;
use semihosting::io::{Read, Seek, SeekFrom};

/// The longest path, in bytes.
const PATH: usize = 1024;

/// The disk, and what was read of it.
#[derive(Debug)]
pub struct Disk {
    file: File,
    capacity: usize,
    /// Bytes read, and how often any were.
    pub bytes: u64,
    /// See `bytes`.
    pub reads: u64,
}

impl Disk {
    /// The file that the first word of the command line names.
    ///
    /// # Errors
    /// There is no such word or file.
    pub fn open() -> Result<Self, Error> {
        let missing = Error::NoFile;
        let words = args::<PATH>().map_err(|_| missing)?;
        let path = (&words).nth(1).and_then(Result::ok).ok_or(missing)?;
        let mut buffer = [0; PATH];
        buffer.get_mut(..path.len()).ok_or(missing)?.copy_from_slice(path.as_bytes());
        let path = core::ffi::CStr::from_bytes_until_nul(&buffer).map_err(|_| missing)?;
        let file = File::open(path).map_err(|_| missing)?;
        let len = file.metadata().map_err(|_| missing)?.len();
        let capacity = usize::try_from(len).map_err(|_| missing)?.next_multiple_of(512);
        Ok(Self { file, capacity, bytes: 0, reads: 0 })
    }
}

impl ErrorType for Disk {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Disk {
    const READ_SIZE: usize = 512;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let failed = |_| NorFlashErrorKind::Other;
        self.file.seek(SeekFrom::Start(offset.into())).map_err(failed)?;
        let mut rest = &mut *bytes;
        while !rest.is_empty() {
            match self.file.read(rest).map_err(failed)? {
                // The last block's rest.
                0 => {
                    rest.fill(0xFF);
                    break;
                }
                count => rest = rest.get_mut(count..).unwrap_or_default(),
            }
        }
        self.bytes += bytes.len() as u64;
        self.reads += 1;
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}
