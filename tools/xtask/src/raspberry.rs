//! Raspberry Pi 3 without an operating system: the image that its firmware loads, and the programs in it on QEMU's,
//! where one types over the serial port.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use object::read::elf::ProgramHeader;
use object::{Object, ObjectSegment};

use crate::boards::Board;
use crate::command::{self, Result};
use crate::emulated::with_patience;
use crate::images;
use crate::map::Map;
use crate::qemu::{PROMPT, Program};
use crate::toolchain::Toolchain;

/// Cargo's settings for it, from the repository's root.
pub(crate) const CONFIG: &str = "targets/rpi-bare/.cargo/config.toml";

/// Where the firmware copies the image to, and jumps.
const START: u64 = 0x8_0000;

/// Ctrl-D: the programs switch off.
const END: &[u8] = b"\n\x04";

/// What the program `faults` is told, and what the line that it ends with must have.
const FAULTS: [(&str, &str); 9] = [
    ("undefined", "core 0: undefined instruction"),
    ("unmapped", "core 0: access to memory that is not mapped (address 0x30000000,"),
    ("far", "core 0: access to memory that is not mapped (address 0x80000000,"),
    ("constant", "core 0: write to read-only memory"),
    ("data", "core 0: jump to data"),
    ("deep", "core 0: the stack is too deep"),
    ("panic", "core 0: panic at rpi-bare/src/bin/faults.rs:"),
    ("core", "core 3: undefined instruction (address 0x0, code "),
    ("all", ": undefined instruction (address 0x0, code "),
];

/// Runs a linked program with those words as the prompt, or else with what is typed; what it prints is shown.
pub(crate) fn run(program: &Path, words: &[&str]) -> Result<()> {
    let emulator = Board::Rpi3.emulator(&image(program)?, &[]);
    let said = if words.is_empty() {
        talk(emulator, io::stdin(), true)?
    } else {
        talk(emulator, io::Cursor::new(words.join(" ")), true)?
    };
    match error(&said) {
        Some(_) => Err("the firmware ended with an error".into()),
        None => Ok(()),
    }
}

/// Builds the programs and runs them. `selftest` runs twice: from the image, as on the board, which starts one core at
/// level 2, and as a linked program, which QEMU starts on all cores at level 3.
pub(crate) fn check(toolchain: &Toolchain, model: &Path) -> Result<()> {
    let board = Board::Rpi3;
    let build = board.build("release");
    command::run(board.cargo(toolchain, "build", build, model, &["--bins"]))?;
    let folder = board.programs(build);
    let program = |program: Program| folder.join(program.name());
    let kernel = board.runs(build);

    let generate = program(Program::Generate);
    images::check(&generate, false)?;
    let said = typed(&image(&generate)?, PROMPT)?;
    let (first, rest) = said.split_once('\n').unwrap_or_default();
    let answer = Program::Generate.expected()?;
    if !first.starts_with(&format!("kernel {kernel}, 4 cores, "))
        || rest != format!("> {answer}> \n")
    {
        return Err(format!("generate on rpi3: expected the answer {answer}found:\n{said}"));
    }

    let selftest = program(Program::Selftest);
    images::check(&selftest, false)?;
    let expected = Program::Selftest.expected()?;
    for (what, start) in [("image", image(&selftest)?), ("program", selftest)] {
        let said = typed(&start, "")?;
        print!("selftest on rpi3, from the {what}:\n{said}");
        let kernels = [1, 4].map(|cores| format!("kernel {kernel}, {cores} of 4 cores"));
        let (runs, results): (Vec<_>, Vec<_>) = said
            .lines()
            .filter(|line| !line.starts_with("stack "))
            .partition(|line| line.starts_with("kernel "));
        let named = runs.iter().zip(&kernels).all(|(run, kernel)| run.starts_with(kernel));
        if runs.len() != 2 || !named || results.join("\n") + "\n" != expected.repeat(2) {
            return Err(format!(
                "selftest on rpi3: expected {kernels:?}, each with\n{expected}found:\n{said}"
            ));
        }
    }

    let faults = image(&folder.join("faults"))?;
    for (fault, expected) in FAULTS {
        let said = typed(&faults, fault)?;
        // One line, and all of it.
        let named = error(&said).is_some_and(|error| error.contains(expected));
        if !named || !said.ends_with('\n') || said.lines().count() != 1 {
            return Err(format!(
                "faults on rpi3, {fault}: expected \"{expected}…\", found:\n{said}"
            ));
        }
    }
    println!("faults on rpi3: {} are named, and the board is off then", FAULTS.len());
    Ok(())
}

