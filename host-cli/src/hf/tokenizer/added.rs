//! Added tokens: their ids as `tokenizers` gives them, and their table.

use std::collections::{HashMap, HashSet};

use acorn_core::format::tokenizer::{Added, MAX_ADDED_LEN, Strip, Symbols};

use super::error::TokenizerError;
use super::json::{AddedToken, Tokenizer};
use super::place;
use super::steps::Steps;

/// The added tokens that `tokenizers` keeps, each with its place in the file.
pub(super) fn read(json: &Tokenizer) -> Result<Vec<(usize, &AddedToken)>, TokenizerError> {
    let count = u32::try_from(json.model.vocab.len()).unwrap_or(u32::MAX);
    let mut next = count;
    let (mut contents, mut ids) = (HashSet::new(), HashSet::new());
    let mut kept = Vec::new();
    for (index, token) in json.added_tokens.iter().enumerate() {
        let place = place(format!("added_tokens[{index}] {:?}", token.content));
        for (flag, set) in
            [("single_word", token.single_word), ("lstrip", token.lstrip), ("rstrip", token.rstrip)]
        {
            if set {
                return Err(place.unknown(format!("{flag}: false"), format_args!("{flag}: true")));
            }
        }
        if token.content.is_empty() {
            continue;
        }
        // The id in the file is only a note: a token outside the vocabulary gets the next free one.
        let id = json.model.vocab.get(&token.content).copied().unwrap_or_else(|| {
            let id = next;
            next = next.saturating_add(1);
            id
        });
        if id != token.id {
            let expected =
                format!("id {id}, the one that its place among vocabulary and tokens gives");
            return Err(place.invalid(expected, token.id));
        }
        if !contents.insert(&token.content) || !ids.insert(id) {
            return Err(place.invalid("each content and id once", token.id));
        }
        kept.push((index, token));
    }
    Ok(kept)
}

/// The table in the format's order. `texts` are what the tokens decode to.
pub(super) fn table(
    added: &[(usize, &AddedToken)],
    texts: &[Vec<u8>],
    steps: &Steps,
) -> Result<Vec<Added>, TokenizerError> {
    let mut found: HashMap<(bool, &[u8]), u32> = HashMap::new();
    let mut table = Vec::new();
    for &(index, token) in added {
        let place = place(format!("added_tokens[{index}] {:?}", token.content));
        let text = texts.get(usize::try_from(token.id).unwrap_or(usize::MAX));
        let text = text.map(Vec::as_slice).unwrap_or_default();
        // The format has one text per token: what is looked for must be what is shown.
        let early = token.normalized && steps.underlines_early;
        let sought = if early { token.content.replace('▁', " ") } else { token.content.clone() };
        if text != sought.as_bytes() {
            let known = "added tokens that decode to the text that they are recognised by";
            return Err(place.unknown(known, format_args!("{:?}", text.escape_ascii().to_string())));
        }
        let spaces = steps.symbols == Symbols::Characters && !early && steps.underlines;
        let stripped = steps.strip == Strip::FirstToken;
        if token.content.contains(' ') && (spaces && token.normalized || stripped) {
            return Err(place.unknown("added tokens without spaces here", "a space"));
        }
        if text.len() > MAX_ADDED_LEN {
            let known = format!("added tokens of at most {MAX_ADDED_LEN} bytes");
            return Err(place.unknown(known, format_args!("{} bytes", text.len())));
        }
        if let Some(other) = found.insert((token.normalized, text), token.id) {
            let known = "added tokens of different normalized text";
            return Err(place.unknown(known, format_args!("that of token {other}")));
        }
        table.push(Added { id: token.id, special: token.special, normalized: token.normalized });
    }
    let text = |id: u32| usize::try_from(id).ok().and_then(|id| texts.get(id));
    table.sort_by_key(|added| (added.normalized, text(added.id)));
    Ok(table)
}
