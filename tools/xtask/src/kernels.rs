//! The kernels' tests on other processors than the host's: AArch64 under QEMU, WebAssembly under Node.

use std::path::PathBuf;

use crate::command::{self, Result};
use crate::toolchain::Toolchain;

const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";

/// Processors as QEMU names them, and the kernels that must be compared on each.
const PROCESSORS: [(&str, &str); 3] = [
    ("cortex-a72", "aarch64-neon scalar"),
    ("cortex-a76", "aarch64-dotprod aarch64-neon scalar"),
    ("max", "aarch64-i8mm aarch64-dotprod aarch64-neon scalar"),
];

/// Runs them on each AArch64 processor.
pub(crate) fn aarch64() -> Result<String> {
    needed(LINKER, "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")?;
    needed(EMULATOR, "qemu-user")?;
    let target = "aarch64-unknown-linux-gnu";
    let toolchain = Toolchain::find(&[target])?;
    for (processor, kernels) in PROCESSORS {
        // The runner of .cargo/config.toml calls QEMU, which reads this.
        run_on(&toolchain, target, &[("QEMU_CPU", processor)], kernels)
            .map_err(|message| format!("{processor}: {message}"))?;
    }
    Ok(PROCESSORS.map(|(processor, _)| processor).join(", "))
}

/// WebAssembly with vectors.
const WASM: &str = "wasm32-wasip1";
const WASM_FLAGS: (&str, &str) =
    ("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS", "-Ctarget-feature=+simd128");

/// Runs them as WebAssembly.
pub(crate) fn wasm() -> Result<String> {
    needed("node", "nodejs")?;
    // Debian's toolchain, the last way, cannot link for it: then this step alone says so and stands back.
    let Ok(toolchain) = Toolchain::find(&[WASM]) else {
        return Ok(format!("NOT RUN: no standard library for {WASM} can be had here"));
    };
    let environment = [
        WASM_FLAGS,
        // From the package's folder, where cargo runs tests.
        ("CARGO_TARGET_WASM32_WASIP1_RUNNER", "node --no-warnings ../../tools/cross/wasi.mjs"),
    ];
    run_on(&toolchain, WASM, &environment, "wasm32-simd128 scalar")?;
    Ok("simd128".into())
}

/// Builds an example of the kernels' tests as WebAssembly, for Node to run; `None` without a standard library
/// for that.
pub(crate) fn wasm_program(name: &str) -> Result<Option<PathBuf>> {
    needed("node", "nodejs")?;
    let Ok(toolchain) = Toolchain::find(&[WASM]) else { return Ok(None) };
    let arguments = ["--release", "-p", "acorn-kernel-tests", "--example", name];
    let mut build = toolchain.cargo("build", WASM, "std,panic_unwind", &folder(), &arguments);
    build.envs([WASM_FLAGS]);
    command::run(build)?;
    Ok(Some(folder().join(WASM).join("release/examples").join(format!("{name}.wasm"))))
}

/// Where the tests are built.
fn folder() -> PathBuf {
    command::target_dir().join("kernels")
}

/// Fails if `program`, part of these Debian packages, is not there.
pub(crate) fn needed(program: &str, packages: &str) -> Result<()> {
    match command::program(program).arg("--version").output() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("there is no {program}: on Debian, apt install {packages}")),
    }
}

/// Runs them for `target`; fails unless they say that they compared these `kernels`.
fn run_on(
    toolchain: &Toolchain,
    target: &str,
    environment: &[(&str, &str)],
    kernels: &str,
) -> Result<()> {
    let package = ["--release", "-p", "acorn-kernel-tests", "--test", "kernels"];
    let arguments = [package.as_slice(), &["--", "--nocapture"]].concat();
    let mut test = toolchain.cargo("test", target, "std,panic_unwind", &folder(), &arguments);
    test.envs(environment.iter().copied());
    let mut seen = None;
    command::run_looking(test, |line| {
        if let Some((_, names)) = line.split_once("kernels: ") {
            seen = Some(names.trim().to_owned());
        }
    })?;
    match seen {
        Some(seen) if seen == kernels => Ok(()),
        seen => Err(format!("compared {}, not {kernels}", seen.unwrap_or_default())),
    }
}
