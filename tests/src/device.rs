//! A block device that holds a model's file: keeps a record of what is read, and fails where it is told to.

use std::sync::{Arc, Mutex, MutexGuard};

use acorn_core::{Fault, Source};

/// What was read so far, and what is to go wrong.
#[derive(Debug, Default)]
pub struct Record {
    /// Offset and length of each read, in order, those that failed included.
    pub reads: Vec<(u64, usize)>,
    /// Reads from now on until one fails, once.
    pub fail_in: Option<usize>,
    /// How work that comes with a read is called.
    pub overlap: Overlap,
}

/// What a source makes of work that can be done while it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Leaves it to [`Source::read_beside`] as it is.
    #[default]
    Default,
    /// Does it halfway through the transfer.
    Within,
    /// Forgets it.
    Never,
    /// Does it twice.
    Twice,
}

/// The code of a device's fault.
pub const FAULT: i32 = 5;

/// The device. Clones share the record.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its bytes.
    pub bytes: Vec<u8>,
    record: Arc<Mutex<Record>>,
}

impl Device {
    /// A device of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), record: Arc::default() }
    }

    /// What was read, and what is to go wrong; also while an engine has a clone.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("no test thread panicked")
    }

    /// The reads since the last call.
    pub fn take_reads(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut self.record().reads)
    }
}

impl Source for Device {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        let mut record = self.record();
        record.reads.push((offset, into.len()));
        // What a read that fails leaves must not matter.
        into.fill(0x5A);
        let left = record.fail_in.map(|reads| reads.checked_sub(1));
        record.fail_in = left.flatten();
        if left == Some(None) {
            return Err(Fault(FAULT));
        }
        let start = usize::try_from(offset).expect("an offset of a small file");
        let bytes = self.bytes.get(start..start + into.len()).ok_or(Fault(FAULT))?;
        into.copy_from_slice(bytes);
        Ok(())
    }

    fn read_beside(
        &mut self,
        offset: u64,
        into: &mut [u8],
        work: &mut dyn FnMut(),
    ) -> Result<(), Fault> {
        let overlap = self.record().overlap;
        if overlap == Overlap::Within {
            into.fill(0xC3);
        }
        let times = match overlap {
            Overlap::Default | Overlap::Within => 1,
            Overlap::Never => 0,
            Overlap::Twice => 2,
        };
        (0..times).for_each(|_| work());
        self.read(offset, into)
    }
}
