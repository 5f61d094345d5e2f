//! Tokenizer tables and texts made to hurt: no panic, and time that grows as n log n.

use std::hint::black_box;
use std::time::{Duration, Instant};

use acorn_core::format::tokenizer::{Added, Content, Header, Merge, NONE, Strip, Tables, write};
use acorn_core::tokenizer::{Decoder, EncodeOptions, Invalid, Slot, Tokenizer, Utf8Stream};
use acorn_tests::tokenizers::{VARIANTS, changed, convert};
use proptest::prelude::*;

const PLAIN: EncodeOptions = EncodeOptions { add_special: false, parse_added: true };

/// A tokenizer of "a" whose merges are as given.
fn section_of_a(tokens: u32, merges: &[Merge], added: &[Added]) -> Vec<u8> {
    let longest = "a".repeat(256);
    let texts: Vec<&[u8]> =
        (0..tokens).map(|id| &longest.as_bytes()[..(id as usize + 1).min(256)]).collect();
    let content = Content {
        header: Header { bos: NONE, eos: NONE, unknown: NONE, ..Header::default() },
        texts: &texts,
        bytes: &[NONE; 256],
        characters: &[('a', 0)],
        merges,
        added,
        ..Content::default()
    };
    let mut section = Vec::new();
    write(&content, &mut |bytes| section.extend_from_slice(bytes)).unwrap();
    section
}

/// Seconds for a text of `len` "a" and for one of twice that: each the best of some runs, in turns,
/// so that whatever else the machine does disturbs both alike.
fn seconds(section: &[u8], len: usize) -> [f64; 2] {
    let tokenizer = Tokenizer::new(Tables::parse(section, 0, u32::MAX).unwrap());
    let mut scratch = vec![Slot::EMPTY; Tokenizer::scratch_len(2 * len)];
    let (text, mut out) = ("a".repeat(2 * len), vec![0; 2 * len]);
    let mut best = [Duration::MAX; 2];
    for _ in 0..15 {
        for (best, len) in best.iter_mut().zip([len, 2 * len]) {
            let start = Instant::now();
            let tokens = tokenizer.encode(black_box(&text[..len]), PLAIN, &mut scratch, &mut out);
            *best = start.elapsed().min(*best);
            assert!(tokens.is_ok());
        }
    }
    best.map(|best| best.as_secs_f64())
}

fn merge(left: u32, right: u32, rank: u32, id: u32) -> Merge {
    Merge { left, right, rank, id }
}

#[test]
fn a_hostile_text_takes_n_log_n() {
    let doubling: Vec<Merge> = (0..15).map(|n| merge(n, n, n, n + 1)).collect();
    let added: Vec<Added> =
        (1..=64).map(|id| Added { id, special: false, normalized: false }).collect();
    let mut backwards: Vec<Merge> = (0..64).map(|n| merge(n, 0, 64 - n, n + 1)).collect();
    backwards.sort_by_key(|merge| (merge.left, merge.right));
    for (name, section) in [
        ("doubling", section_of_a(16, &doubling, &[])),
        (
            "growing",
            section_of_a(100, &(0..64).map(|n| merge(n, 0, n, n + 1)).collect::<Vec<_>>(), &[]),
        ),
        ("growing backwards", section_of_a(100, &backwards, &[])),
        ("a + a = a", section_of_a(1, &[merge(0, 0, 0, 0)], &[])),
        ("added tokens", section_of_a(100, &[], &added)),
    ] {
        // Other tests run at the same time: one quiet moment in five is enough.
        let quiet = (0..5).any(|_| {
            let [once, twice] = seconds(&section, 1 << 16);
            let (ms, ratio) = (once * 1e3, twice / once);
            println!("64 KiB of \"a\", {name}: {ms:.2} ms, twice that: × {ratio:.2}");
            ms <= 50.0 && ratio <= 2.3
        });
        assert!(quiet, "{name}: more than 50 ms or × 2.3, see above");
    }
}

/// Whatever the bytes: an error, or a result, but neither a panic nor a hang.
fn use_all(section: &[u8], text: &str) {
    let Ok(tables) = Tables::parse(section, 0, u32::MAX) else { return };
    let _ = tables.verify();
    let tokenizer = Tokenizer::new(tables);
    let mut scratch = vec![Slot::EMPTY; Tokenizer::scratch_len(text.len())];
    let mut out = vec![0; 2 * text.len() + 3];
    if let Ok(len) = tokenizer.encode(text, EncodeOptions::default(), &mut scratch, &mut out) {
        assert!(out[..len].iter().all(|&id| id < tokenizer.len()));
        tokenizer.decode(&out[..len], |part| assert!(!part.is_empty()));
    }
    let mut decoder = Decoder::new(tokenizer).show_special();
    (0..64).chain([NONE, NONE - 1]).for_each(|id| decoder.push(id, |_| {}));
    decoder.finish(|_| {});
}

