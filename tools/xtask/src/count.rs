//! `cargo xtask count`: instructions per token on emulated processors.
//!
//! ```text
//! shape → folder (synth) → .acorn file
//! acorn bench, three times under an emulator that counts (tools/count):
//!   1 token decoded, 1 + DECODE decoded        → their difference / DECODE
//!   a prompt of 1 + PROMPT tokens              → the difference / PROMPT; a run reads its prompt twice
//! ```
//!
//! Differences leave out what a program does before it computes. Exact, and the same whatever else the machine does;
//! but an instruction counts as one however long it takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{self, Result, cargo};
use crate::kernels::{AARCH64, ARMV7, Family, RISCV64, needed};
use crate::shapes::Shape;
use crate::synth;

/// Tokens decoded, and tokens of the prompt, beyond the first one.
const DECODE: u64 = 32;
const PROMPT: u64 = 128;

/// Processors that stand for a kernel each.
const PROCESSORS: [(&str, Family); 4] =
    [("cortex-a72", AARCH64), ("cortex-a76", AARCH64), ("cortex-a7", ARMV7), ("rv64", RISCV64)];

/// Count instructions per token on emulated processors
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  cargo xtask count --quants q4 --processors cortex-a72 --functions 12"
)]
pub(crate) struct Args {
    /// The shape of the model
    #[arg(default_value = "smollm2-135m")]
    shape: Shape,
    /// Encodings
    #[arg(long, value_name = "q4,q8", value_delimiter = ',', default_value = "q4,q8")]
    quants: Vec<String>,
    /// Processors, of cortex-a72, cortex-a76, cortex-a7 and rv64
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    processors: Vec<String>,
    /// Show as many functions that take most of the decoding and of the prompt
    #[arg(long, value_name = "N", default_value_t = 0)]
    functions: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = command::target_dir().join("count");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let plugin = plugin(&folder)?;
    let known = PROCESSORS.map(|(processor, _)| processor);
    if let Some(other) = args.processors.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("no processor {other}: there are {}", known.join(", ")));
    }
    let files = files(args, &folder)?;
    let mut rows = Vec::new();
    for (processor, family) in PROCESSORS {
        if !args.processors.is_empty() && !args.processors.iter().any(|name| name == processor) {
            continue;
        }
        let machine = Machine { program: build(&family)?, processor, family, plugin: &plugin };
        for (quant, file) in args.quants.iter().zip(&files) {
            let start = machine.count(file, 1, 1)?;
            let decode = machine.count(file, 1, 1 + DECODE)?.since(&start).per(DECODE);
            let prompt = machine.count(file, 1 + PROMPT, 1)?.since(&start).per(2 * PROMPT);
            rows.push(format!(
                "{processor:12} {quant:4} {:>8.2} {:>8.2}",
                decode.total, prompt.total
            ));
            for (what, count) in [("decode", decode), ("prompt", prompt)] {
                rows.extend(
                    count
                        .most(args.functions)
                        .map(|(name, millions)| format!("    {what} {millions:>8.3}  {name}")),
                );
            }
        }
    }
    println!("\nmillion instructions per token, {}\n", args.shape.name());
    println!("{:12} {:4} {:>8} {:>8}\n{}", "processor", "", "decode", "prompt", rows.join("\n"));
    Ok(())
}

/// The plugin for QEMU, compiled.
fn plugin(folder: &Path) -> Result<PathBuf> {
    needed("cc", "gcc")?;
    let plugin = folder.join("count.so");
    let mut compile = command::program("cc");
    compile.args(["-O2", "-shared", "-fPIC", "tools/count/count.c", "-o"]).arg(&plugin);
    command::run(compile)?;
    Ok(plugin)
}

/// A model in each encoding, made once.
fn files(args: &Args, folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder.join(args.shape.name());
    let weights = folder.join("hf");
    if !weights.exists() {
        synth::write(args.shape, 0, &weights)?;
    }
    let file = |quant: &String| {
        let file = folder.join(format!("{quant}.acorn"));
        if !file.exists() {
            let mut convert = cargo(&["run", "--release", "-p", "acorn-cli", "--", "convert"]);
            convert.arg(&weights).args(["--quant", quant, "--calibrate", "none", "-o"]).arg(&file);
            command::run(convert)?;
        }
        Ok(file)
    };
    args.quants.iter().map(file).collect()
}

/// Builds `acorn` for a family of processors.
fn build(family: &Family) -> Result<PathBuf> {
    let toolchain = family.toolchain()?;
    let folder = command::target_dir().join("count");
    let arguments = ["--release", "-p", "acorn-cli"];
    let build = toolchain.cargo("build", family.target, "std,panic_unwind", &folder, &arguments);
    command::run(build)?;
    Ok(folder.join(family.target).join("release/acorn"))
}

/// A program on an emulated processor.
struct Machine<'a> {
    program: PathBuf,
    processor: &'static str,
    family: Family,
    plugin: &'a Path,
}

impl Machine<'_> {
    /// What `acorn bench` executes for a prompt of so many tokens, and so many decoded behind its first one.
    fn count(&self, file: &Path, prompt: u64, decode: u64) -> Result<Count> {
        let mut emulator = command::program(self.family.emulator);
        emulator.args(self.family.arguments(self.processor));
        emulator.arg("-plugin").arg(self.plugin).args(["-d", "plugin", "-D"]);
        let log = self.plugin.with_file_name("count.log");
        emulator.arg(&log).arg(&self.program).arg("bench").arg(file);
        let (prompt, decode) = (prompt.to_string(), decode.to_string());
        emulator.args(["-p", &prompt, "-n", &decode, "-d", "1", "-r", "1", "-t", "1"]);
        command::run(emulator)?;
        let text =
            fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        Count::parse(&text).ok_or_else(|| format!("the plugin counted nothing:\n{text}"))
    }
}

/// Instructions, in millions where they are per token.
struct Count {
    total: f64,
    functions: BTreeMap<String, f64>,
}

impl Count {
    /// Of what the plugin writes.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("count "));
        let total = lines.next()?.parse().ok()?;
        let mut functions = BTreeMap::new();
        for (count, name) in lines.filter_map(|line| line.split_once(' ')) {
            *functions.entry(name.to_owned()).or_insert(0.0) += count.parse::<f64>().ok()?;
        }
        Some(Self { total, functions })
    }

    /// What this has more.
    fn since(mut self, other: &Self) -> Self {
        self.total -= other.total;
        for (name, count) in &other.functions {
            *self.functions.entry(name.clone()).or_insert(0.0) -= count;
        }
        self
    }

    fn per(mut self, tokens: u64) -> Self {
        let unit = tokens as f64 * 1e6;
        self.total /= unit;
        self.functions.values_mut().for_each(|count| *count /= unit);
        self
    }

    /// The functions with the most.
    fn most(self, count: usize) -> impl Iterator<Item = (String, f64)> {
        let mut functions: Vec<_> = self.functions.into_iter().collect();
        functions.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        functions.into_iter().take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_subtracted_and_divided() {
        let count = |text: &str| Count::parse(text).expect("a count");
        let start = count("count 100\ncount 60 a\ncount 40 b\n");
        let end = count("noise\ncount 4000100\ncount 4000060 a\ncount 30 b\ncount 10 b\n");
        let per_token = end.since(&start).per(2);
        assert_eq!(per_token.total, 2.0);
        assert_eq!(per_token.most(1).collect::<Vec<_>>(), [("a".to_owned(), 2.0)]);
        assert!(Count::parse("").is_none());
    }
}
