//! The arena: one caller-owned buffer, cut into typed slices; and the slices, cut into strips that
//! several threads fill at once. The only `unsafe` outside kernels.
#![allow(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Range;
#[cfg(target_has_atomic = "ptr")]
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::kernel::{Sums, Widened};

/// The arena and every part of it start at multiples of this many bytes: a cache line.
pub const ALIGNMENT: usize = 64;

/// Numbers that any bytes are a valid value of.
///
/// # Safety
/// Every bit pattern must be valid, zeros stand for 0, there must be no padding, and the alignment must divide
/// [`ALIGNMENT`].
pub(crate) unsafe trait Plain: Copy + 'static {}
// SAFETY: integers and floats have no padding and no invalid bit pattern; alignments are 1 to 4.
unsafe impl Plain for i8 {}
// SAFETY: as above, with alignment 1.
unsafe impl Plain for u8 {}
// SAFETY: as above, with alignment 1.
unsafe impl Plain for [u8; 32] {}
// SAFETY: as above.
unsafe impl Plain for Widened {}
// SAFETY: as above.
unsafe impl Plain for i16 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for Sums<u16> {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for Sums<f32> {}
// SAFETY: as above.
unsafe impl Plain for Sums<i32> {}
// SAFETY: as above.
unsafe impl Plain for Sums<i16> {}

/// What a buffer is for: the lines of the plan's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Keys and values of all positions.
    KvCache,
    /// The residual stream, inputs and outputs of matrices.
    Activations,
    /// Sines and cosines of the tokens under way.
    Rotary,
    /// The logits.
    Logits,
    /// Bands of weights that are not in memory.
    Window,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] =
        [Self::KvCache, Self::Activations, Self::Rotary, Self::Logits, Self::Window];

    /// The name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::KvCache => "kv cache",
            Self::Activations => "activations",
            Self::Rotary => "rotary",
            Self::Logits => "logits",
            Self::Window => "window",
        }
    }
}

/// A buffer for an engine, aligned as it must be: `Arena::<BYTES>::new()`, in a static, on the stack
/// or in a box.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub struct Arena<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> Arena<BYTES> {
    /// A buffer of zeros.
    pub const fn new() -> Self {
        Self([0; BYTES])
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> core::ops::Deref for Arena<BYTES> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const BYTES: usize> core::ops::DerefMut for Arena<BYTES> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// One walk over all buffers of an engine, made twice: to count their bytes, and to cut them from the
/// arena. So the plan and the engine cannot disagree.
pub(crate) struct Carver<'a> {
    /// Bytes counted so far, part by part.
    pub(crate) parts: [usize; Part::ALL.len()],
    /// What is left of the arena; `None` where bytes are only counted.
    rest: Option<&'a mut [u8]>,
}

impl<'a> Carver<'a> {
    /// Counts, and gives empty buffers.
    pub(crate) const fn counter() -> Self {
        Self { parts: [0; Part::ALL.len()], rest: None }
    }

    /// Cuts from the front of `bytes`; `None` where these are not aligned.
    pub(crate) fn of(bytes: &'a mut [u8]) -> Option<Self> {
        let aligned = bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        aligned.then_some(Self { rest: Some(bytes), ..Self::counter() })
    }

