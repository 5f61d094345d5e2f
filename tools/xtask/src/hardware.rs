//! Firmware of real boards: builds it, checks that it fits, and makes the file that the board takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Result};
use crate::map::Map;
use crate::qemu::home;
use crate::toolchain::Toolchain;
use crate::{boards, images, raspberry, uf2};

/// A board that one can buy.
struct Board {
    /// Its folder in `targets/`; its package is `acorn-` and that.
    name: &'static str,
    target: &'static str,
    /// Bytes of its flash, and of the RAM that its linker script gives.
    flash: u64,
    ram: u64,
    /// Whether its boot ROM is RP2350's.
    rp2350: bool,
}

const BOARDS: [Board; 3] = [
    Board {
        name: "nrf52840",
        target: "thumbv7em-none-eabihf",
        flash: 1 << 20,
        ram: 256 << 10,
        rp2350: false,
    },
    Board {
        name: "stm32h743",
        target: "thumbv7em-none-eabihf",
        flash: 2 << 20,
        ram: 128 << 10,
        rp2350: false,
    },
    Board {
        name: "pico2",
        target: "thumbv8m.main-none-eabihf",
        flash: 4 << 20,
        ram: 512 << 10,
        rp2350: true,
    },
];

/// RAM that must be left for the stack: more than twice the deepest that was measured, and interrupts'.
const STACK: u64 = 24 << 10;

/// Builds and checks all.
pub(crate) fn check() -> Result<String> {
    let model = home()?;
    let toolchain = Toolchain::find(&BOARDS.map(|board| board.target))?;
    let mut rows = Vec::new();
    for board in &BOARDS {
        command::run(board.cargo(&toolchain, "build", &model, &[]))?;
        rows.push(board.check()?);
    }
    rows.push(raspberry::firmware(&model)?);
    println!(
        "\n{:10} {:>7} {:>7} {:>7} {:>8} {:>7}",
        "board", "code", "model", "flash", "RAM", "stack"
    );
    println!("{}", rows.join("\n"));
    Ok(format!("{} boards' firmware fits", rows.len()))
}

/// Lints of all.
pub(crate) fn clippy() -> Result<()> {
    let model = home()?;
    let toolchain = Toolchain::find(&BOARDS.map(|board| board.target))?;
    if !toolchain.has_clippy() {
        println!("the toolchain for real boards has no clippy: not linted");
        return Ok(());
    }
    for board in &BOARDS {
        command::run(board.cargo(&toolchain, "clippy", &model, &["--", "-D", "warnings"]))?;
    }
    Ok(())
}

impl Board {
    /// A call of cargo for its package.
    fn cargo(&self, tools: &Toolchain, command: &str, model: &Path, last: &[&str]) -> Command {
        let package = format!("acorn-{}", self.name);
        let arguments = ["--release", "--manifest-path", boards::MANIFEST, "-p", &package];
        let arguments = [&arguments[..], last].concat();
        let mut cargo = tools.cargo(command, self.target, "core", &boards::folder(), &arguments);
        cargo.env("DEFMT_LOG", "info");
        boards::set_model(&mut cargo, model);
        cargo
    }

    fn program(&self) -> PathBuf {
        let folder = boards::folder().join(self.target).join("release");
        folder.join(format!("acorn-{}", self.name))
    }

    /// Checks the linked firmware; returns its line of figures.
    fn check(&self) -> Result<String> {
        let program = self.program();
        images::check(&program, false)?;
        let map = Map::read(&program)?;
        let stack = self.ram.saturating_sub(map.ram);
        if map.flash() > self.flash || stack < STACK {
            map.print();
            return Err(format!(
                "{}: {} bytes of flash, of {}; {stack} bytes of RAM for the stack, at least {STACK}",
                self.name,
                map.flash(),
                self.flash
            ));
        }
        if self.rp2350 {
            let failed = |error| format!("{}: {error}", program.display());
            let elf = fs::read(&program).map_err(|error| failed(error.to_string()))?;
            let file = uf2::from_elf(&elf, uf2::RP2350_ARM_SECURE).map_err(failed)?;
            uf2::check_rp2350(&file).map_err(failed)?;
            let path = program.with_extension("uf2");
            fs::write(&path, file).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("to copy to the board's USB drive: {}", path.display());
        }
        let (name, code, model, flash) = (self.name, map.code, map.model, map.flash());
        Ok(format!("{name:10} {code:>7} {model:>7} {flash:>7} {:>8} {stack:>7}", map.ram))
    }
}
