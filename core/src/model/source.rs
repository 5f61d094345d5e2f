//! Where a model's bytes are read from when they are not in memory.

use crate::error::ReadError;

/// A model's file on something that has to be read: a block device, serial flash, a file.
///
/// The core reads bands, rows and sections in whole, in the order of the file but for the embedding; from
/// the thread that calls it.
///
/// A model at `start` of a flash memory whose driver speaks `embedded-storage`:
///
/// ```
/// use acorn_core::{Fault, Source};
/// use embedded_storage::ReadStorage;
///
/// struct Flash<D> {
///     driver: D,
///     start: u32,
/// }
///
/// impl<D: ReadStorage + Send> Source for Flash<D> {
///     fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
///         let offset = u32::try_from(offset).ok().and_then(|offset| offset.checked_add(self.start));
///         self.driver.read(offset.ok_or(Fault(-1))?, into).map_err(|_| Fault(-2))
///     }
/// }
/// #
/// # struct Driver([u8; 16]);
/// # impl ReadStorage for Driver {
/// #     type Error = ();
/// #     fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ()> {
/// #         let offset = offset as usize;
/// #         bytes.copy_from_slice(self.0.get(offset..offset + bytes.len()).ok_or(())?);
/// #         Ok(())
/// #     }
/// #     fn capacity(&self) -> usize {
/// #         16
/// #     }
/// # }
/// # let mut flash = Flash { driver: Driver(core::array::from_fn(|i| i as u8)), start: 4 };
/// # let mut two = [0; 2];
/// # assert_eq!(flash.read(3, &mut two), Ok(()));
/// # assert_eq!(two, [7, 8]);
/// # assert_eq!(flash.read(11, &mut two), Err(Fault(-2)));
/// # assert_eq!(flash.read(u64::MAX, &mut two), Err(Fault(-1)));
/// ```
pub trait Source: Send {
    /// Fills `into` with the bytes from `offset` on, from the start of the `.acorn` file.
    ///
    /// # Errors
    /// Not all of them could be read. What `into` holds then does not matter.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault>;

    /// The same, with `work` that can be done meanwhile: a source that transfers on its own (DMA, another
    /// thread) starts the transfer, calls `work` once, and waits for the transfer's end. The bytes that
    /// `work` needs are not in `into`. One that cannot leaves this as it is.
    ///
    /// # Errors
    /// As [`Source::read`], whether `work` was called or not.
    fn read_beside(
        &mut self,
        offset: u64,
        into: &mut [u8],
        work: &mut dyn FnMut(),
    ) -> Result<(), Fault> {
        work();
        self.read(offset, into)
    }
}

/// Bytes that are in memory after all. Beyond their end: a [`Fault`] of -1.
impl Source for &[u8] {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes = bytes.and_then(|bytes| bytes.get(..into.len())).ok_or(Fault(-1))?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

/// That a source could not read: its own number for why, an errno or a driver's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub i32);

impl Fault {
    /// The fault of a read of `len` bytes at `offset`.
    pub(crate) fn at(self, offset: u64, len: usize) -> ReadError {
        ReadError { offset, len, code: self.0 }
    }
}
