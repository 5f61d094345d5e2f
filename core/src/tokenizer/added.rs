//! Added tokens: texts that become one token wherever they stand, the leftmost and of those the
//! longest first.

use core::cmp::Ordering;

use super::split::{Segment, UNDERLINE};
use crate::format::tokenizer::{Added, MAX_ADDED_LEN, Prefix, Tables};

/// A part of a segment.
pub(super) enum Part<'t> {
    /// Text between added tokens; not empty.
    Text(Segment<'t>),
    /// An added token.
    Added(u32),
}

/// Looks for one half of the added tokens.
pub(super) struct Finder<'a> {
    tables: Tables<'a>,
    /// This half's places in the table.
    low: usize,
    high: usize,
    /// The bytes that one of them starts with.
    starts: [bool; 256],
    /// They are looked for in normalized text, in which ...
    normalized: bool,
}

impl<'a> Finder<'a> {
    /// A finder of nothing.
    pub(super) fn none(tables: Tables<'a>) -> Self {
        Self { tables, low: 0, high: 0, starts: [false; 256], normalized: false }
    }

    /// A finder of those that are, or are not, looked for in normalized text. O(added tokens).
    pub(super) fn new(tables: Tables<'a>, normalized: bool) -> Self {
        let count = tables.added().count();
        let raw = tables.added().take_while(|added| !added.normalized).count();
        let (low, high) = if normalized { (raw, count) } else { (0, raw) };
        let mut finder = Self { low, high, normalized, ..Self::none(tables) };
        for index in low..high {
            let first = finder.text(index).first().map(|&first| usize::from(first));
            if let Some(start) = first.and_then(|first| finder.starts.get_mut(first)) {
                *start = true;
            }
        }
        finder
    }

    /// Cuts a segment at its added tokens.
    pub(super) fn parts<'t>(&'a self, segment: Segment<'t>) -> Parts<'a, 't> {
        Parts { finder: self, rest: segment, found: None }
    }

    /// The first added token in a segment: the segment before, the token, and the segment behind.
    fn find<'t>(&self, segment: Segment<'t>) -> Option<(Segment<'t>, u32, Segment<'t>)> {
        if self.low == self.high {
            return None;
        }
        let bytes = segment.text.as_bytes();
        let at_space = segment.space.then_some((0, true)).into_iter();
        for (start, space) in at_space.chain((0..bytes.len()).map(|start| (start, false))) {
            let Some((id, len)) = self.longest(space, bytes.get(start..)?) else { continue };
            let cut = segment.text.split_at_checked(start).and_then(|(before, rest)| {
                let (_, behind) = rest.split_at_checked(len)?;
                Some((before, behind))
            });
            // Damaged tables may name a part of a character; no token stands there.
            let Some((text, behind)) = cut else { continue };
            let before = Segment { space: segment.space && !space, text };
            return Some((before, id, Segment { space: false, text: behind }));
        }
        None
    }

    /// The longest added token at the start of `rest`, before which a space may have been put; and
    /// its bytes of `rest`. O(log added) for each of at most [`MAX_ADDED_LEN`] bytes.
    fn longest(&self, space: bool, rest: &[u8]) -> Option<(u32, usize)> {
        let mut text = Normalized { space, rest, underlines: self.underlines() };
        // Normalization put a space before the tokens' own texts, too.
        if self.normalized && self.tables.header().prefix == Prefix::Always {
            text.next().filter(|&byte| byte == b' ')?;
        }
        let (mut low, mut high, mut longest) = (self.low, self.high, None);
        for depth in 0..MAX_ADDED_LEN {
            let Some(byte) = text.next() else { break };
            if depth == 0 && !self.starts.get(usize::from(byte)).is_some_and(|&starts| starts) {
                break;
            }
            low = self.first(low, high, depth, |ordering| ordering != Ordering::Less, byte);
            high = self.first(low, high, depth, |ordering| ordering == Ordering::Greater, byte);
            if low >= high {
                break;
            }
            if self.text(low).len() == depth.saturating_add(1) {
                let len = rest.len().saturating_sub(text.rest.len());
                longest = self.added(low).map(|added| (added.id, len));
            }
        }
        longest
    }

    /// The first place in `low..high` whose text's byte at `depth` compares with `byte` as asked
    /// for; `high` where there is none. A text that has ended compares as less.
    fn first(
        &self,
        mut low: usize,
        mut high: usize,
        depth: usize,
        holds: impl Fn(Ordering) -> bool,
        byte: u8,
    ) -> usize {
        while low < high {
            let middle = low.midpoint(high);
            match holds(self.text(middle).get(depth).cmp(&Some(&byte))) {
                true => high = middle,
                false => low = middle.saturating_add(1),
            }
        }
        low
    }

    fn underlines(&self) -> bool {
        self.normalized && self.tables.header().underline_is_space
    }

    fn added(&self, index: usize) -> Option<Added> {
        self.tables.added_at(index)
    }

    fn text(&self, index: usize) -> &'a [u8] {
        self.added(index).and_then(|added| self.tables.text(added.id)).unwrap_or_default()
    }
}

/// The bytes of a text as normalization leaves them, in which every underline is a space.
struct Normalized<'t> {
    space: bool,
    rest: &'t [u8],
    underlines: bool,
}

impl Iterator for Normalized<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if core::mem::take(&mut self.space) {
            return Some(b' ');
        }
        let mut buffer = [0; 4];
        let underline = UNDERLINE.encode_utf8(&mut buffer).as_bytes();
        if let (true, Some(rest)) = (self.underlines, self.rest.strip_prefix(underline)) {
            self.rest = rest;
            return Some(b' ');
        }
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }
}

/// The parts of a segment, in order.
pub(super) struct Parts<'a, 't> {
    finder: &'a Finder<'a>,
    rest: Segment<'t>,
    found: Option<u32>,
}

impl<'t> Iterator for Parts<'_, 't> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        if let Some(id) = self.found.take() {
            return Some(Part::Added(id));
        }
        if self.rest.is_empty() {
            return None;
        }
        let Some((before, id, behind)) = self.finder.find(self.rest) else {
            let rest = core::mem::replace(&mut self.rest, Segment { space: false, text: "" });
            return Some(Part::Text(rest));
        };
        self.rest = behind;
        if before.is_empty() {
            return Some(Part::Added(id));
        }
        self.found = Some(id);
        Some(Part::Text(before))
    }
}
