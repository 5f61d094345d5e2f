//! Linux machines: how the tool is built for each, in one static file, and the processors that it is run on
//! here, emulated.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acorn_core::kernel;

use crate::command::{self, Result, cargo};
use crate::kernels::needed;
use crate::toolchain::Toolchain;

/// Seconds after which an emulated program has hung.
const PATIENCE: &str = "900";

/// A family of machines that one file is for.
pub(crate) struct Machine {
    /// What the file is called after.
    pub(crate) name: &'static str,
    /// Rust's targets, the best first: musl's need no linker but Rust's own.
    targets: &'static [&'static str],
    /// The linker of a target for glibc, and its Debian packages.
    linker: (&'static str, &'static str),
    /// The most MiB that the file may have, the bundled models in it included.
    pub(crate) most_mib: u64,
    /// QEMU's program.
    emulator: &'static str,
    /// Its processors, the oldest first.
    pub(crate) cores: &'static [Core],
}

/// A processor.
pub(crate) struct Core {
    /// QEMU's name.
    pub(crate) name: &'static str,
    /// The kernels that the tool must find there, the best first.
    kernels: &'static [&'static str],
}

/// A processor's name and kernels.
const fn core(name: &'static str, kernels: &'static [&'static str]) -> Core {
    Core { name, kernels }
}

/// All machines. The oldest processor of `armv7` has no NEON, that of `x86_64` no AVX.
pub(crate) const MACHINES: [Machine; 5] = [
    Machine {
        name: "aarch64",
        targets: &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"],
        linker: ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
        most_mib: 6,
        emulator: "qemu-aarch64",
        cores: &[
            core("cortex-a53", &["aarch64-neon", "scalar"]),
            core("cortex-a72", &["aarch64-neon", "scalar"]),
            core("cortex-a76", &["aarch64-dotprod", "aarch64-neon", "scalar"]),
            core("max", &["aarch64-i8mm", "aarch64-dotprod", "aarch64-neon", "scalar"]),
        ],
    },
    Machine {
        name: "armv7",
        targets: &["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"],
        linker: ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
        most_mib: 6,
        emulator: "qemu-arm",
        cores: &[
            core("cortex-a9,neon=off", &["word-pairs", "scalar"]),
            core("cortex-a7", &["armv7-neon", "word-pairs", "scalar"]),
            core("cortex-a15", &["armv7-neon", "word-pairs", "scalar"]),
        ],
    },
    Machine {
        name: "armv6",
        // Debian's C library for these is compiled for ARMv7.
        targets: &["arm-unknown-linux-musleabihf"],
        linker: ("", ""),
        most_mib: 6,
        emulator: "qemu-arm",
        cores: &[core("arm1176", &["word-pairs", "scalar"])],
    },
    Machine {
        name: "riscv64",
        targets: &["riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"],
        linker: ("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"),
        most_mib: 6,
        emulator: "qemu-riscv64",
        cores: &[core("rv64", &["word-quads", "scalar"])],
    },
    Machine {
        name: "x86_64",
        targets: &["x86_64-unknown-linux-musl"],
        linker: ("", ""),
        most_mib: 6,
        emulator: "qemu-x86_64",
        cores: &[core("qemu64", &["word-quads", "scalar"])],
    },
];

/// The tool, built for a machine.
pub(crate) struct Tool {
    /// The machine.
    pub(crate) machine: &'static Machine,
    /// Rust's target.
    pub(crate) target: &'static str,
    /// The program.
    pub(crate) program: PathBuf,
}

/// The tool on a processor.
pub(crate) struct Place {
    /// The processor's name.
    pub(crate) name: String,
    /// The kernels that it must find there, the best first.
    pub(crate) kernels: Vec<&'static str>,
    /// What calls it.
    words: Vec<OsString>,
}

impl Machine {
    /// The machine of that name.
    pub(crate) fn named(name: &str) -> Result<&'static Self> {
        MACHINES.iter().find(|machine| machine.name == name).ok_or_else(|| {
            let names = MACHINES.each_ref().map(|machine| machine.name).join(", ");
            format!("no machine \"{name}\": there are {names}")
        })
    }

    /// Whether something can be built for it here, and with what.
    pub(crate) fn toolchain(&self) -> Result<(Toolchain, &'static str)> {
        let (toolchain, target) = Toolchain::find_first(self.targets)?;
        if target.contains("-gnu") {
            needed(self.linker.0, self.linker.1)?;
        }
        Ok((toolchain, target))
    }

    /// Builds the tool, static and stripped.
    pub(crate) fn build(&'static self) -> Result<Tool> {
        needed(self.emulator, "qemu-user")?;
        let (toolchain, target) = self.toolchain()?;
        let arguments = ["--profile", "dist", "-p", "acorn-cli", "--bin", "acorn"];
        let mut build = toolchain.cargo("build", target, "std,panic_unwind", &folder(), &arguments);
        let variable = format!("CARGO_TARGET_{}", target.replace('-', "_").to_uppercase());
        let mut flags = String::from("-Ctarget-feature=+crt-static");
        if target.contains("-musl") {
            // musl's C library comes with Rust: its own linker is enough. The program's relocations are a list
            // of 24 bytes each, or a few bits.
            build.env(format!("{variable}_LINKER"), "rust-lld");
            flags.push_str(" -Clink-arg=--pack-dyn-relocs=relr");
        }
        build.env(format!("{variable}_RUSTFLAGS"), flags);
        build.env("ACORN_BUNDLED", bundled()?);
        command::run(build)?;
        let program = folder().join(target).join("dist/acorn");
        Ok(Tool { machine: self, target, program })
    }
}

