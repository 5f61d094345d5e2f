//! The kernels on microcontrollers under QEMU: their tests, and the instructions that they take.
//!
//! `tests/firmware` holds the two programs. `kernels` compares every kernel with the formulas, and prints
//! hashes that must be those of the same program on this machine; `instructions` counts, and what it prints
//! is compared with what is recorded.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Result, cargo};
use crate::kernels::needed;
use crate::toolchain::Toolchain;

/// The programs' manifest, from the repository's root.
pub(crate) const MANIFEST: &str = "tests/firmware/Cargo.toml";

/// What is recorded: per line a board, a kernel, an encoding, columns, instructions per multiply-accumulate.
const RECORD: &str = "tools/xtask/mcu-instructions.txt";

/// How much more a count may be than the recorded one: compilers differ a little.
const MARGIN: f64 = 0.05;

/// A processor to run on.
struct Board {
    /// Its name for people.
    processor: &'static str,
    /// QEMU's name of a board that has it, and how long a tick of its clock is in picoseconds; none for a
    /// program of an operating system.
    machine: Option<(&'static str, u32)>,
    target: &'static str,
    /// `ACORN_KERNEL` when building.
    kernel: &'static str,
    /// The kernels that must be compared.
    kernels: &'static str,
    /// Whether it has room for all cases.
    large: bool,
    /// Whether its instructions are recorded.
    counted: bool,
}

const BOARDS: [Board; 6] = [
    Board {
        processor: "cortex-m0",
        machine: Some(("microbit", 62_500)),
        target: "thumbv6m-none-eabi",
        kernel: "",
        kernels: "word-pairs scalar",
        large: false,
        counted: true,
    },
    Board {
        processor: "cortex-m4",
        machine: Some(("mps2-an386", 40_000)),
        target: "thumbv7em-none-eabihf",
        kernel: "",
        kernels: "arm-dsp scalar",
        large: true,
        counted: true,
    },
    Board {
        processor: "cortex-m7",
        machine: Some(("mps2-an500", 40_000)),
        target: "thumbv7em-none-eabihf",
        kernel: "",
        kernels: "arm-dsp scalar",
        large: true,
        counted: false,
    },
    Board {
        processor: "cortex-m33",
        machine: Some(("mps2-an505", 50_000)),
        target: "thumbv8m.main-none-eabihf",
        kernel: "",
        kernels: "arm-dsp scalar",
        large: true,
        counted: false,
    },
    Board {
        processor: "cortex-m55",
        machine: Some(("mps3-an547", 31_250)),
        target: "thumbv8m.main-none-eabihf",
        kernel: "mve",
        kernels: "arm-mve scalar",
        large: true,
        counted: true,
    },
    Board {
        processor: "riscv32imac",
        machine: None,
        target: "riscv32imac-unknown-none-elf",
        kernel: "",
        kernels: "word-pairs scalar",
        large: true,
        counted: false,
    },
];

/// Builds and runs the programs for every board.
pub(crate) fn check() -> Result<String> {
    needed("qemu-system-arm", "qemu-system-arm")?;
    needed("qemu-riscv32", "qemu-user")?;
    let mut targets = BOARDS.map(|board| board.target).to_vec();
    targets.dedup();
    let toolchain = Toolchain::find(&targets)?;
    let expected = hashes(&command::output(cargo(&[
        "run",
        "--quiet",
        "--release",
        "--manifest-path",
        MANIFEST,
        "--bin",
        "kernels",
    ]))?);
    let mut counts = Vec::new();
    for board in &BOARDS {
        let folder = board.build(&toolchain)?;
        board.compare(&folder, &expected)?;
        if board.counted {
            counts.extend(board.count(&folder)?);
        }
    }
    let better = against_record(&counts)?;
    Ok(format!("{}; {} counts, {better}", BOARDS.map(|b| b.processor).join(", "), counts.len()))
}

/// The lines that are the same wherever the program runs.
fn hashes(output: &str) -> Vec<String> {
    let lines = output.lines().filter(|line| !line.starts_with("kernel: "));
    lines.map(str::to_owned).collect()
}

impl Board {
    /// Builds both programs; returns where they are.
    fn build(&self, toolchain: &Toolchain) -> Result<PathBuf> {
        let folder = command::target_dir().join("mcu").join(self.processor);
        let arguments = ["--release", "--manifest-path", MANIFEST];
        let mut build = toolchain.cargo("build", self.target, "core", &folder, &arguments);
        build.env("ACORN_KERNEL", self.kernel);
        if let Some((_, tick)) = self.machine {
            build.env("ACORN_TICK_PS", tick.to_string());
        }
        command::run(build)?;
        Ok(folder.join(self.target).join("release"))
    }

