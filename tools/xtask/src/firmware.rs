//! The core linked for microcontrollers, and what the linker kept.
//!
//! `tools/firmware-probe` has a program that calls everything a firmware calls, and one that calls what a product
//! does. Linked, they must contain no allocator, no way to panic, no recursion and no arithmetic in double
//! precision; that is checked on the programs themselves, where no optimisation can hide anything any more. Nor may
//! they grow: sizes are compared with those recorded in `firmware.txt`, and the product's with what is promised.

use std::fs;
use std::path::{Path, PathBuf};

use addr2line::Loader;

use crate::command::{self, Result};
use crate::elf::Image;
use crate::symbols::{Concern, concern, readable};
use crate::toolchain::Toolchain;

/// The probe's manifest, from the repository's root.
pub(crate) const MANIFEST: &str = "tools/firmware-probe/Cargo.toml";

/// The program that calls everything, and the one that calls what a product does, without the core's feature
/// `full`.
const EVERYTHING: &str = "firmware-probe";
const PRODUCT: &str = "product";

/// Targets, profiles of the probe's manifest, programs: what is checked.
const BUILDS: [(&str, &str, &str); 7] = [
    ("thumbv6m-none-eabi", "release", EVERYTHING),
    ("thumbv7em-none-eabihf", "release", EVERYTHING),
    ("thumbv7em-none-eabihf", "small", EVERYTHING),
    ("thumbv7em-none-eabihf", "release", PRODUCT),
    ("thumbv7em-none-eabihf", "small", PRODUCT),
    ("thumbv8m.main-none-eabihf", "release", EVERYTHING),
    ("riscv32imac-unknown-none-elf", "release", EVERYTHING),
];

/// The most bytes of code and constants of a product, built for size.
const MOST: u64 = 48 * 1024;

/// What is recorded: per line a target, a profile, a program, and bytes of code and constants.
const RECORD: &str = "tools/xtask/firmware.txt";

/// How much larger than recorded a program may be.
const MARGIN: f64 = 0.03;

/// Builds the probe for every target, and checks each.
pub(crate) fn check() -> Result<String> {
    let toolchain = Toolchain::find(&BUILDS.map(|(target, ..)| target))?;
    let record = fs::read_to_string(command::root().join(RECORD))
        .map_err(|error| format!("{RECORD}: {error}"))?;
    let mut report = Report::default();
    for build in BUILDS {
        // One target's failure should not hide what is to say of the others.
        let result =
            link(&toolchain, build).and_then(|program| report.add(build, &program, &record));
        let (target, ..) = build;
        if let Err(message) = result {
            report.findings.push(format!("{target}: {message}"));
        }
    }
    report.finish()
}

/// Builds a program; returns where it is.
fn link(toolchain: &Toolchain, build: (&str, &str, &str)) -> Result<PathBuf> {
    let (target, profile, program) = build;
    let folder = command::target_dir().join("firmware");
    let mut arguments = vec!["--profile", profile, "--manifest-path", MANIFEST, "--bin", program];
    arguments.extend((program == PRODUCT).then_some("--no-default-features"));
    command::run(toolchain.cargo("build", target, "core", &folder, &arguments))?;
    Ok(folder.join(target).join(profile).join(program))
}

/// The recorded bytes of code and constants.
fn recorded(record: &str, build: (&str, &str, &str)) -> Result<u64> {
    let (target, profile, program) = build;
    let name = format!("{target} {profile} {program} ");
    let bytes = record.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
    bytes.ok_or_else(|| format!("{RECORD}: no line \"{name}BYTES\""))
}

/// Sizes and findings of all targets.
#[derive(Default)]
struct Report {
    rows: Vec<String>,
    findings: Vec<String>,
}

impl Report {
    fn add(&mut self, build: (&str, &str, &str), program: &Path, record: &str) -> Result<()> {
        let (target, profile, what) = build;
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
            "{target:28} {profile:8} {what:14} {:>7} {:>9} {:>6} {:>9} {:>5} {:>6} {:>9} {:>4}",
            image.code,
            image.constants,
            image.memory,
            image.functions.len(),
            heap.len(),
            panics.len(),
            cycles.len(),
            doubles.len()
        ));
        for (what, found) in [("heap", heap), ("panic", panics), ("f64", doubles)] {
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
        let (found, expected) = (image.code + image.constants, recorded(record, build)?);
        if found as f64 > expected as f64 * (1.0 + MARGIN) {
            self.findings.push(format!(
                "{target}, {profile}: size of {what}: {found} bytes of code and constants, recorded {expected} in {RECORD}"
            ));
        }
        if (profile, what) == ("small", PRODUCT) && found > MOST {
            self.findings.push(format!(
                "{target}: a product takes {found} bytes of code and constants, of {MOST}"
            ));
        }
        Ok(())
    }

    fn finish(self) -> Result<String> {
        println!(
            "\n{:28} {:8} {:14} {:>7} {:>9} {:>6} {:>9} {:>5} {:>6} {:>9} {:>4}",
            "bytes, symbols",
            "profile",
            "program",
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
            Ok(format!("{} builds: no heap, no panic, no recursion, no f64", BUILDS.len()))
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