#[test]
fn random_bytes_are_no_danger() {
    let config = ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() };
    let bytes = prop::collection::vec(any::<u8>(), 0..2000);
    proptest!(config, |(bytes in bytes, text in ".{0,40}")| use_all(&bytes, &text));
}

#[test]
fn damaged_tables_are_no_danger() {
    let sections: Vec<Vec<u8>> =
        VARIANTS.iter().map(|(model, _, apply)| convert(&changed(model, apply)).unwrap()).collect();
    let config = ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() };
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60);
    let text = "[a-hst <>|’é日]{0,60}";
    proptest!(config, |(which in any::<prop::sample::Index>(), edits in edits, text in text)| {
        let mut section = which.get(&sections).clone();
        for (place, value) in edits {
            // Half of the edits hit the header, where they do most.
            let len = if value % 2 == 0 { 24 } else { section.len() };
            let place = place.index(len);
            section[place] = value;
        }
        use_all(&section, &text);
    });
}

/// Random merges over few tokens, so that stale and double candidates abound.
#[test]
fn random_merges_end() {
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() };
    let merges = prop::collection::btree_map((0u32..6, 0u32..6), (0u32..4, 0u32..6), 0..36);
    proptest!(config, |(merges in merges, len in 0usize..300)| {
        let merges: Vec<Merge> = merges
            .into_iter()
            .map(|((left, right), (rank, id))| merge(left, right, rank, id))
            .collect();
        use_all(&section_of_a(6, &merges, &[]), &"a".repeat(len));
    });
}

#[test]
fn characters_in_any_portions_come_out_whole() {
    let config = ProptestConfig { cases: 5000, failure_persistence: None, ..Default::default() };
    let part = prop_oneof![
        "\\PC{0,4}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..5),
        prop::sample::select(vec![vec![0xE2u8, 0x96], vec![0xF0, 0x9F, 0x98], vec![0x80]]),
    ];
    proptest!(config, |(parts in prop::collection::vec(part, 0..8))| {
        let show = |invalid| {
            let (mut text, mut stream) = (String::new(), Utf8Stream::new(invalid));
            parts.iter().for_each(|part| stream.push(part, |part| text.push_str(part)));
            stream.finish(|part| text.push_str(part));
            text
        };
        let whole = parts.concat();
        prop_assert_eq!(show(Invalid::PerSequence), String::from_utf8_lossy(&whole));
        let per_byte: String = whole
            .utf8_chunks()
            .map(|chunk| chunk.valid().to_owned() + &"\u{FFFD}".repeat(chunk.invalid().len()))
            .collect();
        prop_assert_eq!(show(Invalid::PerByte), per_byte);
    });
}

#[test]
fn the_first_space_is_dropped_once_and_only_at_the_start() {
    let mut section = section_of_a(1, &[], &[]);
    let texts: [&[u8]; 3] = [b" ", b"  b", b"<s>"];
    for (strip, expected, continued) in [
        (Strip::Nothing, "   b ", "   b "),
        (Strip::Space, "  b ", "   b "),
        (Strip::FirstToken, "  b ", "   b "),
    ] {
        section.clear();
        let content = Content {
            header: Header { strip, bos: NONE, eos: NONE, unknown: NONE, ..Header::default() },
            texts: &texts,
            bytes: &[NONE; 256],
            added: &[Added { id: 2, special: true, normalized: false }],
            ..Content::default()
        };
        write(&content, &mut |bytes| section.extend_from_slice(bytes)).unwrap();
        let tokenizer = Tokenizer::new(Tables::parse(&section, 0, 3).unwrap());
        let show = |mut decoder: Decoder<'_>| {
            let mut text = String::new();
            [2, 0, 1, 0, 2].iter().for_each(|&id| decoder.push(id, |part| text.push_str(part)));
            text
        };
        assert_eq!(show(Decoder::new(tokenizer)), expected, "{strip:?}");
        assert_eq!(show(Decoder::new(tokenizer).continued()), continued, "{strip:?}");
    }
}
