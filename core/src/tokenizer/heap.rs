//! A min-heap in a slice: `Vec`-less, and safe on any content.

/// The smallest item first; equal items in any order.
#[derive(Debug)]
pub(super) struct Heap<'s, T> {
    items: &'s mut [T],
    len: usize,
}

impl<'s, T: Copy + Ord> Heap<'s, T> {
    /// An empty heap that can hold as many items as `items`.
    pub(super) fn new(items: &'s mut [T]) -> Self {
        Self { items, len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= self.items.len()
    }

    /// Adds an item; nothing happens where the heap is full. O(log n).
    pub(super) fn push(&mut self, item: T) {
        let mut place = self.len;
        let Some(free) = self.items.get_mut(place) else { return };
        *free = item;
        self.len = self.len.saturating_add(1);
        while let Some(parent) = place.checked_sub(1).map(|above| above / 2) {
            match self.items.get(parent) {
                Some(&above) if item < above => self.put(place, above),
                _ => break,
            }
            place = parent;
        }
        self.put(place, item);
    }

    /// Takes the smallest item. O(log n).
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let smallest = *self.items.first()?;
        let item = *self.items.get(last)?;
        self.len = last;
        let mut place = 0usize;
        loop {
            let left = place.saturating_mul(2).saturating_add(1);
            let children = self.items.get(left..left.saturating_add(2).min(last)).unwrap_or(&[]);
            let (child, below) = match *children {
                [a, b] if b < a => (left.saturating_add(1), b),
                [a, ..] => (left, a),
                [] => break,
            };
            if item <= below {
                break;
            }
            self.put(place, below);
            place = child;
        }
        self.put(place, item);
        Some(smallest)
    }

    /// Keeps each item once, and only if `keep` says so. O(n log n).
    pub(super) fn retain_unique(&mut self, mut keep: impl FnMut(T) -> bool) {
        // Items come out in ascending order; the places that they leave, at the end, take those
        // that are kept, last first.
        let len = self.len;
        let (mut free, mut last) = (len, None);
        while let Some(item) = self.pop() {
            if last != Some(item) && keep(item) {
                free = free.saturating_sub(1);
                self.put(free, item);
            }
            last = Some(item);
        }
        // Turned around they are ascending from the front: a sorted slice is a heap.
        for (front, back) in (0..len / 2).zip((0..len).rev()) {
            let pair = self.items.get(front).copied().zip(self.items.get(back).copied());
            if let Some((low, high)) = pair {
                self.put(front, high);
                self.put(back, low);
            }
        }
        self.len = len.saturating_sub(free);
    }

    fn put(&mut self, place: usize, item: T) {
        if let Some(slot) = self.items.get_mut(place) {
            *slot = item;
        }
    }
}
