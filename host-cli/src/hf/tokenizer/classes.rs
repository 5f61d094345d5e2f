//! Unicode's letters, numbers and white space, as the regular expressions of `tokenizers` know them.

use acorn_core::format::tokenizer::Class;
use regex_syntax::hir::{Class as HirClass, HirKind};

/// The first characters of ranges of one class, ascending, from U+0000 on.
pub(super) fn ranges() -> Vec<(char, Class)> {
    let classes = [(r"\p{L}", Class::Letter), (r"\p{N}", Class::Number), (r"\s", Class::Space)];
    let mut ranges: Vec<(char, char, Class)> = Vec::new();
    for (pattern, class) in classes {
        // The patterns are constants that always parse to a class of characters.
        let hir = regex_syntax::parse(pattern).map(|hir| hir.into_kind());
        if let Ok(HirKind::Class(HirClass::Unicode(found))) = hir {
            ranges.extend(found.iter().map(|range| (range.start(), range.end(), class)));
        }
    }
    ranges.sort_unstable_by_key(|&(first, ..)| first);

    let mut starts = Vec::new();
    let mut next = Some('\0');
    for (first, last, class) in ranges {
        if let Some(gap) = next.filter(|&next| next < first) {
            starts.push((gap, Class::Other));
        }
        starts.push((first, class));
        next = (last..).nth(1);
    }
    starts.extend(next.map(|rest| (rest, Class::Other)));
    starts
}
