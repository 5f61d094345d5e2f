//! The core linked for microcontrollers, and what the linker kept.
//!
//! `tools/firmware-probe` calls everything a firmware calls. Its linked program must contain no
//! allocator, no way to panic, and no recursion; that is checked on the program itself, where no
//! optimisation can hide anything any more.

use std::fs;
use std::path::{Path, PathBuf};

use addr2line::Loader;

use crate::command::{self, Result};
use crate::elf::Image;
use crate::symbols::{Concern, concern, readable};
use crate::toolchain::Toolchain;

/// The probe's manifest, from the repository's root.
pub(crate) const MANIFEST: &str = "tools/firmware-probe/Cargo.toml";

/// Cortex-M4F and M7; Cortex-M33 and M55. (Cortex-M0+ lacks the atomic operations that hand work to
/// threads.)
const TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "thumbv8m.main-none-eabihf"];

/// Builds the probe for every target, and checks each.
pub(crate) fn check() -> Result<String> {
    let toolchain = Toolchain::find(&TARGETS)?;
    let mut report = Report::default();
    for target in TARGETS {
        // One target's failure should not hide what is to say of the others.
        match build(&toolchain, target).and_then(|program| report.add(target, &program)) {
            Ok(()) => {}
            Err(message) => report.findings.push(format!("{target}: {message}")),
        }
    }
    report.finish()
}

/// Builds the probe; returns where the program is.
fn build(toolchain: &Toolchain, target: &str) -> Result<PathBuf> {
    let folder = command::target_dir().join("firmware");
    let arguments = ["--release", "--manifest-path", MANIFEST];
    command::run(toolchain.cargo("build", target, "core", &folder, &arguments))?;
    Ok(folder.join(target).join("release/firmware-probe"))
}

/// Sizes and findings of all targets.
#[derive(Default)]
struct Report {
    rows: Vec<String>,
    findings: Vec<String>,
}

impl Report {
    fn add(&mut self, target: &str, program: &Path) -> Result<()> {
        let bytes = fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
        let image = Image::read(&bytes)?;
        if !image.functions.values().flatten().any(|name| name == "probe") {
            return Err(format!("{target}: the program lacks its symbols: nothing can be checked"));
        }
        let lines = Lines::of(program)?;
        let heap = with_concern(&image, Concern::Heap);
        let panics = with_concern(&image, Concern::Panic);
        let doubles = with_concern(&image, Concern::Double);
        let cycles = image.cycles();
        self.rows.push(format!(
            "{target:26} {:>7} {:>9} {:>6} {:>9} {:>5} {:>6} {:>9} {:>4}",
            image.code,
            image.constants,
            image.memory,
            image.functions.len(),
            heap.len(),
            panics.len(),
            cycles.len(),
            doubles.len()
        ));
        for (what, found) in [("heap", heap), ("panic", panics)] {
            for (address, name) in found {
                let callers: Vec<_> = image
                    .references
                    .iter()
                    .filter(|reference| reference.to == address)
                    .map(|reference| format!("\n    from {}", lines.place(reference.at)))
                    .collect();
                self.findings.push(format!("{target}: {what}: {name}{}", callers.concat()));
            }
        }
        for cycle in cycles {
            let names: Vec<_> = cycle.iter().map(|address| name_at(&image, *address)).collect();
            self.findings.push(format!("{target}: recursion: {}", names.join(" → ")));
        }
        for (_, name) in doubles {
            println!("{target}: f64 in software: {name}");
        }
        Ok(())
    }

    fn finish(self) -> Result<String> {
        println!(
            "\n{:26} {:>7} {:>9} {:>6} {:>9} {:>5} {:>6} {:>9} {:>4}",
            "bytes, symbols",
            "code",
            "constants",
            "static",
            "functions",
            "heap",
            "panic",
            "recursion",
            "f64"
        );
        println!("{}", self.rows.join("\n"));
        if self.findings.is_empty() {
            Ok(format!("{} targets: no heap, no panic, no recursion", TARGETS.len()))
        } else {
            Err(format!("what firmware must not contain:\n{}", self.findings.join("\n")))
        }
    }
}

/// Address and readable name of each function of that concern.
fn with_concern(image: &Image, wanted: Concern) -> Vec<(u64, String)> {
    let functions = image.functions.iter();
    functions
        .filter_map(|(&address, names)| {
            let name = names.iter().find(|name| concern(name) == Some(wanted))?;
            Some((address, readable(name)))
        })
        .collect()
}

fn name_at(image: &Image, address: u64) -> String {
    let name = image.functions.get(&address).and_then(|names| names.first());
    name.map_or_else(String::new, |name| readable(name))
}

/// The program's line table.
struct Lines {
    loader: Loader,
    root: String,
}

impl Lines {
    fn of(program: &Path) -> Result<Self> {
        let loader = Loader::new(program)
            .map_err(|error| format!("{}: no line table: {error}", program.display()))?;
        Ok(Self { loader, root: format!("{}/", command::root().display()) })
    }

    /// Function and line of an instruction: of all that is inlined there, the innermost in this
    /// repository.
    fn place(&self, address: u64) -> String {
        let mut places = Vec::new();
        if let Ok(mut frames) = self.loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let Some(location) = frame.location else { continue };
                let function = frame.function.and_then(|name| Some(name.demangle().ok()?.into()));
                let function: String = function.unwrap_or_default();
                let file = location.file.unwrap_or_default();
                let line = location.line.unwrap_or_default();
                let ours = file.strip_prefix(&self.root);
                let place = format!("{}:{line} {function}", ours.unwrap_or(file));
                if ours.is_some() {
                    return place;
                }
                places.push(place);
            }
        }
        places.into_iter().next().unwrap_or_else(|| format!("{address:#x}"))
    }
}