    /// Bytes counted so far.
    pub(crate) fn total(&self) -> Option<usize> {
        self.parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part))
    }

    /// The next buffer: `len` numbers, zeros, counted under `part`. `None` where it does not fit.
    pub(crate) fn slice<T: Plain>(
        &mut self,
        part: Part,
        len: Option<usize>,
    ) -> Option<&'a mut [T]> {
        let bytes = self.bytes(part, len?.checked_mul(size_of::<T>())?)?;
        // SAFETY: `T: Plain`, so any bytes are valid values, both ways.
        let (before, slice, _) = unsafe { bytes.align_to_mut::<T>() };
        // Buffers start at multiples of `ALIGNMENT`, so nothing is cut off before the first number.
        debug_assert!(before.is_empty());
        Some(slice)
    }

    /// The next `len` bytes; what follows them up to a multiple of [`ALIGNMENT`] counts, too.
    #[inline(never)]
    fn bytes(&mut self, part: Part, len: usize) -> Option<&'a mut [u8]> {
        let whole = len.checked_next_multiple_of(ALIGNMENT)?;
        let (_, sum) = Part::ALL.iter().zip(&mut self.parts).find(|(other, _)| **other == part)?;
        *sum = sum.checked_add(whole)?;
        let Some(rest) = &mut self.rest else { return Some(&mut []) };
        let (bytes, behind) = core::mem::take(rest).split_at_mut_checked(whole)?;
        *rest = behind;
        let bytes = bytes.get_mut(..len)?;
        bytes.fill(0);
        Some(bytes)
    }
}

/// A matrix [rows, stride] of outputs, handed out in vertical strips of `width` columns, each
/// exactly once, to whichever thread asks next.
///
/// ```text
/// row 0   | strip 0 | strip 1 | …
/// row 1   | strip 0 | strip 1 | …
/// ```
pub(crate) struct Strips<'a> {
    values: *mut f32,
    rows: usize,
    stride: usize,
    cols: usize,
    width: usize,
    next: Next,
    end: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only turned into slices of strips that were claimed, each by one thread
// (`claim`), and it stands for an exclusive borrow of the values, which are `Send`.
#[cfg(target_has_atomic = "ptr")]
unsafe impl Sync for Strips<'_> {}

/// The first strip that nobody has claimed.
#[cfg(target_has_atomic = "ptr")]
struct Next(AtomicUsize);

#[cfg(target_has_atomic = "ptr")]
impl Next {
    const fn new(first: usize) -> Self {
        Self(AtomicUsize::new(first))
    }

    /// Moves on by as many as `count` makes of those that are left before `end`, and returns over which; `None` where
    /// none are left.
    fn take(&self, end: usize, count: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        let mut first = self.0.load(Ordering::Relaxed);
        loop {
            let next = next(first, end, &count)?;
            match self.0.compare_exchange_weak(first, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(first..next),
                Err(other) => first = other,
            }
        }
    }
}

/// Where the strips that come next end.
fn next(first: usize, end: usize, count: impl Fn(usize) -> usize) -> Option<usize> {
    (first < end).then(|| first.saturating_add(count(end - first).max(1)).min(end))
}

/// The same for one thread, where the processor cannot count for several (Armv6-M). `Strips` is then
/// not `Sync`, so that no job that claims can reach another thread.
#[cfg(not(target_has_atomic = "ptr"))]
struct Next(core::cell::Cell<usize>);

#[cfg(not(target_has_atomic = "ptr"))]
impl Next {
    const fn new(first: usize) -> Self {
        Self(core::cell::Cell::new(first))
    }

    fn take(&self, end: usize, count: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        let first = self.0.get();
        let next = next(first, end, count)?;
        self.0.set(next);
        Some(first..next)
    }
}

impl<'a> Strips<'a> {
    /// Strips `range` of rows of `stride` values, of which the first `cols` are cut.
    pub(crate) fn new(
        values: &'a mut [f32],
        stride: usize,
        cols: usize,
        width: usize,
        range: Range<usize>,
    ) -> Self {
        let (stride, width) = (stride.max(1), width.max(1));
        let cols = cols.min(stride);
        Self {
            rows: values.len() / stride,
            values: values.as_mut_ptr(),
            stride,
            cols,
            width,
            end: range.end.min(cols.div_ceil(width)),
            next: Next::new(range.start),
            owner: PhantomData,
        }
    }

    /// The next strips, as many as `count` makes of the number of those that are left, but one at least; `None` when all
    /// are taken.
    pub(crate) fn claim(&self, count: impl Fn(usize) -> usize) -> Option<Claim<'_>> {
        let Range { start, end } = self.next.take(self.end, count)?;
        Some(Claim { strips: self, first: start, end })
    }
}