/// The kernel of `selftest`, and its hashes of so many random steps, with one core and with four.
pub(crate) fn hashes(toolchain: &Toolchain, model: &Path, steps: &str) -> Result<[String; 3]> {
    let board = Board::Rpi3;
    let build = board.build("release");
    command::run(board.cargo(toolchain, "build", build, model, &["--bin", "selftest"]))?;
    let start = image(&board.programs(build).join("selftest"))?;
    let said = talk(board.emulator(&start, &[]), io::Cursor::new(steps.to_owned()), false)?;
    let kernel = board.runs(build);
    let hash = |cores| {
        let before = format!("random {steps} steps, {cores} cores: {kernel} ");
        let hash = said.lines().find_map(|line| line.strip_prefix(&before));
        hash.map(str::to_owned).ok_or_else(|| format!("no line \"{before}…\" in: {said}"))
    };
    Ok([kernel.to_owned(), hash(1)?, hash(4)?])
}

/// Builds and checks the firmware, and makes the file that goes onto the SD card; returns its line of figures.
pub(crate) fn firmware(model: &Path) -> Result<String> {
    let board = Board::Rpi3;
    let build = board.build("release");
    let toolchain = Toolchain::find(&[board.target()])?;
    command::run(board.cargo(&toolchain, "build", build, model, &["--bin", "generate"]))?;
    let program = board.programs(build).join(Program::Generate.name());
    images::check(&program, false)?;
    let card = program.with_file_name("kernel8.img");
    let from = image(&program)?;
    let bytes = fs::copy(from, &card).map_err(|error| format!("{}: {error}", card.display()))?;
    println!("to copy to the board's SD card: {}", card.display());
    let Map { code, model, ram, .. } = Map::read(&program)?;
    Ok(format!("{:10} {code:>7} {model:>7} {bytes:>7} {ram:>8} {:>7}", "rpi-bare", 2 << 20))
}

