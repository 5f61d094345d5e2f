//! Buffers as rows of one length, without a division: [`slice::chunks_exact`] computes how many rows there
//! are, which on a microcontroller is code, and a panic to prove impossible.

/// Row `index` of `len` numbers; none where there is no such.
pub(crate) fn part<T>(all: &[T], index: usize, len: usize) -> &[T] {
    let first = index.saturating_mul(len);
    all.get(first..first.saturating_add(len)).unwrap_or_default()
}

/// The rows, one after another; a rest that is shorter is left out.
pub(crate) struct Parts<'a, T> {
    rest: &'a mut [T],
    len: usize,
}

impl<'a, T> Parts<'a, T> {
    pub(crate) fn new(all: &'a mut [T], len: usize) -> Self {
        Self { rest: all, len: len.max(1) }
    }
}

impl<'a, T> Iterator for Parts<'a, T> {
    type Item = &'a mut [T];

    fn next(&mut self) -> Option<&'a mut [T]> {
        let (part, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(self.len)?;
        self.rest = rest;
        Some(part)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.rest.len().checked_div(self.len).unwrap_or(0);
        (len, Some(len))
    }
}

impl<T> DoubleEndedIterator for Parts<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let last = self.len().checked_sub(1)?;
        let (rest, part) =
            core::mem::take(&mut self.rest).split_at_mut_checked(last.checked_mul(self.len)?)?;
        self.rest = rest;
        part.get_mut(..self.len)
    }
}

impl<T> ExactSizeIterator for Parts<'_, T> {}
