//! The steps of continuous integration: the same at home and on a server.

use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};

use crate::command::{self, Result, cargo};
use crate::{
    boards, dist, emulated, firmware, hardware, instructions, kernels, links, mcu, quality,
};

/// One check.
#[derive(Clone, Copy, PartialEq, Eq, Subcommand, ValueEnum)]
pub(crate) enum Step {
    /// Formatting, by rustfmt
    Fmt,
    /// Links between the repository's Markdown files
    Links,
    /// Lints, by clippy, warnings refused
    Clippy,
    /// The API's documentation, warnings refused
    Doc,
    /// The core linked for microcontrollers: no heap, no panic, no recursion, no f64, not larger
    Firmware,
    /// The firmware on emulated boards: it answers, and its logits have this machine's bits
    Boards,
    /// The firmware of real boards: it builds, fits, and holds what the boot ROM wants
    Hardware,
    /// The kernels' tests on 64-bit and 32-bit Arm processors, emulated
    Arm,
    /// The tool for 64-bit Arm's Linux machines, emulated: small, static; it answers and converts, and its
    /// logits have this machine's bits
    Linux,
    /// The kernels' tests as WebAssembly
    Wasm,
    /// The kernels' tests on microcontrollers, emulated, and the instructions that they take
    Mcu,
    /// All tests
    Test,
    /// Instructions that the engine executes, against those recorded
    Instructions,
    /// What 8 and 4 bits cost real models, against what is allowed
    Quality,
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn about(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().cloned());
        help.map_or_else(String::new, |help| help.to_string())
    }

    /// Does it; what it returns goes into the closing table.
    fn run(self) -> Result<String> {
        match self {
            Self::Fmt => fmt(),
            Self::Links => links::check(),
            Self::Clippy => clippy(),
            Self::Doc => doc(),
            Self::Firmware => firmware::check(),
            Self::Boards => emulated::check(),
            Self::Hardware => hardware::check(),
            Self::Arm => kernels::arm(),
            Self::Linux => dist::step(),
            Self::Wasm => kernels::wasm(),
            Self::Mcu => mcu::check(),
            Self::Test => test(),
            Self::Instructions => instructions::check(),
            Self::Quality => quality::check(),
        }
    }
}

/// Names and purposes of the steps, in order.
pub(crate) fn list() {
    for step in Step::value_variants() {
        println!("{:12} {}", step.name(), step.about());
    }
}

/// One step alone.
pub(crate) fn run_one(step: Step) -> Result<()> {
    let summary = step.run()?;
    println!("{}: {summary}", step.name());
    Ok(())
}

/// All steps up to the first that fails, then a table.
pub(crate) fn run_all() -> Result<()> {
    let start = Instant::now();
    let steps = Step::value_variants();
    let mut rows = Vec::new();
    let mut failure = None;
    for (index, step) in steps.iter().enumerate() {
        let heading = format!("{}/{} {}: {}", index + 1, steps.len(), step.name(), step.about());
        println!("\n══ {heading} {}", "═".repeat(90usize.saturating_sub(heading.chars().count())));
        let step_start = Instant::now();
        let result = step.run();
        let took = step_start.elapsed();
        println!("── {} took {}", step.name(), seconds(took));
        match result {
            Ok(summary) => rows.push((*step, "ok", seconds(took), summary)),
            Err(message) => {
                rows.push((*step, "FAILED", seconds(took), String::new()));
                failure = Some((*step, message));
                break;
            }
        }
    }
    println!("\n{:12} {:7} {:>9}  result", "step", "", "time");
    for (step, outcome, took, summary) in &rows {
        println!("{:12} {outcome:7} {took:>9}  {summary}", step.name());
    }
    for step in steps.iter().skip(rows.len()) {
        println!("{:12} not run", step.name());
    }
    println!("{:12} {:7} {:>9}", "all", "", seconds(start.elapsed()));
    match failure {
        None => Ok(()),
        Some((step, message)) => {
            Err(format!("{message}\nTo repeat this step: cargo xtask {}", step.name()))
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn fmt() -> Result<String> {
    command::run(cargo(&["fmt", "--all", "--check"]))?;
    for manifest in [firmware::MANIFEST, mcu::MANIFEST, boards::MANIFEST] {
        command::run(cargo(&["fmt", "--all", "--check", "--manifest-path", manifest]))?;
    }
    Ok("formatted (else: cargo fmt --all)".into())
}

fn clippy() -> Result<String> {
    command::run(cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut firmware = cargo(&["clippy", "--all-targets", "--manifest-path", mcu::MANIFEST]);
    firmware.arg("--target-dir").arg(command::target_dir().join("mcu/host"));
    firmware.args(["--", "-D", "warnings"]);
    command::run(firmware)?;
    kernels::clippy()?;
    emulated::clippy()?;
    hardware::clippy()?;
    Ok("no warnings".into())
}

fn doc() -> Result<String> {
    let mut doc = cargo(&["doc", "--release", "--no-deps", "-p", "acorn-core", "-p", "acorn-cli"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    command::run(doc)?;
    Ok("no warnings".into())
}

/// Runs the tests and counts them: a run without any is a failure, not a success.
fn test() -> Result<String> {
    let (mut suites, mut passed, mut ignored) = (0u32, 0, 0);
    command::run_looking(cargo(&["test", "--workspace", "--release", "--no-fail-fast"]), |line| {
        if let Some(counts) = line.trim().strip_prefix("test result: ") {
            suites += 1;
            passed += count(counts, "passed");
            ignored += count(counts, "ignored");
        }
    })?;
    if passed == 0 {
        return Err("cargo test ran no test at all".into());
    }
    let ignored = if ignored == 0 { String::new() } else { format!(", {ignored} ignored") };
    Ok(format!("{passed} tests passed{ignored}, in {suites} suites"))
}

/// The number before `what` in `ok. 12 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> u32 {
    let words: Vec<_> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    let number = words.windows(2).find(|pair| pair[1] == what);
    number.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_closing_line() {
        let line =
            "ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!((count(line, "passed"), count(line, "ignored")), (12, 3));
        assert_eq!(count("FAILED. 1 passed; 2 failed", "failed"), 2);
        assert_eq!(count("", "passed"), 0);
    }
}
