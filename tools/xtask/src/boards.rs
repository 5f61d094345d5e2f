//! The boards that QEMU emulates, and how a firmware for each is built and started.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::toolchain::Toolchain;
use crate::{command, raspberry};

/// The firmwares' manifest, from the repository's root.
pub(crate) const MANIFEST: &str = "targets/Cargo.toml";

/// A board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Board {
    /// Code for Cortex-M0+ (Armv6-M: no FPU, no DSP), on a Cortex-M3: QEMU has no larger M0 board
    M0,
    /// Cortex-M4F
    M4,
    /// Cortex-M7
    M7,
    /// Cortex-M33
    M33,
    /// Cortex-M55
    M55,
    /// RV32IMAC
    Riscv32,
    /// Raspberry Pi 3 (four Cortex-A53) without an operating system
    Rpi3,
}

impl Board {
    /// All but the Raspberry Pi, which has programs of its own.
    pub(crate) const MICROCONTROLLERS: &[Self] =
        &[Self::M0, Self::M4, Self::M7, Self::M33, Self::M55, Self::Riscv32];

    /// Its name: of a microcontroller, the package's feature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::M0 => "m0",
            Self::M4 => "m4",
            Self::M7 => "m7",
            Self::M33 => "m33",
            Self::M55 => "m55",
            Self::Riscv32 => "riscv32",
            Self::Rpi3 => "rpi3",
        }
    }

    /// The Rust target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::M0 => "thumbv6m-none-eabi",
            Self::M4 | Self::M7 => "thumbv7em-none-eabihf",
            Self::M33 | Self::M55 => "thumbv8m.main-none-eabihf",
            Self::Riscv32 => "riscv32imac-unknown-none-elf",
            Self::Rpi3 => "aarch64-unknown-none",
        }
    }

    /// `ACORN_KERNEL` when building, where the target alone does not say enough.
    pub(crate) fn kernel(self) -> Option<&'static str> {
        (self == Self::M55).then_some("mve")
    }

    /// The name of the kernel that runs in a build.
    pub(crate) fn runs(self, build: Build<'_>) -> &'static str {
        match (self, build.kernel) {
            (Self::Rpi3, _) => "aarch64-neon",
            (Self::M0 | Self::Riscv32, _) | (_, Some("scalar")) => "word-pairs",
            (_, Some("mve")) => "arm-mve",
            _ => "arm-dsp",
        }
    }

    /// The bytes of stack that a poll may take, where a bound is promised: with the board's own kernel.
    pub(crate) fn stack_of_a_poll(self, build: Build<'_>) -> Option<u64> {
        match self {
            _ if build.kernel != self.kernel() => None,
            Self::M4 => Some(2048),
            Self::M55 => Some(4096),
            _ => None,
        }
    }

    /// QEMU's program and machine, and the nanoseconds of an instruction as a power of two: what the
    /// firmware's count of instructions assumes. (With it, cores would take turns: the Raspberry Pi goes without.)
    fn machine(self) -> (&'static str, &'static [&'static str], u32) {
        match self {
            Self::M0 => ("qemu-system-arm", &["-M", "mps2-an385"], 6),
            Self::M4 => ("qemu-system-arm", &["-M", "mps2-an386"], 6),
            Self::M7 => ("qemu-system-arm", &["-M", "mps2-an500"], 6),
            Self::M33 => ("qemu-system-arm", &["-M", "mps2-an505"], 6),
            Self::M55 => ("qemu-system-arm", &["-M", "mps3-an547"], 6),
            Self::Riscv32 => ("qemu-system-riscv32", &["-M", "virt", "-bios", "none"], 0),
            Self::Rpi3 => ("qemu-system-aarch64", &["-M", "raspi3b"], 0),
        }
    }

    /// The emulator with a program in it, and the words that the program finds on its command line. (The Raspberry
    /// Pi's has none: what is typed comes through the serial port, the emulator's standard input.)
    pub(crate) fn emulator(self, program: &Path, words: &[&str]) -> Command {
        let (qemu, machine, shift) = self.machine();
        let mut command = command::program(qemu);
        command.args(machine).args(["-display", "none", "-monitor", "none"]);
        if self == Self::Rpi3 {
            command.args(["-serial", "stdio", "-kernel"]).arg(program);
            return command;
        }
        command.args(["-serial", "none"]);
        command.args(["-icount", &format!("shift={shift}")]);
        let mut console = "enable=on,target=native,arg=acorn".to_owned();
        for word in words {
            console = format!("{console},arg={}", word.replace(',', ",,"));
        }
        command.args(["-semihosting-config", &console]).arg("-kernel").arg(program);
        command
    }

    /// A call of cargo with `command` and `arguments` for the board's programs, in that profile, with
    /// that kernel and that model inside.
    pub(crate) fn cargo(
        self,
        toolchain: &Toolchain,
        command: &str,
        build: Build<'_>,
        model: &Path,
        arguments: &[&str],
    ) -> Command {
        let package = match self {
            Self::Rpi3 => ["-p", "acorn-rpi-bare", "--config", raspberry::CONFIG],
            _ => ["-p", "acorn-qemu", "--features", self.name()],
        };
        let profile = ["--manifest-path", MANIFEST, "--profile", build.profile];
        let arguments = [&profile[..], &package, arguments].concat();
        let folder = build.folder();
        let mut cargo = toolchain.cargo(command, self.target(), "core", &folder, &arguments);
        cargo.env("ACORN_KERNEL", build.kernel.unwrap_or_default());
        set_model(&mut cargo, model);
        cargo
    }

    /// How its programs are built if nobody asks for another kernel.
    pub(crate) fn build(self, profile: &str) -> Build<'_> {
        Build { profile, kernel: self.kernel() }
    }

    /// Where cargo puts the programs of a build.
    pub(crate) fn programs(self, build: Build<'_>) -> PathBuf {
        build.folder().join(self.target()).join(build.profile)
    }
}

/// How programs are built.
#[derive(Clone, Copy)]
pub(crate) struct Build<'a> {
    /// Cargo's profile.
    pub(crate) profile: &'a str,
    /// `ACORN_KERNEL`, if not the target's own.
    pub(crate) kernel: Option<&'a str>,
}

impl Build<'_> {
    /// Where it goes: a folder for each kernel, so that none is built anew for another.
    fn folder(self) -> PathBuf {
        self.kernel.map_or_else(folder, |kernel| folder().join(kernel))
    }
}

/// Where firmwares are built.
pub(crate) fn folder() -> PathBuf {
    command::target_dir().join("qemu")
}

/// Says which model goes into a firmware.
pub(crate) fn set_model(cargo: &mut Command, model: &Path) {
    cargo.env("ACORN_MODEL", model);
}
