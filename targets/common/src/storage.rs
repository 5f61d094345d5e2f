//! A model on a memory that has to be read, with a driver that speaks `embedded-storage`: SPI flash, an SD card.
//!
//! ```text
//! FlashSource(driver, start of the model) → Model::open → Plan with a window → Engine::streaming
//! ```
//!
//! Both sources read while nothing is multiplied. A driver that transfers on its own (DMA) does better as a
//! [`Source`] of its own, with [`Source::read_beside`]: it starts the transfer, calls `work`, waits for the end. The
//! window's halves are made for that: one is filled while the other is multiplied.

use acorn_core::{Fault, Source};
use embedded_storage::ReadStorage;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// The place cannot be told to a driver: its addresses have 32 bits.
pub const OUT_OF_REACH: Fault = Fault(-1);

/// The driver reads in larger units than [`MOST_UNIT`], or found a read misaligned.
pub const NOT_ALIGNED: Fault = Fault(-2);

/// Beyond the memory's end.
pub const OUT_OF_BOUNDS: Fault = Fault(-3);

/// The driver says no more.
pub const FAILED: Fault = Fault(-4);

/// The largest unit that is read in: an SD card's block.
pub const MOST_UNIT: usize = 512;

/// A memory that is read in units of [`ReadNorFlash::READ_SIZE`], at most [`MOST_UNIT`]: what the model's reads
/// begin and end with, if that is not a whole unit, goes through a buffer on the stack.
#[derive(Debug)]
pub struct FlashSource<D> {
    driver: D,
    start: u32,
}

impl<D> FlashSource<D> {
    /// The model that lies at `start` of the memory, a byte address.
    pub const fn new(driver: D, start: u32) -> Self {
        Self { driver, start }
    }

    /// The driver.
    pub const fn driver(&self) -> &D {
        &self.driver
    }
}

impl<D: ReadNorFlash + Send> FlashSource<D> {
    fn whole(&mut self, at: u32, into: &mut [u8]) -> Result<(), Fault> {
        self.driver.read(at, into).map_err(|error| match error.kind() {
            NorFlashErrorKind::NotAligned => NOT_ALIGNED,
            NorFlashErrorKind::OutOfBounds => OUT_OF_BOUNDS,
            _ => FAILED,
        })
    }
}

impl<D: ReadNorFlash + Send> Source for FlashSource<D> {
    fn read(&mut self, offset: u64, mut into: &mut [u8]) -> Result<(), Fault> {
        let unit = D::READ_SIZE.max(1);
        let step = u32::try_from(unit).map_err(|_| NOT_ALIGNED)?;
        let mut at = address(self.start, offset)?;
        while !into.is_empty() {
            let skip = (at % step) as usize;
            let len = if skip == 0 && into.len() >= unit {
                // Whole units need no detour.
                into.len() / unit * unit
            } else {
                into.len().min(unit - skip)
            };
            let (now, later) = core::mem::take(&mut into).split_at_mut(len);
            if skip == 0 && len.is_multiple_of(unit) {
                self.whole(at, now)?;
            } else {
                let mut buffer = [0; MOST_UNIT];
                let buffer = buffer.get_mut(..unit).ok_or(NOT_ALIGNED)?;
                self.whole(at - at % step, buffer)?;
                now.copy_from_slice(&buffer[skip..skip + len]);
            }
            at = address(at, len as u64)?;
            into = later;
        }
        Ok(())
    }
}

/// A memory whose driver reads any bytes.
#[derive(Debug)]
pub struct StorageSource<D> {
    driver: D,
    start: u32,
}

impl<D> StorageSource<D> {
    /// The model that lies at `start` of the memory, a byte address.
    pub const fn new(driver: D, start: u32) -> Self {
        Self { driver, start }
    }

    /// The driver.
    pub const fn driver(&self) -> &D {
        &self.driver
    }
}

impl<D: ReadStorage + Send> Source for StorageSource<D> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.driver.read(address(self.start, offset)?, into).map_err(|_| FAILED)
    }
}

