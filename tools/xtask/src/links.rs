//! Relative links in Markdown files lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{self, Result};

/// Checks every `[text](path)` of every Markdown file; links to other hosts are not followed.
pub(crate) fn check() -> Result<String> {
    let root = command::root();
    let mut files = Vec::new();
    markdown_files(&root, &mut files)?;
    let (mut links, mut broken) = (0, Vec::new());
    for file in &files {
        let text =
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (line, target) in targets(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            if !file.parent().unwrap_or(&root).join(path).exists() {
                let file = file.strip_prefix(&root).unwrap_or(file);
                broken.push(format!("{}:{line}: {target} does not exist", file.display()));
            }
        }
    }
    if broken.is_empty() {
        Ok(format!("{links} links in {} files", files.len()))
    } else {
        Err(broken.join("\n"))
    }
}

fn markdown_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut entries: Vec<_> = fs::read_dir(folder).and_then(Iterator::collect).map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type().map_err(failed)?.is_dir() {
            if !hidden && name != "target" && name != "shared" {
                markdown_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// Line and target of every inline link outside code blocks.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            found.push((index + 1, target));
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_code_are_found() {
        let text = "see [a](b.md) and [c](d/e.md#f)\n```\n[not](this)\n```\n[g](#h)";
        assert_eq!(targets(text), [(1, "b.md"), (1, "d/e.md#f"), (5, "#h")]);
    }
}
