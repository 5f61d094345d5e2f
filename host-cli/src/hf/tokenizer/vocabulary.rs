//! The vocabulary and the merges.

use std::collections::HashMap;

use acorn_core::format::tokenizer::{Merge, NONE, Symbols};
use serde_json::Value;

use super::error::TokenizerError;
use super::json::{AddedToken, Bpe};
use super::place;
use super::steps::Steps;

/// The model's tables.
pub(super) struct Vocabulary {
    /// What each token decodes to; empty where the file has no such token.
    pub(super) texts: Vec<Vec<u8>>,
    /// The token of each byte, or [`NONE`] [256].
    pub(super) bytes: Vec<u32>,
    /// Characters that are tokens, ascending.
    pub(super) characters: Vec<(char, u32)>,
    /// Merges, ascending by left and right; their ranks have no gaps.
    pub(super) merges: Vec<Merge>,
    pub(super) unknown: Option<u32>,
    /// A space is known, and no merge joins it to other text before it.
    pub(super) keeps_words: bool,
    /// Tokens of both the vocabulary and the added ones.
    pub(super) ids: HashMap<String, u32>,
}

pub(super) fn read(
    model: &Bpe,
    steps: &Steps,
    added: &[(usize, &AddedToken)],
    vocab_size: u32,
) -> Result<Vocabulary, TokenizerError> {
    let mut ids = model.vocab.clone();
    ids.extend(added.iter().map(|(_, token)| (token.content.clone(), token.id)));
    let texts = texts(&ids, steps, vocab_size)?;
    let unknown = match &model.unk_token {
        None => None,
        Some(name) => {
            let id = model.vocab.get(name);
            let found = format!("{name:?}");
            let missing = || place("model.unk_token").invalid("a token of the vocabulary", found);
            Some(*id.ok_or_else(missing)?)
        }
    };
    let merges = merges(model)?;
    let known = |byte: u8| match steps.symbols {
        Symbols::Characters if !model.byte_fallback => None,
        Symbols::Characters => model.vocab.get(&format!("<0x{byte:02X}>")),
        Symbols::Bytes => model.vocab.get(&character_of(byte).to_string()),
    };
    let bytes = (0..=u8::MAX).map(|byte| known(byte).copied().unwrap_or(NONE)).collect();
    let characters = match steps.symbols {
        Symbols::Bytes => Vec::new(),
        Symbols::Characters => characters(model, steps),
    };
    let keeps_words = model.vocab.contains_key("▁") && keeps_words(model, &merges);
    Ok(Vocabulary { texts, bytes, characters, merges, unknown, keeps_words, ids })
}

/// What each token decodes to.
fn texts(
    ids: &HashMap<String, u32>,
    steps: &Steps,
    vocab_size: u32,
) -> Result<Vec<Vec<u8>>, TokenizerError> {
    let mut texts: Vec<Option<Vec<u8>>> = Vec::new();
    for (token, &id) in ids {
        let place = place(format!("token {token:?}"));
        if id >= vocab_size {
            return Err(
                place.invalid(format!("an id below the model's vocab_size {vocab_size}"), id)
            );
        }
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        if texts.len() <= index {
            texts.resize(index.saturating_add(1), None);
        }
        if let Some(slot) = texts.get_mut(index)
            && slot.replace(decoded(token, steps)).is_some()
        {
            return Err(place.invalid("an id of its own", id));
        }
    }
    Ok(texts.into_iter().map(Option::unwrap_or_default).collect())
}

/// The bytes that a token shows as, by the steps of the decoder.
fn decoded(token: &str, steps: &Steps) -> Vec<u8> {
    if steps.symbols == Symbols::Bytes {
        // A token of any other character is text, not bytes.
        let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
        return bytes.unwrap_or_else(|| token.as_bytes().to_vec());
    }
    let text = if steps.decode_underlines { token.replace('▁', " ") } else { token.to_owned() };
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    let byte = digits.filter(|digits| steps.decode_bytes && digits.len() == 2);
    match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(byte) => vec![byte],
        None => text.into_bytes(),
    }
}

/// The tokens of one character. Where spaces become underlines, the model never sees a space.
fn characters(model: &Bpe, steps: &Steps) -> Vec<(char, u32)> {
    let single = |(token, &id): (&String, &u32)| {
        let mut chars = token.chars();
        let first = chars.next()?;
        (chars.next().is_none() && !(steps.underlines && first == ' ')).then_some((first, id))
    };
    let mut characters: Vec<_> = model.vocab.iter().filter_map(single).collect();
    characters.sort_unstable();
    characters
}

/// The merges by their tokens' ids. Of a pair that comes twice the last counts, as in `tokenizers`.
fn merges(model: &Bpe) -> Result<Vec<Merge>, TokenizerError> {
    let mut ranks: HashMap<(u32, u32), (usize, u32)> = HashMap::new();
    for (rank, merge) in model.merges.iter().enumerate() {
        let place = place(format!("model.merges[{rank}]"));
        let expected = "two tokens, as [\"a\", \"b\"] or \"a b\"";
        let (left, right) = match merge {
            // The first line of a merges.txt, which old files took over.
            Value::String(line) if line.starts_with("#version") => continue,
            Value::String(line) => line.split_once(' ').filter(|(_, right)| !right.contains(' ')),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => {
                    Some((left.as_str(), right.as_str()))
                }
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| place.invalid(expected, merge))?;
        let id = |token: &str| {
            let id = model.vocab.get(token).copied();
            id.ok_or_else(|| place.invalid(format!("{token:?} in the vocabulary"), merge))
        };
        ranks.insert((id(left)?, id(right)?), (rank, id(&format!("{left}{right}"))?));
    }
    let mut by_rank: Vec<_> = ranks.into_iter().collect();
    by_rank.sort_unstable_by_key(|&(_, (rank, _))| rank);
    let merge = |((left, right), (_, id)): ((u32, u32), (usize, u32)), rank| Merge {
        left,
        right,
        rank,
        id,
    };
    let mut merges: Vec<_> =
        by_rank.into_iter().zip(0..).map(|(pair, rank)| merge(pair, rank)).collect();
    merges.sort_unstable_by_key(|merge| (merge.left, merge.right));
    Ok(merges)
}

/// Whether no merge joins other text to an underline behind it.
fn keeps_words(model: &Bpe, merges: &[Merge]) -> bool {
    let tokens: HashMap<u32, &str> =
        model.vocab.iter().map(|(token, &id)| (id, token.as_str())).collect();
    merges.iter().all(|merge| {
        let text = |id| tokens.get(&id).copied().unwrap_or_default();
        text(merge.left).ends_with('▁') || !text(merge.right).starts_with('▁')
    })
}

/// The character that stands for a byte in vocabularies of bytes (source: `bytes_to_unicode` in
/// GPT-2's encoder.py): itself where it is printable, else one from U+0100 on.
fn character_of(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&byte| !printable(byte)).count();
    u32::try_from(before).ok().and_then(|n| char::from_u32(0x100 + n)).unwrap_or_default()
}

/// The byte for which a character stands.
fn byte_of(character: char) -> Option<u8> {
    static BYTES: std::sync::LazyLock<HashMap<char, u8>> =
        std::sync::LazyLock::new(|| (0..=u8::MAX).map(|byte| (character_of(byte), byte)).collect());
    BYTES.get(&character).copied()
}
