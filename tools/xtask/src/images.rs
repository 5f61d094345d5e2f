//! A firmware's linked image, and what must not be in it: an allocator, f64, a way from the core to a panic.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::command::Result;
use crate::elf::Image;
use crate::symbols::{Concern, concern, readable};

/// Fewer functions of the core than that in an image mean that they are not seen.
const FEWEST: usize = 50;

/// Checks an image that was linked with `--emit-relocs`; one of an application with a heap may have one.
///
/// An application may panic and allocate, the core may not: neither may be in reach of its functions by
/// way of Rust's own. (Formatting is the application's: the core's errors know how, the engine never does.)
pub(crate) fn check(program: &Path, heap: bool) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
    let bytes = fs::read(program).map_err(|error| failed(&error))?;
    let image = Image::read(&bytes)?;
    let names: BTreeMap<u64, String> = image
        .functions
        .iter()
        .map(|(&address, names)| {
            let telling = names.iter().find(|name| concern(name).is_some()).or(names.first());
            (address, telling.cloned().unwrap_or_default())
        })
        .collect();
    let mut findings = Vec::new();
    let allocators = of(&names, Concern::Heap);
    match (heap, allocators.is_empty()) {
        (true, true) => findings.push("no allocator is seen, but the application has one".into()),
        (false, false) => findings.push(format!("heap: {}", allocators.join(", "))),
        _ => {}
    }
    findings.extend(of(&names, Concern::Double).iter().map(|name| format!("f64: {name}")));

    let mut calls: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for reference in &image.references {
        calls.entry(reference.from).or_default().insert(reference.to);
    }
    let core: Vec<_> = names.iter().filter(|(_, name)| is_of(name, "acorn_core")).collect();
    if core.len() < FEWEST || calls.len() < FEWEST {
        findings.push(format!("only {} functions of the core are seen", core.len()));
    }
    for (&start, name) in core {
        if let Some((what, way)) = way(&names, &calls, start) {
            findings.push(format!("{what:?}: {} → {}", readable(name), way.join(" → ")));
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(failed(&findings.join("\n"))) }
}

/// The readable names of functions of that concern.
fn of(names: &BTreeMap<u64, String>, wanted: Concern) -> Vec<String> {
    let found = names.values().filter(|name| concern(name) == Some(wanted));
    found.map(|name| readable(name)).collect()
}

/// Whether a function, or what it implements something for, is a crate's.
fn is_of(symbol: &str, name: &str) -> bool {
    let readable = readable(symbol);
    let rest = readable.trim_start_matches('<').strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with("::"))
}

/// What a function of the core reaches by way of Rust's own functions, and the way.
fn way(
    names: &BTreeMap<u64, String>,
    calls: &BTreeMap<u64, BTreeSet<u64>>,
    start: u64,
) -> Option<(Concern, Vec<String>)> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for to in way.last().and_then(|last| calls.get(last)).into_iter().flatten() {
            let Some(name) = names.get(to) else { continue };
            let longer = [&way[..], &[*to]].concat();
            if let Some(what) = concern(name) {
                let way = longer.iter().skip(1).filter_map(|function| names.get(function));
                return Some((what, way.map(|name| readable(name)).collect()));
            }
            if is_of(name, "core") && !readable(name).contains("core::fmt") && seen.insert(*to) {
                ways.push(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_behind_rusts_own_functions_but_not_behind_an_applications() {
        let names = [
            (1, "_ZN10acorn_core6engine4step17h0123456789abcdefE"),
            (2, "_ZN4core5slice5index5index17h0123456789abcdefE"),
            (3, "_ZN4core9panicking9panic_fmt17h0123456789abcdefE"),
            (4, "_ZN7product5print17h0123456789abcdefE"),
        ];
        let names = names.map(|(address, name)| (address, name.to_owned())).into();
        let calls = |pairs: &[(u64, u64)]| {
            let mut calls: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            pairs.iter().for_each(|&(from, to)| _ = calls.entry(from).or_default().insert(to));
            calls
        };
        let found = way(&names, &calls(&[(1, 2), (2, 3)]), 1).expect("a way");
        assert_eq!(found.0, Concern::Panic);
        assert_eq!(found.1, ["core::slice::index::index", "core::panicking::panic_fmt"]);
        assert_eq!(way(&names, &calls(&[(1, 4), (4, 3)]), 1), None);
        assert_eq!(way(&names, &calls(&[(1, 2), (2, 1)]), 1), None);
    }
}
