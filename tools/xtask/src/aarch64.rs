//! The kernels' tests on AArch64 processors, emulated where the host is another.

use crate::command::{self, Result};
use crate::toolchain::Toolchain;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";

/// Processors as QEMU names them, and the kernels that must be compared on each.
const PROCESSORS: [(&str, &str); 3] = [
    ("cortex-a72", "aarch64-neon scalar"),
    ("cortex-a76", "aarch64-dotprod aarch64-neon scalar"),
    ("max", "aarch64-i8mm aarch64-dotprod aarch64-neon scalar"),
];

/// Runs them on each processor.
pub(crate) fn check() -> Result<String> {
    for (program, packages) in
        [(LINKER, "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"), (EMULATOR, "qemu-user")]
    {
        if command::program(program).arg("--version").output().is_err() {
            return Err(format!("there is no {program}: on Debian, apt install {packages}"));
        }
    }
    let toolchain = Toolchain::find(&[TARGET])?;
    for (processor, kernels) in PROCESSORS {
        run_on(&toolchain, processor, kernels)?;
    }
    Ok(PROCESSORS.map(|(processor, _)| processor).join(", "))
}

fn run_on(toolchain: &Toolchain, processor: &str, kernels: &str) -> Result<()> {
    let folder = command::target_dir().join("aarch64");
    let package = ["--release", "-p", "acorn-kernel-tests", "--test", "kernels"];
    let arguments = [package.as_slice(), &["--", "--nocapture"]].concat();
    let mut test = toolchain.cargo("test", TARGET, "std,panic_unwind", &folder, &arguments);
    let runner = format!("{EMULATOR} -cpu {processor} -L /usr/aarch64-linux-gnu");
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    let mut seen = None;
    command::run_looking(test, |line| {
        if let Some((_, names)) = line.split_once("kernels: ") {
            seen = Some(names.trim().to_owned());
        }
    })?;
    match seen {
        Some(seen) if seen == kernels => Ok(()),
        seen => Err(format!("{processor} ran {}, not {kernels}", seen.unwrap_or_default())),
    }
}
