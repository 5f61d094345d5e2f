//! The merges of byte-pair encoding: the pair of lowest rank first, of those the leftmost.
//!
//! A piece's symbols lie in a list; a merge makes its left symbol wider and its right one dead:
//!
//! ```text
//! symbols   h  e  l  l  o        h [e  l] l  o        key: the token, or NONE where dead
//! link      0  1  2  3  4        0  2  1  3  4        a symbol's first and last place name each other
//! ```
//!
//! so that the next symbol is behind `link` of this one, and the one before is `link` of the place
//! before. Candidates wait in a heap by (rank, place). A candidate whose pair has changed since is
//! told by its rank, as no two pairs share one, and dropped. When stale candidates fill the heap
//! it is swept: what is left is at most one per living symbol, so at least n/8 merges pass between
//! two sweeps, and there are at most 8.

use super::EncodeError;
use super::heap::Heap;
use crate::format::tokenizer::{Merge, NONE, Tables, index_of};

/// Two numbers of the encoder's scratch memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    key: u32,
    value: u32,
}

impl Slot {
    /// A slot of fresh scratch memory: `[Slot::EMPTY; Tokenizer::scratch_len(256)]`.
    pub const EMPTY: Self = Self { key: 0, value: 0 };
}

/// Room in the heap beyond n/8, so that a sweep of few symbols makes progress too.
const SPARE: usize = 8;

/// Slots for `symbols` symbols: each one of its own and a candidate, and an eighth more.
pub(super) const fn scratch_len(symbols: usize) -> usize {
    symbols.saturating_mul(2).saturating_add(symbols.div_ceil(8)).saturating_add(SPARE)
}

/// The symbols of one piece, and their merges.
pub(super) struct Piece<'s> {
    symbols: &'s mut [Slot],
    heap: Heap<'s, Slot>,
    /// Symbols pushed, also those that had no room.
    len: usize,
    scratch_len: usize,
}

impl<'s> Piece<'s> {
    /// An empty piece, to be used again and again.
    pub(super) fn new(scratch: &'s mut [Slot]) -> Self {
        let scratch_len = scratch.len();
        // The most symbols whose `scratch_len` is there: the inverse of that function.
        let most = scratch_len.saturating_sub(SPARE).saturating_mul(8) / 17;
        let places = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        let (symbols, heap) = scratch.split_at_mut_checked(most.min(places)).unwrap_or_default();
        Self { symbols, heap: Heap::new(heap), len: 0, scratch_len }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a symbol at the end.
    pub(super) fn push(&mut self, id: u32) {
        if let (Some(slot), Ok(value)) = (self.symbols.get_mut(self.len), u32::try_from(self.len)) {
            *slot = Slot { key: id, value };
        }
        self.len = self.len.saturating_add(1);
    }

    /// Merges what can be merged. O(n log n).
    ///
    /// # Errors
    /// The scratch was too short for the symbols pushed, or a merge makes a token that is not there.
    pub(super) fn merge(&mut self, tables: &Tables<'_>) -> Result<(), EncodeError> {
        if self.len > self.symbols.len() {
            let (need, have) = (scratch_len(self.len), self.scratch_len);
            return Err(EncodeError::Scratch { need, have });
        }
        self.heap.clear();
        for place in 0..self.len {
            self.consider(tables, place);
        }
        while let Some(candidate) = self.heap.pop() {
            let left = index_of(candidate.value);
            let Some((right, merge)) = self.pair(tables, left) else { continue };
            if merge.rank != candidate.key {
                continue;
            }
            if merge.id >= tables.header().tokens {
                return Err(EncodeError::Damaged { token: merge.id });
            }
            self.join(left, right, merge.id);
            self.consider(tables, left);
            if let Some(before) = left.checked_sub(1).and_then(|end| self.symbols.get(end)) {
                self.consider(tables, index_of(before.value));
            }
        }
        Ok(())
    }

    /// The tokens that are left, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        let mut place = 0;
        core::iter::from_fn(move || {
            let symbol = self.symbols.get(..self.len)?.get(place)?;
            place = index_of(symbol.value).max(place).saturating_add(1);
            Some(symbol.key)
        })
    }

    /// Puts the pair that starts at `left` among the candidates, if it can be merged.
    fn consider(&mut self, tables: &Tables<'_>, left: usize) {
        if self.heap.is_full() {
            self.sweep(tables);
        }
        if let (Some((_, merge)), Ok(value)) = (self.pair(tables, left), u32::try_from(left)) {
            self.heap.push(Slot { key: merge.rank, value });
        }
    }

    /// The place of the symbol after the one at `left`, and the merge of the two.
    fn pair(&self, tables: &Tables<'_>, left: usize) -> Option<(usize, Merge)> {
        pair(self.symbols.get(..self.len)?, tables, left)
    }

    /// Makes the symbols at `left` and `right` one.
    fn join(&mut self, left: usize, right: usize, id: u32) {
        let Some(dead) = self.symbols.get_mut(right) else { return };
        dead.key = NONE;
        let last = dead.value;
        let first = match self.symbols.get_mut(left) {
            Some(symbol) => {
                *symbol = Slot { key: id, value: last };
                u32::try_from(left).unwrap_or(NONE)
            }
            None => return,
        };
        if let Some(end) = self.symbols.get_mut(index_of(last)) {
            end.value = first;
        }
    }

    /// Drops the candidates that are stale or double.
    fn sweep(&mut self, tables: &Tables<'_>) {
        let symbols = self.symbols.get(..self.len).unwrap_or_default();
        self.heap.retain_unique(|candidate| {
            let pair = pair(symbols, tables, index_of(candidate.value));
            pair.is_some_and(|(_, merge)| merge.rank == candidate.key)
        });
    }
}

fn pair(symbols: &[Slot], tables: &Tables<'_>, left: usize) -> Option<(usize, Merge)> {
    let symbol = symbols.get(left).filter(|symbol| symbol.key != NONE)?;
    let right = index_of(symbol.value).checked_add(1)?;
    Some((right, tables.merge(symbol.key, symbols.get(right)?.key)?))
}
