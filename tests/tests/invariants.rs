//! The architecture's invariants (`core/src/lib.rs`), as far as the source shows them. Line-based:
//! what the compiler or a linker can check better is checked there (lints, `cargo xtask firmware`).

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the core, and what each may import besides itself: lower floors only. `error`
/// names the things of `format` that are wrong, so these two know each other.
const FLOORS: [(&str, &[&str]); 10] = [
    ("math", &[]),
    ("fingerprint", &[]),
    ("error", &["format"]),
    ("format", &["error"]),
    ("kernel", &["format", "math"]),
    ("sample", &["error", "kernel", "math"]),
    ("tokenizer", &["error", "format"]),
    ("model", &["error", "format", "tokenizer"]),
    ("plan", &["error", "format", "kernel", "model"]),
    ("engine", &["error", "format", "kernel", "math", "model", "plan"]),
];

/// Families of models: an architecture is data, so the core has no word for them.
const FAMILIES: [&str; 10] = [
    "llama",
    "gpt",
    "mistral",
    "qwen",
    "gemma",
    "deepseek",
    "falcon",
    "smollm",
    "mamba",
    "tinystories",
];

/// The longest a source file may get.
const MOST_LINES: usize = 500;

/// A source file: as it is, and without comments and test modules.
struct Source {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
    code: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    rust_files(&root.join(folder), &mut files);
    assert!(!files.is_empty(), "no source in {folder}");
    let source = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        let path = file.strip_prefix(&root).expect("within the repository");
        let path = path.to_string_lossy().replace('\\', "/");
        Source { path, code: without_tests(&without_comments(&text)), text }
    };
    files.into_iter().map(source).collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Drops comments, keeps line breaks, strings and characters.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if rest.starts_with("/*") {
            rest = &rest[rest.find("*/").map_or(rest.len(), |end| end + 2)..];
            continue;
        } else if first == '"' || rest.starts_with("'\\") {
            quoted_len(rest, first)
        } else if first == '\'' && rest.chars().nth(2) == Some('\'') {
            rest.char_indices().nth(3).map_or(rest.len(), |(end, _)| end)
        } else {
            first.len_utf8()
        };
        code.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    code
}

/// Bytes up to and with the closing quote.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return index + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Drops all from the first `#[cfg(test)]` module on: tests stand last in a file.
fn without_tests(code: &str) -> String {
    let tests = code.match_indices("#[cfg(test)]").find(|(index, attribute)| {
        let after = code[index + attribute.len()..].trim_start();
        after.starts_with("mod ") && after.lines().next().is_some_and(|line| line.ends_with('{'))
    });
    code[..tests.map_or(code.len(), |(index, _)| index)].to_owned()
}

/// Whether `line` has `word` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|other| other == word)
}