    /// A call of QEMU for one of them. It ends by itself, or after five minutes.
    fn emulator(&self, folder: &std::path::Path, program: &str) -> Command {
        let mut emulator = command::program("timeout");
        emulator.arg("300");
        match self.machine {
            Some((machine, _)) => {
                emulator.args(["qemu-system-arm", "-M", machine]);
                emulator.args(["-display", "none", "-monitor", "none", "-serial", "none"]);
                emulator.args(["-chardev", "stdio,id=console", "-semihosting-config"]);
                emulator.arg("enable=on,target=native,chardev=console");
                if program == "instructions" {
                    // Each takes 64 ns, so that the board's clock counts them.
                    emulator.args(["-icount", "shift=6"]);
                }
                emulator.arg("-kernel");
            }
            None => {
                emulator.arg("qemu-riscv32");
            }
        }
        emulator.arg(folder.join(program));
        emulator
    }

    /// Runs the tests; fails unless the kernels that should be compared are, and the results are those of
    /// this machine.
    fn compare(&self, folder: &std::path::Path, expected: &[String]) -> Result<()> {
        let failed = |message| format!("{}: {message}", self.processor);
        let mut output = String::new();
        command::run_looking(self.emulator(folder, "kernels"), |line| {
            output.push_str(line);
            output.push('\n');
        })
        .map_err(failed)?;
        let kernels: Vec<_> =
            output.lines().filter_map(|line| line.strip_prefix("kernel: ")).collect();
        if kernels.join(" ") != self.kernels {
            return Err(failed(format!("compared {}, not {}", kernels.join(" "), self.kernels)));
        }
        let wanted = expected.iter().filter(|line| self.large || !line.contains("large"));
        if !wanted.eq(hashes(&output).iter()) {
            return Err(failed(format!("not what this machine gets:\n{}", expected.join("\n"))));
        }
        Ok(())
    }

    /// Lines of counts, as they are recorded.
    fn count(&self, folder: &std::path::Path) -> Result<Vec<String>> {
        let mut counts = Vec::new();
        command::run_looking(self.emulator(folder, "instructions"), |line| {
            counts.push(format!("{} {line}", self.processor));
        })?;
        Ok(counts)
    }
}

/// Compares counts with those recorded; says how many are lower.
fn against_record(counts: &[String]) -> Result<String> {
    let path = command::root().join(RECORD);
    let record = fs::read_to_string(&path).map_err(|error| format!("{RECORD}: {error}"))?;
    let record: Vec<_> = record.lines().filter(|line| !line.starts_with('#')).collect();
    let mut wrong = Vec::new();
    let mut lower = 0;
    for (index, found) in counts.iter().enumerate() {
        let line = record.get(index).copied().unwrap_or_default();
        let split = |line: &str| {
            let (what, count) = line.rsplit_once(' ')?;
            Some((what.to_owned(), count.parse::<f64>().ok()?))
        };
        match (split(line), split(found)) {
            (Some((what, recorded)), Some((found, count))) if what == found => {
                if count > recorded * (1.0 + MARGIN) {
                    wrong.push(format!("{what}: {count}, recorded {recorded}"));
                }
                lower += usize::from(count < recorded * (1.0 - MARGIN));
            }
            _ => wrong.push(format!("{found}: recorded is \"{line}\"")),
        }
    }
    if counts.len() != record.len() {
        wrong.push(format!("{} counts, recorded are {}", counts.len(), record.len()));
    }
    if !wrong.is_empty() {
        return Err(format!(
            "instructions of the kernels:\n{}\nIf that is as it should be, record in {RECORD}:\n{}",
            wrong.join("\n"),
            counts.join("\n")
        ));
    }
    Ok(if lower == 0 {
        format!("none over {RECORD} by {:.0} %", 100.0 * MARGIN)
    } else {
        format!("{lower} so much lower that {RECORD} should say so")
    })
}