/// Some strips side by side: exclusive access to their columns of every row.
pub(crate) struct Claim<'s> {
    strips: &'s Strips<'s>,
    first: usize,
    end: usize,
}

impl Claim<'_> {
    /// Which strips, counted from 0.
    pub(crate) fn strips(&self) -> Range<usize> {
        self.first..self.end
    }

    /// Strip `index`'s values in row `row`: `width` of them, or fewer in the last strip; none past the
    /// last row, or for a strip that was not claimed.
    pub(crate) fn row(&mut self, index: usize, row: usize) -> &mut [f32] {
        if self.strips().contains(&index) { self.columns(index..index + 1, row) } else { &mut [] }
    }

    /// The values of some strips, which lie side by side, row by row from row `first` on, as [`Self::row`] gives them; no
    /// rows for strips that were not claimed.
    #[cfg(not(acorn_mcu))]
    pub(crate) fn rows_of(
        &mut self,
        indices: Range<usize>,
        first: usize,
    ) -> impl Iterator<Item = &mut [f32]> {
        let Strips { values, rows, stride, cols, width, .. } = *self.strips;
        let Range { start, end } = indices;
        let claimed = self.first <= start && start < end && end <= self.end;
        let begin = if claimed { start * width } else { 0 };
        let len = if claimed { ((end - start) * width).min(cols - begin) } else { 0 };
        (first..if claimed { rows } else { 0 }).map(move |row| {
            // SAFETY: as in `columns`, where a claimed strip begins before `cols`; each row is given once.
            unsafe { core::slice::from_raw_parts_mut(values.add(row * stride + begin), len) }
        })
    }

    /// All strips' values in row `row`, which lie side by side; none past the last row.
    pub(crate) fn whole_row(&mut self, row: usize) -> &mut [f32] {
        self.columns(self.strips(), row)
    }

    /// Row `row` of some strips, which were claimed.
    fn columns(&mut self, claimed: Range<usize>, row: usize) -> &mut [f32] {
        let Strips { values, rows, stride, cols, width, .. } = *self.strips;
        // Not beyond the values' number: claimed strips begin before `cols`.
        let start = claimed.start * width;
        let end = (start + (claimed.end - claimed.start) * width).min(cols);
        if row >= rows || start >= end {
            return &mut [];
        }
        let len = end - start;
        // SAFETY: row < rows and start + len ≤ cols ≤ stride, so the range lies within the
        // rows × stride values that `Strips` borrows exclusively. No other claim has these columns:
        // the counter gives each index once, strips do not overlap (index · width up to the next
        // index's), and the borrow of `self` keeps this claim's slices from overlapping.
        unsafe { core::slice::from_raw_parts_mut(values.add(row * stride + start), len) }
    }
}

/// From which end a thread takes its share: each has its own, so that what it works on, token by token, it mostly finds in its
/// own caches, where it left it in the job before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Last,
}

impl End {
    /// That of a thread.
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) fn of(thread: usize) -> Self {
        if thread.is_multiple_of(2) { Self::First } else { Self::Last }
    }

    /// Some parts, those at this end first.
    pub(crate) fn first<T, const N: usize>(self, parts: &[T; N]) -> impl Iterator<Item = &T> {
        let turned = self == Self::Last;
        (0..N).filter_map(move |part| parts.get(if turned { N - 1 - part } else { part }))
    }
}

/// What an iterator gives, each item to whichever thread asks next.
pub(crate) struct Items<I> {
    lock: Lock,
    items: UnsafeCell<I>,
}

// SAFETY: only the holder of the lock touches the iterator, one thread at a time, and what it gives may
// go to another thread than the one it is asked on.
#[cfg(target_has_atomic = "ptr")]
unsafe impl<I: Iterator<Item: Send> + Send> Sync for Items<I> {}

