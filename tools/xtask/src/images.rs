//! A firmware's linked image, and what must not be in it: an allocator, f64, a way from the core to a panic.

use std::fs;
use std::path::Path;

use crate::command::Result;
use crate::elf::Image;
use crate::firmware::{Lines, with_concern};
use crate::symbols::Concern;

/// Checks an image that was linked with `--emit-relocs`; one of an application with a heap may have one.
///
/// Panics are searched where the core's source refers to them: an application may panic, the core may not.
pub(crate) fn check(program: &Path, heap: bool) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
    let bytes = fs::read(program).map_err(|error| failed(&error))?;
    let image = Image::read(&bytes)?;
    let lines = Lines::of(program)?;
    let from_core = |at| {
        let place = lines.place(at);
        place.starts_with("core/").then_some(place)
    };
    let places = image.references.iter().filter_map(|reference| from_core(reference.at));
    if places.take(100).count() < 100 {
        return Err(failed(&"few references from the core are seen: nothing can be checked"));
    }
    let mut findings = Vec::new();
    let mut concerns = vec![("f64", Concern::Double)];
    if heap {
        if with_concern(&image, Concern::Heap).is_empty() {
            return Err(failed(&"an application with a heap, but no allocator is seen"));
        }
    } else {
        concerns.push(("heap", Concern::Heap));
    }
    for (what, concern) in concerns {
        for (address, name) in with_concern(&image, concern) {
            findings.push(format!("{what}: {name}"));
            let callers = image.references.iter().filter(|reference| reference.to == address);
            findings.extend(callers.map(|caller| format!("    from {}", lines.place(caller.at))));
        }
    }
    // What the core itself refers to, also where an application's heap is.
    for (what, concern) in [("panic", Concern::Panic), ("heap", Concern::Heap)] {
        for (address, name) in with_concern(&image, concern) {
            let callers = image.references.iter().filter(|reference| reference.to == address);
            let places = callers.filter_map(|reference| from_core(reference.at));
            findings.extend(places.map(|place| format!("{what}: {name} from {place}")));
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(failed(&findings.join("\n"))) }
}