/// Fails with all that was found, each `path:line: text`.
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Lines of the code that `bad` picks.
fn lines(sources: &[Source], bad: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (index, line) in source.code.lines().enumerate() {
            if bad(source, line) {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    found
}

/// I4: a kernel's instruction set, or the arena carve.
fn may_be_unsafe(path: &str) -> bool {
    let below_kernel = path.strip_prefix("core/src/kernel/");
    below_kernel.is_some_and(|path| path.contains('/')) || path == "core/src/plan/carve.rs"
}

#[test]
fn unsafe_code_stays_in_its_places() {
    let found = lines(&sources("core/src"), |source, line| {
        let opened = line.contains("allow(unsafe_code)") || line.contains("expect(unsafe_code)");
        (has_word(line, "unsafe") || opened) && !may_be_unsafe(&source.path)
    });
    none("I4: unsafe code outside kernel/<arch>/ and plan/carve.rs", &found);
}

#[test]
fn unsafe_code_is_justified() {
    let mut found = Vec::new();
    for source in sources("core/src") {
        let text: Vec<_> = source.text.lines().collect();
        for (index, line) in source.code.lines().enumerate().filter(|(_, l)| has_word(l, "unsafe"))
        {
            // Above the statement: nothing blank between.
            let above = text[..index].iter().rev().take(20).take_while(|l| !l.trim().is_empty());
            let mut above = above.chain([&text[index]]);
            if !above.any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none("I4: unsafe code without its SAFETY comment", &found);
}

/// But for one question with the feature `std`: which instructions an Arm processor has.
#[test]
fn the_core_needs_no_heap_and_no_standard_library() {
    let sources = sources("core/src");
    let root = sources.iter().find(|source| source.path == "core/src/lib.rs").expect("lib.rs");
    assert!(root.code.lines().any(|line| line.trim() == "#![no_std]"), "lib.rs is #![no_std]");
    let found = lines(&sources, |source, line| {
        let detection = ["aarch64", "armv7"]
            .iter()
            .any(|folder| source.path == format!("core/src/kernel/{folder}/detect.rs"))
            && has_word(line, "std");
        let reaches =
            line.contains("extern crate") || line.contains("std::") || line.contains("alloc::");
        reaches && !detection
    });
    none("I6: the core reaches for std or alloc", &found);
}

/// Microcontrollers compute f64 in software, and the numeric contract has one float type.
#[test]
fn the_core_has_no_double_precision() {
    none("f64 in the core", &lines(&sources("core/src"), |_, line| has_word(line, "f64")));
}

/// I8. The tokenizer may name the published splitting rule of GPT-2, which many models share.
#[test]
fn the_core_knows_no_model_by_name() {
    let found = lines(&sources("core/src"), |source, line| {
        let line = line.to_lowercase();
        !source.path.contains("/tokenizer") && FAMILIES.iter().any(|name| line.contains(name))
    });
    none("I8: a model's name in the core", &found);
}

#[test]
fn imports_point_down() {
    let mut found = Vec::new();
    let mut seen = 0;
    for source in sources("core/src") {
        let module = source.path.trim_start_matches("core/src/").trim_end_matches(".rs");
        let module = module.split('/').next().unwrap_or(module);
        if module == "lib" {
            continue;
        }
        let floor = FLOORS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = floor.unwrap_or_else(|| panic!("module {module} has no floor yet"));
        for (index, _) in source.code.match_indices("crate::") {
            for import in imported(&source.code[index + "crate::".len()..]) {
                seen += 1;
                if import != module && !allowed.contains(&import) {
                    let line = source.code[..index].lines().count();
                    found.push(format!("{}:{line}: {module} → {import}", source.path));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} imports found: is the test still reading them?");
    none("an import that does not point down", &found);
}

/// The modules that the text right after `crate::` names: one, or a list in braces.
fn imported(path: &str) -> Vec<&str> {
    fn name(path: &str) -> &str {
        let path = path.trim();
        &path[..path.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(path.len())]
    }
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&list[start..index]));
                start = index + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

#[test]
fn files_stay_readable() {
    let folders = ["core", "host-cli", "tests", "tools"];
    let long = folders.iter().flat_map(|folder| sources(folder)).filter_map(|source| {
        let lines = source.text.lines().count();
        (lines >= MOST_LINES).then(|| format!("{}: {lines} lines", source.path))
    });
    none("a file should hold one idea", &long.collect::<Vec<_>>());
}

#[test]
fn the_reader_of_sources_reads() {
    let text = "a // unsafe\n\"// b\" /* c\n*/ '\"' // \"\n'\\'' x\n#[cfg(test)]\nmod tests {\n}";
    assert_eq!(without_comments("a // b\nc"), "a \nc");
    assert_eq!(without_tests(&without_comments(text)), "a \n\"// b\"  '\"' \n'\\'' x\n");
    assert_eq!(imported("error::{A, B};"), ["error"]);
    assert_eq!(imported("{error::{A, B}, model::Model};"), ["error", "model"]);
    assert!(has_word("unsafe { x }", "unsafe") && !has_word("deny(unsafe_code)", "unsafe"));
}