impl<I: Iterator> Items<I> {
    pub(crate) const fn new(items: I) -> Self {
        Self { lock: Lock::new(), items: UnsafeCell::new(items) }
    }

    /// The next item, or `None` when all are taken. The iterator must not ask for items itself.
    pub(crate) fn next(&self) -> Option<I::Item> {
        self.take(Iterator::next)
    }

    /// The next N items from that end, or as many as an eighth of what is left, but one at least; `None` in place of others.
    pub(crate) fn some<const N: usize>(&self, end: End) -> [Option<I::Item>; N]
    where
        I: DoubleEndedIterator + ExactSizeIterator,
    {
        self.take(|items| {
            let count = (items.len() / 8).max(1);
            core::array::from_fn(|i| match end {
                _ if i >= count => None,
                End::First => items.next(),
                End::Last => items.next_back(),
            })
        })
    }

    fn take<T>(&self, next: impl FnOnce(&mut I) -> T) -> T {
        self.lock.take();
        // SAFETY: the lock is held (or, without one, `Self` is not `Sync` and this is the one thread
        // that has it), and the borrow ends before it is given back.
        let item = next(unsafe { &mut *self.items.get() });
        self.lock.give_back();
        item
    }
}

/// Held for as long as an iterator takes to move on: too short to sleep.
#[cfg(target_has_atomic = "ptr")]
struct Lock(AtomicBool);

#[cfg(target_has_atomic = "ptr")]
impl Lock {
    const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    fn take(&self) {
        while self.0.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
    }

    fn give_back(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// For one thread.
#[cfg(not(target_has_atomic = "ptr"))]
struct Lock;

#[cfg(not(target_has_atomic = "ptr"))]
impl Lock {
    const fn new() -> Self {
        Self
    }

    fn take(&self) {}

    fn give_back(&self) {}
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::Parts;
    use super::{End, Items, Strips};

    #[test]
    fn threads_take_each_row_once_from_their_ends() {
        // Seven numbers are no row.
        let mut values = [0.0; 130 * 8 + 7];
        let items = Items::new(Parts::new(&mut values, 8).enumerate());
        let first = items.some::<4>(End::First).map(|item| item.map(|(row, _)| row));
        let last = items.some::<4>(End::Last).map(|item| item.map(|(row, _)| row));
        assert_eq!((first, last), ([0, 1, 2, 3].map(Some), [129, 128, 127, 126].map(Some)));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let items = &items;
                scope.spawn(move || {
                    loop {
                        let some = items.some::<4>(End::of(thread));
                        if some[0].is_none() {
                            return;
                        }
                        for (_, row) in some.into_iter().flatten() {
                            row.iter_mut().for_each(|value| *value += 1.0);
                        }
                    }
                });
            }
        });
        let (rows, rest) = values.as_chunks::<8>();
        assert!(rows[4..126].iter().all(|row| *row == [1.0; 8]), "each once");
        assert!(
            rows[..4].iter().chain(&rows[126..]).all(|row| *row == [0.0; 8]) && rest == [0.0; 7]
        );
    }

    #[test]
    fn threads_claim_each_strip_once_however_many_they_ask_for() {
        const STRIDE: usize = 1000;
        for part in [1, 4, 1000] {
            let mut values = [0.0; 3 * STRIDE];
            let strips = Strips::new(&mut values, STRIDE, 999, 2, 3..600);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        while let Some(mut claim) = strips.claim(|left| left / part) {
                            for row in 0..3 {
                                claim.whole_row(row).iter_mut().for_each(|value| *value += 1.0);
                            }
                        }
                    });
                }
            });
            for row in values.chunks(STRIDE) {
                assert!(row[..6].iter().chain(&row[999..]).all(|value| *value == 0.0));
                assert!(row[6..999].iter().all(|value| *value == 1.0), "by 1/{part}");
            }
        }
    }
}
