//! `cargo xtask dist`: what a user copies to a Linux machine, one static file, checked before it is handed out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::command::{self, Result};
use crate::hashes::Hashes;
use crate::linkage;
use crate::linux::{self, MACHINES, Machine, Place, Tool};

/// What the bundled model is asked.
const PROMPT: &str = "turn the kitchen lights down to thirty percent";

/// Tokens that continuous integration feeds: more than a context.
const STEPS: u32 = 160;

/// A folder with two shards of weights, and a text to calibrate it with: short, so that it takes seconds where
/// it is emulated. From the repository's root.
const SHARDED: &str = "tests/fixtures/models/tiny-untied";
const TEXT: &str = "LICENSE-MIT";

/// Build the tool for Linux machines: one static file each, run on its oldest processor
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cargo xtask dist --target aarch64 --target armv7")]
pub(crate) struct Args {
    /// A machine: aarch64, armv7, armv6, riscv64 or x86_64 [default: all that can be built for here]
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// The folder to put the files in [default: target/dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make Debian packages, too (with cargo-deb)
    #[arg(long)]
    deb: bool,
}

/// Builds, checks, prints a table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| command::target_dir().join("dist"));
    let out = std::path::absolute(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    if args.deb {
        has_cargo_deb()?;
    }
    let (machines, missing) = machines(&args.targets)?;
    let host = Observed::of(&Place::host()?)?;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["machine", "target", "file", "bytes", "linked", "answers on", "kernel"]);
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut files = Vec::new();
    for machine in machines {
        let tool = machine.build()?;
        let (bytes, observed) = check(&tool, &host)?;
        let name = format!("acorn-{}-{}-linux", env!("CARGO_PKG_VERSION"), machine.name);
        copy(&tool.program, &out.join(&name))?;
        let oldest = tool.on_oldest().name;
        table.add_row([
            machine.name,
            tool.target,
            &name,
            &bytes.to_string(),
            "static",
            &oldest,
            &observed.answer.stats.kernel,
        ]);
        files.push(name);
        if args.deb {
            files.push(package(&tool, &out)?);
        }
    }
    fs::write(out.join("SHA256SUMS"), sums(&out, &files)?)
        .map_err(|error| format!("{}/SHA256SUMS: {error}", out.display()))?;
    println!("\n{table}");
    missing.iter().for_each(|line| println!("{line}"));
    println!("{}: {} files and SHA256SUMS", out.display(), files.len());
    Ok(())
}

/// The machines of these names, or all that can be built for here; and lines that say what cannot.
fn machines(names: &[String]) -> Result<(Vec<&'static Machine>, Vec<String>)> {
    if !names.is_empty() {
        let named: Result<_> = names.iter().map(|name| Machine::named(name)).collect();
        return Ok((named?, vec![]));
    }
    let (mut machines, mut missing) = (vec![], vec![]);
    for machine in &MACHINES {
        match machine.toolchain() {
            Ok(_) => machines.push(machine),
            Err(why) => missing.push(format!("{}: not built: {why}", machine.name)),
        }
    }
    Ok((machines, missing))
}

/// What continuous integration does of it: the machine that most have, and the hashes of fewer steps.
pub(crate) fn step() -> Result<String> {
    let place = Place::host()?;
    let host = Observed::of(&place)?;
    let mut hashes = Hashes::new(STEPS)?;
    hashes.tool(&place, &["1", "2"])?;
    let tool = Machine::named("aarch64")?.build()?;
    let (bytes, _) = check(&tool, &host)?;
    hashes.tool(&tool.on_oldest(), &["1"])?;
    hashes.tool(&tool.on_newest(), &["4"])?;
    let size = bytes as f64 / f64::from(1 << 20);
    Ok(format!("aarch64 {size:.2} MiB; {}", hashes.compare()?))
}

