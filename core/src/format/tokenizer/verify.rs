//! The check of every entry: order, and that each number names a token.

use super::{Added, MAX_ADDED_LEN, Tables, index_of};
use crate::error::FormatErrorKind;
use crate::format::wire::{self, u32_at};

impl Tables<'_> {
    /// Checks every entry: order, and that each number names a token. O(entries).
    #[inline(never)]
    pub fn verify(&self) -> Result<(), FormatErrorKind> {
        let tokens = self.header.tokens;
        let bad = |table, index| FormatErrorKind::TokenizerEntry { table, index };
        let ascending = |table, count: u32, key: &dyn Fn(u32) -> Option<(u32, u32)>| {
            let mut last = None;
            for index in 0..count {
                let this = key(index).ok_or(bad(table, index))?;
                if last.is_some_and(|last| last >= this) {
                    return Err(bad(table, index));
                }
                last = Some(this);
            }
            Ok(())
        };
        for id in 0..tokens {
            self.text(id).ok_or(bad("token", id))?;
        }
        if u32_at(self.offsets, 0) != Some(0) || self.last_offset() != Some(self.header.text_len) {
            return Err(bad("token", tokens));
        }
        for byte in 0..=u8::MAX {
            if self.byte(byte).is_some_and(|id| id >= tokens) {
                return Err(bad("byte", byte.into()));
            }
        }
        let character = |index: u32| {
            let entry = self.characters.get(index_of(index))?;
            let code = u32_at(entry, 0).and_then(char::from_u32)?;
            u32_at(entry, 4).filter(|&id| id < tokens)?;
            Some((code.into(), 0))
        };
        ascending("character", self.header.characters, &character)?;
        let merge = |index: u32| {
            let merge = self.merge_at(index)?;
            let known = [merge.left, merge.right, merge.id].iter().all(|&id| id < tokens);
            known.then_some((merge.left, merge.right))
        };
        ascending("merge", self.header.merges, &merge)?;
        let mut last: Option<(bool, &[u8])> = None;
        for (raw, index) in self.added.iter().zip(0..) {
            let added: Added = wire::decode(raw, 0).map_err(|_| bad("added", index))?;
            let text = self.text(added.id).filter(|text| (1..=MAX_ADDED_LEN).contains(&text.len()));
            let this = Some((added.normalized, text.ok_or(bad("added", index))?));
            if last >= this {
                return Err(bad("added", index));
            }
            last = this;
        }
        for (stop, index) in self.stops().zip(0..) {
            if stop >= tokens {
                return Err(bad("stop", index));
            }
        }
        let class = |index: u32| {
            let raw = u32::from_le_bytes(*self.classes.get(index_of(index))?);
            Some((raw / 4, 0))
        };
        ascending("class", self.header.classes, &class)
    }

    fn last_offset(&self) -> Option<u32> {
        self.offsets.last_chunk().map(|raw| u32::from_le_bytes(*raw))
    }
}
