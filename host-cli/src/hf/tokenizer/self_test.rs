//! The comparison of a converted tokenizer with Hugging Face's implementation.

use acorn_core::format::tokenizer::Tables;
use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot, Tokenizer};
use serde::Serialize;

use super::error::TokenizerError;

/// What a self-test compared; all of it was equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// Texts encoded and decoded.
    pub texts: usize,
    /// Tokens that they gave.
    pub tokens: usize,
    /// Tokens decoded alone: all there are.
    pub vocabulary: usize,
}

/// Texts of everything that tokenizers are known to disagree about.
const TEXTS: [&str; 26] = [
    "",
    " ",
    "  ",
    "\n",
    "\t \n  \r\n ",
    "a",
    " a",
    "a ",
    "Once upon a time, there was a little girl named Lily.",
    "I'm here; you're there, they've gone, he'll come, she'd stay, it's 'tis DON'T I'M",
    "''s 's's 'sa 're've'll'd'm't '",
    "0 1 12 123 1234 12,345.67 3.14e-10 0x1F ½ ² Ⅷ ٣٤ 一二",
    "spaces   between    words     and at the end   ",
    "    indented\n        more\n\n\n\tfn main() { println!(\"{}\", x[0] + 1); }",
    "Zażółć gęślą jaźń. Füße, façade, naïve, Ελληνικά, русский язык, עברית, العربية",
    "日本語のテキスト。中文字符，標點！ 한국어 ไทยกับภาษา हिन्दी",
    "e\u{301} is not é; \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{1F3F3}\u{FE0F}\u{200D}\u{1F308} \u{1F44D}\u{1F3FD}",
    "\u{0}\u{1}\u{7F}\u{80}\u{85}\u{A0}\u{AD}\u{2003}\u{2028}\u{200B}\u{3000}\u{FEFF}\u{FFFD}\u{FFFE}\u{E000}\u{10FFFF}",
    "a\u{A0}b \u{3000} c\u{2003}\u{2003}d",
    "\u{2581}",
    "\u{2581}\u{2581}a \u{2581} b\u{2581}",
    "<0x0A> <0xFF> <unk> <s> </s> <pad> [INST] <|endoftext|> <|im_start|>user\n<|im_end|>",
    "<s>a<s> b <s><s></s>",
    "#!@$%^&*()_+-=[]{}|\\;:\"<>,./?`~ ...!!!??? -->",
    "https://example.org/path?query=1&other=%20#fragment name@example.org",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Compares the tokenizer `section` with what the `tokenizers` crate makes of `json`: built-in
/// texts there and back, with and without special tokens, and each token alone.
///
/// # Errors
/// The first difference, or why there is nothing to compare with.
pub fn self_test(json: &[u8], section: &[u8]) -> Result<SelfTest, TokenizerError> {
    let reason =
        |reason: tokenizers::Error| TokenizerError::Reference { reason: reason.to_string() };
    let mut reference = tokenizers::Tokenizer::from_bytes(json).map_err(reason)?;
    reference.with_truncation(None).map_err(reason)?;
    reference.with_padding(None);
    let tables = Tables::parse(section, 0, u32::MAX)
        .map_err(|error| TokenizerError::TooLarge { kind: error.kind })?;
    let tokenizer = Tokenizer::new(tables);

    let mut added: Vec<_> = reference.get_added_tokens_decoder().into_iter().collect();
    added.sort_by_key(|&(id, _)| id);
    let with_added = added.iter().map(|(_, token)| format!("a{0} b {0}{0}\n{0}", token.content));
    let mut report = SelfTest::default();
    for text in TEXTS.into_iter().map(str::to_owned).chain(with_added) {
        report.tokens += compare_text(&reference, &tokenizer, &text)?;
        report.texts += 1;
    }
    for id in 0..tokenizer.len() {
        compare_decoding(&reference, &tokenizer, &[id])?;
        report.vocabulary += 1;
    }
    Ok(report)
}

/// Encodes a text both ways, and decodes what came out. Says how many tokens that were.
fn compare_text(
    reference: &tokenizers::Tokenizer,
    tokenizer: &Tokenizer<'_>,
    text: &str,
) -> Result<usize, TokenizerError> {
    let mut tokens = 0;
    for add_special in [false, true] {
        let expected = reference
            .encode_fast(text, add_special)
            .map_err(|reason| TokenizerError::Reference { reason: reason.to_string() })?;
        let options = EncodeOptions { add_special, parse_added: true };
        let mut scratch = vec![Slot::EMPTY; Tokenizer::scratch_len(text.len())];
        let mut found = vec![0; text.len() + 3];
        let len = tokenizer
            .encode(text, options, &mut scratch, &mut found)
            .map_err(|source| TokenizerError::Encode { text: text.to_owned(), source })?;
        found.truncate(len);
        if expected.get_ids() != found {
            return Err(differs("encoding", text, &expected.get_ids(), &found));
        }
        compare_decoding(reference, tokenizer, &found)?;
        tokens += len;
    }
    Ok(tokens)
}

fn compare_decoding(
    reference: &tokenizers::Tokenizer,
    tokenizer: &Tokenizer<'_>,
    ids: &[u32],
) -> Result<(), TokenizerError> {
    for skip_special in [true, false] {
        let expected = reference
            .decode(ids, skip_special)
            .map_err(|reason| TokenizerError::Reference { reason: reason.to_string() })?;
        let mut found = String::new();
        let decoder = Decoder::new(*tokenizer);
        let mut decoder = if skip_special { decoder } else { decoder.show_special() };
        ids.iter().for_each(|&id| decoder.push(id, |text| found.push_str(text)));
        decoder.finish(|text| found.push_str(text));
        if expected != found {
            return Err(differs("decoding", &ids, &expected, &found));
        }
    }
    Ok(())
}

fn differs(
    what: &'static str,
    input: &(impl std::fmt::Debug + ?Sized),
    expected: &impl std::fmt::Debug,
    found: &impl std::fmt::Debug,
) -> TokenizerError {
    TokenizerError::Differs {
        what,
        input: format!("{input:?}"),
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    }
}