/// Fails unless the tool is small, static, and does on its oldest processor what it does here. Returns its size,
/// and what it did.
fn check(tool: &Tool, host: &Observed) -> Result<(u64, Observed)> {
    let name = tool.program.display();
    let program = fs::read(&tool.program).map_err(|error| format!("{name}: {error}"))?;
    let loads = linkage::loads(&program).map_err(|error| format!("{name}: {error}"))?;
    if !loads.is_empty() {
        return Err(format!("{name}: expected a static program, found that it loads {loads:?}"));
    }
    let bytes = program.len() as u64;
    let most = tool.machine.most_mib << 20;
    if bytes > most {
        return Err(format!("{name}: {bytes} bytes, of {most}"));
    }
    let place = tool.on_oldest();
    let observed = Observed::of(&place)?;
    let failed = |what: String| Err(format!("{} on {}: {what}", tool.target, place.name));
    let (answer, expected) = (&observed.answer, &host.answer);
    if (&answer.text, &answer.tokens) != (&expected.text, &expected.tokens) {
        return failed(format!("answers {:?}, not {:?}", answer.text, expected.text));
    }
    if place.kernels.first() != Some(&answer.stats.kernel.as_str()) {
        return failed(format!("kernel {}, not {:?}", answer.stats.kernel, place.kernels.first()));
    }
    if observed.home != host.home {
        return failed("converts the bundled model to other bytes than this machine".into());
    }
    if observed.sharded != host.sharded {
        return failed(format!("converts {SHARDED} to other bytes than this machine"));
    }
    Ok((bytes, observed))
}

/// What the tool did somewhere: equal wherever it runs.
struct Observed {
    answer: Answer,
    /// The bundled model as it was converted.
    home: Vec<u8>,
    /// A folder of shards, calibrated and in 4 bits.
    sharded: Vec<u8>,
}

/// What `acorn run --json` prints.
#[derive(Deserialize)]
struct Answer {
    text: String,
    tokens: Vec<u32>,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    kernel: String,
}

impl Observed {
    /// Asks the bundled model, and converts.
    fn of(place: &Place) -> Result<Self> {
        let folder = linux::folder().join("observed");
        let failed = |error| format!("{}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut run = place.acorn(&["run", "home", "--temp", "0", "--json", "-p", PROMPT], &[]);
        run.env("ACORN_CACHE", &folder);
        let answer = command::output(run)?;
        let answer = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        let cached = fs::read_dir(&folder).map_err(failed)?.next();
        let cached = cached.ok_or_else(|| format!("{}: no model in it", folder.display()))?;
        let home = fs::read(cached.map_err(failed)?.path()).map_err(failed)?;
        let file = folder.join("sharded.acorn");
        let convert = ["convert", SHARDED, "--quant", "q4", "--calibrate", TEXT, "-o"];
        command::output(place.acorn(&convert, &[&file]))?;
        Ok(Self { answer, home, sharded: fs::read(&file).map_err(failed)? })
    }
}

/// Fails with the way to get it.
fn has_cargo_deb() -> Result<()> {
    let mut deb = command::cargo(&["deb", "--version"]);
    match deb.output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("--deb needs cargo-deb: cargo install cargo-deb --locked".into()),
    }
}

/// Makes a Debian package of a built tool; returns the file's name.
fn package(tool: &Tool, out: &Path) -> Result<String> {
    let mut deb = command::cargo(&["deb", "--no-build", "--no-strip", "-p", "acorn-cli"]);
    deb.args(["--profile", "dist", "--target", tool.target, "-o"]).arg(out);
    deb.env("CARGO_TARGET_DIR", linux::folder());
    let path = command::output(deb)?;
    let name = Path::new(path.trim()).file_name();
    name.map(|name| name.to_string_lossy().into_owned())
        .ok_or_else(|| format!("cargo deb printed no file, but: {path}"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(())
}

/// The lines that `sha256sum --check` reads.
fn sums(folder: &Path, files: &[String]) -> Result<String> {
    let mut lines = String::new();
    for name in files {
        let bytes = fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        for byte in Sha256::digest(bytes) {
            _ = write!(lines, "{byte:02x}");
        }
        _ = writeln!(lines, "  {name}");
    }
    Ok(lines)
}