/// `offset` bytes after `start`.
fn address(start: u32, offset: u64) -> Result<u32, Fault> {
    let offset = u32::try_from(offset).map_err(|_| OUT_OF_REACH)?;
    start.checked_add(offset).ok_or(OUT_OF_REACH)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use embedded_storage::nor_flash::{ErrorType, check_read};
    use std::vec::Vec;

    /// A memory that is as strict as its trait says, read in units of `UNIT` bytes.
    struct Memory<const UNIT: usize>(Vec<u8>);

    impl<const UNIT: usize> Memory<UNIT> {
        fn new() -> Self {
            Self((0..4096u32).map(|index| (index * 7 + index / 256) as u8).collect())
        }

        fn copy(&self, offset: u32, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        }
    }

    impl<const UNIT: usize> ErrorType for Memory<UNIT> {
        type Error = NorFlashErrorKind;
    }

    impl<const UNIT: usize> ReadNorFlash for Memory<UNIT> {
        const READ_SIZE: usize = UNIT;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            check_read(self, offset, bytes.len())?;
            self.copy(offset, bytes);
            Ok(())
        }

        fn capacity(&self) -> usize {
            self.0.len()
        }
    }

    impl ReadStorage for Memory<1> {
        type Error = NorFlashErrorKind;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            ReadNorFlash::read(self, offset, bytes)
        }

        fn capacity(&self) -> usize {
            self.0.len()
        }
    }

    /// Reads of any place and length give the memory's bytes.
    fn reads_anything(source: &mut dyn Source, start: usize) {
        let expected = Memory::<1>::new().0;
        for offset in (0..40).chain([500, 511, 512, 513, 1000]) {
            for len in (0..40).chain([511, 512, 513, 1024, 1531]) {
                let mut into = std::vec![0xEE; len];
                assert_eq!(source.read(offset as u64, &mut into), Ok(()), "{len} at {offset}");
                assert_eq!(into, expected[start + offset..][..len], "{len} at {offset}");
            }
        }
    }

    #[test]
    fn units_of_any_size_read_anything() {
        for start in [0, 3, 512, 700] {
            let at = start as u32;
            reads_anything(&mut FlashSource::new(Memory::<1>::new(), at), start);
            reads_anything(&mut FlashSource::new(Memory::<4>::new(), at), start);
            reads_anything(&mut FlashSource::new(Memory::<256>::new(), at), start);
            reads_anything(&mut FlashSource::new(Memory::<512>::new(), at), start);
            reads_anything(&mut StorageSource::new(Memory::<1>::new(), at), start);
        }
    }

    #[test]
    fn faults_say_why() {
        let mut flash = FlashSource::new(Memory::<4>::new(), 8);
        let mut into = [0; 8];
        assert_eq!(flash.read(4084, &mut into), Err(OUT_OF_BOUNDS));
        assert_eq!(flash.read(1 << 32, &mut into), Err(OUT_OF_REACH));
        assert_eq!(flash.read(u64::from(u32::MAX) - 7, &mut into), Err(OUT_OF_REACH));
        let mut storage = StorageSource::new(Memory::<1>::new(), 8);
        assert_eq!(storage.read(4084, &mut into), Err(FAILED));
        assert_eq!(storage.read(1 << 32, &mut into), Err(OUT_OF_REACH));
        let mut coarse = FlashSource::new(Memory::<1024>::new(), 0);
        assert_eq!(coarse.read(1, &mut into), Err(NOT_ALIGNED));
    }

    #[test]
    fn a_model_streams_through_it() {
        use acorn_core::{Engine, Limits, Model, Plan, greedy};
        let file = crate::SLOTS[0].file;
        let tokens = [1, 5, 9];
        let model = Model::parse(file).expect("the model of slot A");
        let limits = Limits { context: 16, ..crate::LIMITS };
        let plan = Plan::new(&model, &limits).expect("a plan");
        let mut arena = std::boxed::Box::new(acorn_core::Arena::<{ 512 * 1024 }>::new());
        let mut engine = Engine::new(&model, &plan, &mut arena).expect("an engine");
        let expected = engine.prefill(&tokens).expect("logits").to_vec();

        let mut padded = std::vec![0xFF; 512 * 3];
        padded.extend(file);
        padded.resize(padded.len().next_multiple_of(512), 0xFF);
        let mut flash = FlashSource::new(Memory::<512>(padded), 512 * 3);
        let mut resident = std::vec![0; Model::resident_bytes(&mut flash).expect("a model")];
        let model = Model::open(&mut flash, &mut resident).expect("the same model");
        model.verify_through(&mut flash, &mut arena).expect("whole");
        let limits = Limits { window: Some(8 * 1024), ..limits };
        let plan = Plan::new(&model, &limits).expect("a plan");
        let mut engine =
            Engine::streaming(&model, &plan, &mut arena, &mut flash).expect("an engine");
        let found = engine.prefill(&tokens).expect("logits");
        assert_eq!(greedy(found), greedy(&expected));
        assert_eq!(found, expected);
    }
}