/// Writes the image of a linked program beside it; returns where it is.
fn image(program: &Path) -> Result<PathBuf> {
    let failed = |error: String| format!("{}: {error}", program.display());
    let elf = fs::read(program).map_err(|error| failed(error.to_string()))?;
    let path = program.with_extension("img");
    fs::write(&path, from_elf(&elf).map_err(failed)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// What a linked program is loaded with, as one piece from [`START`] on.
fn from_elf(elf: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: object::Error| format!("cannot read the program: {error}");
    let file = object::File::parse(elf).map_err(failed)?;
    let object::File::Elf64(elf) = &file else { return Err("not a 64-bit program".into()) };
    if file.entry() != START {
        return Err(format!("starts at {:#x}, not {START:#x}", file.entry()));
    }
    let mut image = Vec::new();
    for segment in elf.segments() {
        // Where it is loaded to, not where the program finds it at run time.
        let start = segment.elf_program_header().p_paddr(elf.endian());
        let data = segment.data().map_err(failed)?;
        if data.is_empty() {
            continue;
        }
        let offset = start.checked_sub(START).and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.ok_or_else(|| format!("loads to {start:#x}, before {START:#x}"))?;
        image.resize(image.len().max(offset + data.len()), 0);
        image[offset..offset + data.len()].copy_from_slice(data);
    }
    Ok(image)
}

/// What a program says when that is typed, and Ctrl-D.
fn typed(start: &Path, text: &str) -> Result<String> {
    talk(with_patience(&Board::Rpi3.emulator(start, &[])), io::Cursor::new(text.to_owned()), false)
}

/// Runs an emulator until the board is off: types what `input` gives, then Ctrl-D, once the program has said something
/// (what comes in before its port is set up is lost); returns, and may show, what it sends, without carriage returns.
fn talk(
    mut emulator: Command,
    mut input: impl Read + Send + 'static,
    show: bool,
) -> Result<String> {
    let failed = |error: io::Error| format!("Raspberry Pi in QEMU: {error}");
    let mut child =
        emulator.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let (ready, begin) = mpsc::channel();
    if let Some(mut port) = child.stdin.take() {
        // It may wait for someone to type when the board is off already: nobody waits for it.
        thread::spawn(move || {
            if begin.recv().is_err() {
                return; // the board is off, and has said nothing
            }
            // An error is the board's being off: that is seen below.
            _ = io::copy(&mut input, &mut port).and_then(|_| port.write_all(END));
        });
    }
    let mut said = Vec::new();
    let mut chunk = [0; 256];
    if let Some(mut port) = child.stdout.take() {
        loop {
            let count = port.read(&mut chunk).map_err(failed)?;
            if count == 0 {
                break;
            }
            _ = ready.send(()); // who does not type any more does not listen
            let start = said.len();
            said.extend(chunk[..count].iter().filter(|&&byte| byte != b'\r'));
            if show {
                let mut shown = io::stdout().lock();
                shown.write_all(&said[start..]).and_then(|()| shown.flush()).map_err(failed)?;
            }
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(said),
        status => Err(format!("Raspberry Pi in QEMU: {status}, after it said:\n{said}")),
    }
}

/// The error that a program ended with, if any.
fn error(said: &str) -> Option<&str> {
    let mut lines = said.lines().map(|line| line.trim_start_matches("> "));
    lines.find_map(|line| line.strip_prefix("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file that starts there, with a segment of these bytes at each address.
    fn elf(entry: u64, segments: &[(u64, &[u8])]) -> Vec<u8> {
        let mut file = b"\x7FELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([2u16, 183].map(u16::to_le_bytes).concat()); // executable, AArch64
        file.extend(1u32.to_le_bytes());
        file.extend([entry, 64, 0].map(u64::to_le_bytes).concat());
        file.extend(0u32.to_le_bytes());
        file.extend([64u16, 56, segments.len() as u16, 64, 0, 0].map(u16::to_le_bytes).concat());
        let mut offset = 64 + 56 * segments.len() as u64;
        for (address, bytes) in segments {
            let size = bytes.len() as u64;
            file.extend([1u32, 5].map(u32::to_le_bytes).concat());
            // It runs at another address than it is loaded to.
            let header = [offset, 0x20_0000, *address, size, size, 4];
            file.extend(header.map(u64::to_le_bytes).concat());
            offset += size;
        }
        segments.iter().for_each(|(_, bytes)| file.extend(*bytes));
        file
    }

    #[test]
    fn segments_lie_in_the_image_where_they_are_loaded_to() {
        let file = elf(START, &[(START, &[1, 2]), (START + 5, &[3]), (0, &[])]);
        assert_eq!(from_elf(&file), Ok(vec![1, 2, 0, 0, 0, 3]));
        assert!(from_elf(&elf(START + 4, &[(START, &[1, 2])])).is_err(), "starts elsewhere");
        assert!(from_elf(&elf(START, &[(START - 1, &[1, 2])])).is_err(), "lies before the image");
    }

    #[test]
    fn an_error_is_found_behind_a_prompt() {
        assert_eq!(error("kernel\n> error: core 0: what\n"), Some("core 0: what"));
        assert_eq!(error("> {\"error\": 1}\n> "), None);
    }
}
