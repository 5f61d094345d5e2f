//! The kernels' tests on other processors than the host's: Arm under QEMU, WebAssembly under Node.

use std::path::PathBuf;

use crate::command::{self, Result};
use crate::toolchain::Toolchain;

/// A family of processors: how programs for it are built and run.
pub(crate) struct Family {
    pub(crate) target: &'static str,
    pub(crate) linker: &'static str,
    pub(crate) emulator: &'static str,
    /// Debian's packages with the linker and the C library.
    packages: &'static str,
    /// Where these are.
    sysroot: &'static str,
    /// Processors as QEMU names them, and the kernels that must be compared on each.
    processors: &'static [(&'static str, &'static str)],
}

pub(crate) const AARCH64: Family = Family {
    target: "aarch64-unknown-linux-gnu",
    linker: "aarch64-linux-gnu-gcc",
    emulator: "qemu-aarch64",
    packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    sysroot: "/usr/aarch64-linux-gnu",
    processors: &[
        ("cortex-a72", "aarch64-neon scalar"),
        ("cortex-a76", "aarch64-dotprod aarch64-neon scalar"),
        ("max", "aarch64-i8mm aarch64-dotprod aarch64-neon scalar"),
    ],
};

/// The last one is an ARMv7 without NEON, where the program must not try it.
pub(crate) const ARMV7: Family = Family {
    target: "armv7-unknown-linux-gnueabihf",
    linker: "arm-linux-gnueabihf-gcc",
    emulator: "qemu-arm",
    packages: "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    sysroot: "/usr/arm-linux-gnueabihf",
    processors: &[
        ("cortex-a7", "armv7-neon word-pairs scalar"),
        ("cortex-a15", "armv7-neon word-pairs scalar"),
        ("cortex-a9,neon=off", "word-pairs scalar"),
    ],
};

pub(crate) const RISCV64: Family = Family {
    target: "riscv64gc-unknown-linux-gnu",
    linker: "riscv64-linux-gnu-gcc",
    emulator: "qemu-riscv64",
    packages: "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
    sysroot: "/usr/riscv64-linux-gnu",
    processors: &[("rv64", "word-quads scalar")],
};

impl Family {
    /// A toolchain, where the programs that this takes are there.
    pub(crate) fn toolchain(&self) -> Result<Toolchain> {
        needed(self.linker, self.packages)?;
        needed(self.emulator, "qemu-user")?;
        Toolchain::find(&[self.target])
    }

    /// The emulator's arguments before the program, for a processor.
    pub(crate) fn arguments(&self, processor: &str) -> [String; 4] {
        ["-cpu", processor, "-L", self.sysroot].map(String::from)
    }
}

/// Runs them on each 64-bit and 32-bit Arm processor.
pub(crate) fn arm() -> Result<String> {
    let mut done = Vec::new();
    for family in [AARCH64, ARMV7] {
        let toolchain = family.toolchain()?;
        for (processor, kernels) in family.processors {
            // The runner of .cargo/config.toml calls QEMU, which reads this.
            run_on(&toolchain, family.target, &[("QEMU_CPU", *processor)], kernels)
                .map_err(|message| format!("{processor}: {message}"))?;
            done.push(*processor);
        }
    }
    Ok(done.join(", "))
}

/// Processors whose kernels the host's lints do not see, as targets with `ACORN_KERNEL`.
const OTHERS: [(&str, &str); 7] = [
    (AARCH64.target, ""),
    (ARMV7.target, ""),
    (WASM, ""),
    ("thumbv6m-none-eabi", ""),
    ("thumbv7em-none-eabihf", ""),
    ("thumbv8m.main-none-eabihf", "mve"),
    ("riscv32imac-unknown-none-elf", ""),
];

/// Lints the core as other processors have it, with all it can do and without.
pub(crate) fn clippy() -> Result<()> {
    for (target, kernel) in OTHERS {
        let Some(toolchain) = Toolchain::find(&[target]).ok().filter(Toolchain::has_clippy) else {
            println!("no toolchain with clippy for {target}: not linted");
            continue;
        };
        for features in [&[][..], &["--no-default-features"]] {
            let arguments = [&["-p", "acorn-core"], features, &["--", "-D", "warnings"]].concat();
            let mut clippy = toolchain.cargo("clippy", target, "core", &folder(), &arguments);
            clippy.envs([WASM_FLAGS, ("ACORN_KERNEL", kernel)]);
            command::run(clippy)?;
        }
    }
    Ok(())
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
    let package =
        ["--release", "-p", "acorn-kernel-tests", "--test", "kernels", "--test", "softmax"];
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
