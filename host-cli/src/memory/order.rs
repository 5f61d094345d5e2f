//! In which order a pass reads a file: its layers, then the head; then the next pass begins.

use std::ops::Range;

use acorn_core::Model;
use acorn_core::format::tensor_table::Role;

/// What is read starts and ends at multiples of this many bytes of the file: a page, and what a disk can read
/// past the page cache.
pub(super) const ALIGNMENT: u64 = 4096;

/// What lies between two matrices (padding, vectors) is read with them where it is no more than this.
const GAP: u64 = 64 << 10;

/// Stretches of a file, in the order in which they are read; behind the last comes the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Order(Vec<Range<u64>>);

/// A place in an [`Order`]: which stretch, and where in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cursor {
    stretch: usize,
    offset: u64,
}

impl Order {
    /// The matrices that every pass of `model` reads whole. Not among them: embeddings, of which it reads rows,
    /// but for one that is the head too.
    pub(super) fn of(model: &Model<'_>) -> Self {
        let head = if model.recipe().tied_head { Role::Embedding } else { Role::Head };
        let rows = |role| matches!(role, Role::Embedding | Role::PositionEmbedding);
        let matrices = || model.tensors().filter(|tensor| tensor.encoding.is_matrix());
        let layers = matrices().filter(|tensor| tensor.role != head && !rows(tensor.role));
        let last = matrices().filter(|tensor| tensor.role == head);
        let mut stretches: Vec<Range<u64>> = Vec::new();
        for tensor in layers.chain(last) {
            let start = tensor.offset / ALIGNMENT * ALIGNMENT;
            let end = (tensor.offset + tensor.len).next_multiple_of(ALIGNMENT);
            match stretches.last_mut() {
                Some(stretch) if (stretch.start..=stretch.end + GAP).contains(&start) => {
                    stretch.end = end;
                }
                _ => stretches.push(start..end),
            }
        }
        Self(stretches)
    }

    /// Bytes of all stretches.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|stretch| stretch.end - stretch.start).sum()
    }

    /// The first `bytes` of it, rounded down to [`ALIGNMENT`], and the rest.
    pub(super) fn split(self, bytes: u64) -> (Self, Self) {
        let (mut first, mut rest) = (Self::default(), Self::default());
        let mut left = bytes / ALIGNMENT * ALIGNMENT;
        for Range { start, end } in self.0 {
            let middle = start + left.min(end - start);
            left -= middle - start;
            first.0.extend((start < middle).then_some(start..middle));
            rest.0.extend((middle < end).then_some(middle..end));
        }
        (first, rest)
    }

    /// The stretches.
    pub(super) fn stretches(&self) -> &[Range<u64>] {
        &self.0
    }

    /// Where it starts.
    pub(super) fn start(&self) -> Cursor {
        Cursor { stretch: 0, offset: self.0.first().map_or(0, |stretch| stretch.start) }
    }

    /// The page with the byte at `offset`, where that is in the order.
    pub(super) fn find(&self, offset: u64) -> Option<Cursor> {
        let stretch = self.0.iter().position(|stretch| stretch.contains(&offset))?;
        Some(Cursor { stretch, offset: offset / ALIGNMENT * ALIGNMENT })
    }

    /// The next bytes from `cursor` on, at most `most`, a multiple of [`ALIGNMENT`]. Only an order without
    /// stretches has none.
    pub(super) fn next(&self, cursor: &mut Cursor, most: u64) -> Range<u64> {
        let Some(stretch) = self.0.get(cursor.stretch) else { return 0..0 };
        let range = cursor.offset..stretch.end.min(cursor.offset + most);
        cursor.offset = range.end;
        if range.end == stretch.end {
            let next = (cursor.stretch + 1) % self.0.len();
            *cursor = Cursor { stretch: next, offset: self.0.get(next).map_or(0, |s| s.start) };
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_walked_round_and_round() {
        let order = Order(vec![8192..20480, 0..4096]);
        assert_eq!(order.bytes(), 16384);
        let mut cursor = order.start();
        let walked: Vec<_> = (0..4).map(|_| order.next(&mut cursor, 8192)).collect();
        assert_eq!(walked, [8192..16384, 16384..20480, 0..4096, 8192..16384]);
        assert_eq!(order.find(20479), Some(Cursor { stretch: 0, offset: 16384 }));
        assert_eq!((order.find(4095).is_some(), order.find(5000)), (true, None));
    }

    #[test]
    fn an_order_is_split_in_pages() {
        let order = Order(vec![8192..20480, 0..4096]);
        for (bytes, first) in [(0, 0), (4095, 0), (8191, 4096), (13000, 12288), (1 << 40, 16384)] {
            let (kept, rest) = order.clone().split(bytes);
            assert_eq!((kept.bytes(), rest.bytes()), (first, 16384 - first), "{bytes}");
        }
        let (first, rest) = order.split(12288 + 4096);
        assert_eq!((first.stretches().len(), rest.stretches()), (2, &[][..]));
    }
}
