//! Memory that ends where readable memory ends: a read beyond it stops the test.
#![allow(unsafe_code)]

use region::{Allocation, Protection, page};

/// Some values, right before a page that nobody may touch.
pub struct Guarded<T> {
    memory: Allocation,
    start: usize,
    len: usize,
    values: std::marker::PhantomData<T>,
}

impl<T: Copy> Guarded<T> {
    /// A copy of `values`.
    pub fn new(values: &[T]) -> Self {
        let bytes = size_of_val(values);
        let pages = page::ceil(std::ptr::without_provenance::<u8>(bytes)).addr();
        let mut memory =
            region::alloc(pages + page::size(), Protection::READ_WRITE).expect("memory");
        let start = pages - bytes;
        let base = memory.as_mut_ptr::<u8>();
        // SAFETY: `pages` + one page were allocated; the values end where that page starts, and so are
        // as aligned as their size, a multiple of their alignment.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr().cast(), base.add(start), bytes);
            region::protect(base.add(pages), page::size(), Protection::NONE).expect("a guard page");
        }
        Self { memory, start, len: values.len(), values: std::marker::PhantomData }
    }

    /// The values.
    pub fn get(&self) -> &[T] {
        // SAFETY: written in `new`, and only read since.
        unsafe {
            let start = self.memory.as_ptr::<u8>().add(self.start).cast();
            std::slice::from_raw_parts(start, self.len)
        }
    }
}
