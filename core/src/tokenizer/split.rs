//! Pieces of a segment that merges do not cross.

use crate::format::tokenizer::{Class, Split, Tables};

/// U+2581, which stands for a space in the vocabularies of SentencePiece.
pub(super) const UNDERLINE: char = '\u{2581}';

/// A stretch of text, and whether a space was put before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'t> {
    /// A space comes first that is not in the text.
    pub(super) space: bool,
    /// The text behind it.
    pub(super) text: &'t str,
}

impl<'t> Segment<'t> {
    pub(super) fn is_empty(self) -> bool {
        !self.space && self.text.is_empty()
    }

    /// Its characters, the space first.
    pub(super) fn chars(self) -> Chars<'t> {
        Chars { space: self.space, text: self.text.chars(), no_number: None }
    }

    /// Cuts behind that many bytes, the space being one of them.
    fn cut(self, len: usize) -> (Self, Self) {
        let len = if self.space { len.saturating_sub(1) } else { len };
        let (text, rest) = self.text.split_at_checked(len).unwrap_or((self.text, ""));
        (Self { text, ..self }, Segment { space: false, text: rest })
    }
}

/// The characters of a segment, the space first. One type for all ways of splitting, so that a program
/// has their code once.
#[derive(Clone)]
pub(super) struct Chars<'t> {
    space: bool,
    text: core::str::Chars<'t>,
    /// The characters end before the first number, by these tables.
    no_number: Option<&'t Tables<'t>>,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = match core::mem::take(&mut self.space) {
            true => Some(' '),
            false => self.text.next(),
        };
        let number = |&c: &char| self.no_number.is_some_and(|t| t.class(c) == Class::Number);
        if next.as_ref().is_some_and(number) {
            self.text = "".chars();
            return None;
        }
        next
    }
}

/// The pieces of a segment, in order.
pub(super) struct Pieces<'a, 't> {
    tables: &'a Tables<'a>,
    rest: Segment<'t>,
}

impl<'a, 't> Pieces<'a, 't> {
    pub(super) fn new(tables: &'a Tables<'a>, segment: Segment<'t>) -> Self {
        Self { tables, rest: segment }
    }

    /// Bytes of the first piece of the rest. O(piece).
    fn first_len(&self) -> usize {
        let chars = self.rest.chars();
        let spaces = |c| is_space(self.tables, c);
        match self.tables.header().split {
            Split::None => usize::MAX,
            Split::Spaces => until(chars, &|_, this| spaces(this)),
            Split::Words => until(chars, &|last, this| spaces(this) && !spaces(last)),
            Split::Gpt2 => gpt2(self.tables, chars),
            Split::Gpt2Digits => {
                let number = |c: &char| self.tables.class(*c) == Class::Number;
                match chars.clone().next().filter(number) {
                    Some(c) => c.len_utf8(),
                    None => gpt2(self.tables, Chars { no_number: Some(self.tables), ..chars }),
                }
            }
        }
    }
}

impl<'t> Iterator for Pieces<'_, 't> {
    type Item = Segment<'t>;

    fn next(&mut self) -> Option<Segment<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let (piece, rest) = self.rest.cut(self.first_len());
        self.rest = rest;
        Some(piece)
    }
}

/// Whether a character is a space for these tables.
pub(super) fn is_space(tables: &Tables<'_>, c: char) -> bool {
    c == ' ' || c == UNDERLINE && tables.header().underline_is_space
}

fn bytes(chars: impl Iterator<Item = char>) -> usize {
    chars.map(char::len_utf8).fold(0, usize::saturating_add)
}

/// Bytes up to the first place, but not the very start, where `border` says so of the characters
/// on both sides.
fn until(chars: Chars<'_>, border: &dyn Fn(char, char) -> bool) -> usize {
    let mut last = None;
    bytes(chars.take_while(|&this| !last.replace(this).is_some_and(|last| border(last, this))))
}

/// Bytes of the first match of GPT-2's regular expression, which matches everywhere (source:
/// `tokenizers`, pre_tokenizers/byte_level.rs):
///
/// ```text
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// ```
fn gpt2(tables: &Tables<'_>, chars: Chars<'_>) -> usize {
    if let Some(len) = contraction(chars.clone()) {
        return len;
    }
    let mut behind_space = chars.clone();
    let space = behind_space.next() == Some(' ');
    let class = if space {
        behind_space.next().map(|c| tables.class(c))
    } else {
        chars.clone().next().map(|c| tables.class(c))
    };
    match class {
        None | Some(Class::Space) => white_space(tables, chars),
        Some(class) => {
            let skip = usize::from(space);
            let run = chars.skip(skip).take_while(|&c| tables.class(c) == class);
            bytes(run).saturating_add(skip)
        }
    }
}

/// A run of white space; without its last character where other text follows, which may want that
/// one for itself, but never empty.
fn white_space(tables: &Tables<'_>, chars: Chars<'_>) -> usize {
    let (mut before_last, mut len) = (0, 0usize);
    for c in chars {
        if tables.class(c) != Class::Space {
            return if before_last > 0 { before_last } else { len };
        }
        before_last = len;
        len = len.saturating_add(c.len_utf8());
    }
    len
}

fn contraction(mut chars: Chars<'_>) -> Option<usize> {
    chars.next().filter(|&c| c == '\'')?;
    match chars.next()? {
        's' | 't' | 'm' | 'd' => Some(2),
        'r' | 'v' => chars.next().filter(|&c| c == 'e').map(|_| 3),
        'l' => chars.next().filter(|&c| c == 'l').map(|_| 3),
        _ => None,
    }
}