impl Tool {
    /// The tool on one of its machine's processors.
    pub(crate) fn on(&self, core: &Core) -> Place {
        let words = ["timeout", PATIENCE, self.machine.emulator, "-cpu", core.name];
        let mut words = words.map(OsString::from).to_vec();
        words.push(self.program.clone().into());
        Place { name: core.name.into(), kernels: core.kernels.to_vec(), words }
    }

    /// The tool on the oldest of them.
    pub(crate) fn on_oldest(&self) -> Place {
        self.on(&self.machine.cores[0])
    }

    /// The tool on the one with most kernels.
    pub(crate) fn on_newest(&self) -> Place {
        self.on(&self.machine.cores[self.machine.cores.len() - 1])
    }
}

impl Place {
    /// The tool on this machine, with all kernels that it has; built if need be.
    pub(crate) fn host() -> Result<Self> {
        command::run(cargo(&["build", "--release", "-p", "acorn-cli"]))?;
        let program = command::target_dir().join("release/acorn");
        let kernels = kernel::available().map(|kernel| kernel.name).collect();
        Ok(Self { name: "this machine".into(), kernels, words: vec![program.into()] })
    }

    /// A call of the tool, without what the environment may ask of it.
    pub(crate) fn acorn(&self, arguments: &[&str], files: &[&Path]) -> Command {
        let mut command = command::program(&self.words[0]);
        command.args(&self.words[1..]).args(arguments).args(files);
        command.env_remove("ACORN_KERNEL");
        command
    }
}

/// A folder with the bundled models as `.acorn` files, for the tool's build.rs.
fn bundled() -> Result<PathBuf> {
    let place = Place::host()?;
    let bundled = folder().join("bundled");
    fs::create_dir_all(&bundled).map_err(|error| format!("{}: {error}", bundled.display()))?;
    for name in ["home", "bard"] {
        let (source, file) = (format!("models/{name}"), bundled.join(format!("{name}.acorn")));
        let options = ["convert", &source, "--quant", "q8", "--calibrate", "none", "-o"];
        command::output(place.acorn(&options, &[&file]))?;
    }
    Ok(bundled)
}

/// Where it is built.
pub(crate) fn folder() -> PathBuf {
    command::target_dir().join("linux")
}
