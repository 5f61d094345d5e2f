//! Writes a tokenizer section: the counterpart of [`super::Tables::parse`].

use super::{Added, Class, Header, Merge};
use crate::error::FormatErrorKind;
use crate::format::wire;

/// What [`write()`] puts into a section.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The header; its counts are filled in by [`write()`].
    pub header: Header,
    /// Each token's bytes.
    pub texts: &'a [&'a [u8]],
    /// The token of each byte, or `[`NONE`]`.
    pub bytes: &'a [u32],
    /// Characters and their tokens, ascending.
    pub characters: &'a [(char, u32)],
    /// Merges, ascending by left and right.
    pub merges: &'a [Merge],
    /// Added tokens, in the order that [`Added`] asks for.
    pub added: &'a [Added],
    /// Tokens that end a generation.
    pub stops: &'a [u32],
    /// First characters of ranges, ascending, with the range's class.
    pub classes: &'a [(char, Class)],
}

/// Writes a section piece by piece into `out`.
///
/// # Errors
/// A table is too long for its count, or `bytes` has not 256 entries.
pub fn write(content: &Content<'_>, out: &mut dyn FnMut(&[u8])) -> Result<(), FormatErrorKind> {
    let count = |len: usize| u32::try_from(len).map_err(|_| FormatErrorKind::Truncated);
    let text_len = content.texts.iter().map(|text| text.len()).fold(0, usize::saturating_add);
    let header = Header {
        tokens: count(content.texts.len())?,
        text_len: count(text_len)?,
        characters: count(content.characters.len())?,
        merges: count(content.merges.len())?,
        added: count(content.added.len())?,
        stops: count(content.stops.len())?,
        classes: count(content.classes.len())?,
        ..content.header
    };
    let bytes: &[u32; 256] = content.bytes.try_into().map_err(|_| FormatErrorKind::Truncated)?;

    out(&wire::encode(&header)?);
    let mut end = 0u32;
    out(&end.to_le_bytes());
    for text in content.texts {
        end = end.saturating_add(count(text.len())?);
        out(&end.to_le_bytes());
    }
    content.texts.iter().for_each(|text| out(text));
    let padding = text_len.next_multiple_of(4).saturating_sub(text_len);
    out([0; 4].get(..padding).unwrap_or_default());
    bytes.iter().for_each(|id| out(&id.to_le_bytes()));
    for (character, id) in content.characters {
        out(&u32::from(*character).to_le_bytes());
        out(&id.to_le_bytes());
    }
    for merge in content.merges {
        for number in [merge.left, merge.right, merge.rank, merge.id] {
            match u16::try_from(number) {
                Ok(number) if header.narrow() => out(&number.to_le_bytes()),
                Err(_) if header.narrow() => return Err(FormatErrorKind::Truncated),
                _ => out(&number.to_le_bytes()),
            }
        }
    }
    for added in content.added {
        out(&wire::encode(added)?);
    }
    content.stops.iter().for_each(|id| out(&id.to_le_bytes()));
    for (first, class) in content.classes {
        out(&u32::from(*first).wrapping_mul(4).wrapping_add(class.number()).to_le_bytes());
    }
    Ok(())
}
