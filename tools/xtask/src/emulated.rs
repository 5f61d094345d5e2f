//! The firmware on all emulated boards: what it prints, its logits, its stack, its instructions, its size,
//! and what must not be linked into it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::boards::{self, Board, Build};
use crate::command::{self, Result, cargo};
use crate::map::Map;
use crate::qemu::{PROMPT, Program, home};
use crate::toolchain::Toolchain;
use crate::{damage, images, raspberry};

/// Seconds after which a program on a board has hung.
const PATIENCE: &str = "120";

/// What is recorded: per line a board, a kernel, and what [`Measured`] says.
const RECORD: &str = "tools/xtask/boards.txt";

/// How much more than recorded a figure may be.
const MARGIN: f64 = 0.03;

/// Tokens that are measured.
const TOKENS: &str = "16";

/// Builds every firmware, runs its programs on each board, and compares what they print with the files
/// beside them, the hash of the logits with this machine's own, and figures with those recorded.
pub(crate) fn check() -> Result<String> {
    let model = home()?;
    let boards = Board::MICROCONTROLLERS.iter().chain([&Board::Rpi3]);
    let targets: Vec<_> = boards.map(|board| board.target()).collect();
    let toolchain = Toolchain::find(&targets)?;
    shared(&["test", "--release"], &["--lib"], &model, &[])?;
    let kernels = host(&model)?;
    let mut findings = Vec::new();
    let mut rows = Vec::new();
    let own = Board::MICROCONTROLLERS.iter().map(|board| (*board, board.build("release")));
    let other = (Board::M4, Build { profile: "release", kernel: Some("scalar") });
    for (board, build) in own.chain([other]) {
        // One board's failure should not hide what is to say of the others.
        match programs(board, build, &toolchain, &model) {
            Ok(row) => rows.push(row),
            Err(error) => findings.push(error),
        }
    }
    println!("\n{:7} {:10} {}", "board", "kernel", Measured::HEADING);
    rows.iter().for_each(|row| println!("{row}"));
    println!();
    if findings.is_empty() {
        findings.extend(against_record(&rows).err());
    }
    findings.extend(applications(Board::M4, &toolchain, &model).err());
    findings.extend(damage::check(Board::M4, &toolchain, &model).err());
    findings.extend(raspberry::check(&toolchain, &model).err());
    if findings.is_empty() {
        let boards = Board::MICROCONTROLLERS.len() + 1;
        Ok(format!(
            "{boards} boards print what they must, and have the bits of {kernels} runs here"
        ))
    } else {
        Err(findings.join("\n"))
    }
}

/// Figures of a firmware.
struct Measured {
    /// Instructions per token.
    token: u64,
    /// Bytes of stack of one poll, and of `generate`.
    poll: u64,
    generate: u64,
    /// `generate`'s bytes of flash without the model, and of RAM.
    code: u64,
    ram: u64,
}

impl Measured {
    const HEADING: &str = "instructions per token, bytes of stack of a poll and in all, code, RAM";

    fn line(&self, board: Board, kernel: &str) -> String {
        let Self { token, poll, generate, code, ram } = self;
        format!("{:7} {kernel:10} {token} {poll} {generate} {code} {ram}", board.name())
    }
}

/// Checks the programs of one board; returns its line of figures.
fn programs(board: Board, build: Build<'_>, toolchain: &Toolchain, model: &Path) -> Result<String> {
    command::run(board.cargo(toolchain, "build", build, model, &["--bins"]))?;
    let folder = board.programs(build);
    let generate = as_recorded(board, &folder, Program::Generate, PROMPT)?;
    let selftest = as_recorded(board, &folder, Program::Selftest, "")?;
    let bench = end(board, &folder, Program::Bench, TOKENS)?;
    for program in [Program::Generate, Program::Selftest, Program::Bench] {
        images::check(&folder.join(program.name()), false)?;
    }
    let kernel = board.runs(build);
    if !selftest.err.lines().any(|line| line.strip_prefix("kernel ") == Some(kernel)) {
        return Err(format!("{}: expected kernel {kernel}, found\n{}", board.name(), selftest.err));
    }
    let map = Map::read(&folder.join(Program::Generate.name()))?;
    let measured = Measured {
        token: bench.number("all ", " instructions per token")?,
        poll: bench.number("a poll ", " bytes of stack")?,
        generate: generate.number("stack ", " bytes")?,
        code: map.code,
        ram: map.ram,
    };
    if let Some(most) = board.stack_of_a_poll(build)
        && measured.poll > most
    {
        let found = measured.poll;
        return Err(format!("{}: a poll takes {found} bytes of stack, of {most}", board.name()));
    }
    Ok(measured.line(board, kernel))
}

/// The programs that show Acorn beside other things: they answer; a watchdog that is not fed bites; the
/// heap is the application's alone; a model on a disk gives the bits of one in flash.
fn applications(board: Board, toolchain: &Toolchain, model: &Path) -> Result<()> {
    let build = board.build("release");
    let both = [Program::Embassy.features(), Program::Heap.features()].concat();
    let arguments = [&both[..], &["--bin", "embassy", "--bin", "heap"]].concat();
    command::run(board.cargo(toolchain, "build", build, model, &arguments))?;
    let folder = board.programs(build);
    let embassy = as_recorded(board, &folder, Program::Embassy, PROMPT)?;
    if embassy.number("the other task ran ", " times")? < 10 {
        return Err(format!("embassy: the other task did not run:\n{}", embassy.err));
    }
    print!("{}", embassy.err);
    let hung = said(board, &folder, Program::Embassy, "hang")?;
    if hung.status != Some(3) || !hung.err.contains("the watchdog was not fed") {
        return Err(format!("embassy, not feeding its watchdog: ended with {hung:?}"));
    }
    as_recorded(board, &folder, Program::Heap, "")?;
    let disk = model.to_string_lossy();
    let streamed = as_recorded(board, &folder, Program::Stream, &disk)?;
    print!("{}", streamed.err);
    images::check(&folder.join(Program::Embassy.name()), false)?;
    images::check(&folder.join(Program::Heap.name()), true)
}

/// What a program said, and its exit status.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    status: Option<i32>,
}

impl Said {
    /// The number between two texts, on a line that consists of them.
    fn number(&self, before: &str, after: &str) -> Result<u64> {
        let lines = self.out.lines().chain(self.err.lines());
        let mut numbers = lines
            .filter_map(|line| line.strip_prefix(before)?.strip_suffix(after)?.trim().parse().ok());
        numbers.next().ok_or_else(|| format!("no line \"{before}NUMBER{after}\" in {self:?}"))
    }
}

/// Runs a program to its end.
fn said(board: Board, folder: &Path, program: Program, word: &str) -> Result<Said> {
    let words: &[&str] = if word.is_empty() { &[] } else { &[word] };
    let mut emulator = with_patience(&board.emulator(&folder.join(program.name()), words));
    let place = format!("{} on {}", program.name(), board.name());
    let output = emulator.output().map_err(|error| format!("{place}: {error}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Ok(Said { out, err, status: output.status.code() })
}

/// Runs a program that must end well.
fn end(board: Board, folder: &Path, program: Program, word: &str) -> Result<Said> {
    let said = said(board, folder, program, word)?;
    if said.status == Some(0) {
        Ok(said)
    } else {
        Err(format!("{} on {}: {said:?}", program.name(), board.name()))
    }
}

/// Runs a program that must print what the file beside it says.
fn as_recorded(board: Board, folder: &Path, program: Program, word: &str) -> Result<Said> {
    let said = end(board, folder, program, word)?;
    let (path, expected) = (program.record(), program.expected()?);
    let place = format!("{} on {}", program.name(), board.name());
    if said.out != expected {
        let found = said.out;
        return Err(format!("{place}: expected, by {path}:\n{expected}found:\n{found}"));
    }
    println!("{place}: as in {path}");
    Ok(said)
}

/// Compares lines of figures with those recorded.
fn against_record(rows: &[String]) -> Result<()> {
    let record = fs::read_to_string(command::root().join(RECORD))
        .map_err(|error| format!("{RECORD}: {error}"))?;
    let record: Vec<_> = record.lines().filter(|line| !line.starts_with('#')).collect();
    let within = |found: &str, recorded: &str| match (found.parse::<f64>(), recorded.parse::<f64>())
    {
        (Ok(found), Ok(recorded)) => found <= recorded * (1.0 + MARGIN),
        _ => found == recorded,
    };
    let same = |(found, recorded): (&String, &&str)| {
        let (found, recorded) = (found.split_whitespace(), recorded.split_whitespace());
        found.clone().count() == recorded.clone().count()
            && found.zip(recorded).all(|(found, recorded)| within(found, recorded))
    };
    if rows.len() == record.len() && rows.iter().zip(&record).all(same) {
        return Ok(());
    }
    Err(format!(
        "{}: more than recorded, by over {:.0} %, in {RECORD}:\n{}\nIf that is as it should be, record:\n{}",
        Measured::HEADING,
        100.0 * MARGIN,
        record.join("\n"),
        rows.join("\n")
    ))
}

/// The self-test on this machine, with all its kernels, alone and shared by two threads: how many runs
/// there are, all of the hash that the boards are compared with.
fn host(model: &Path) -> Result<usize> {
    let folder = boards::folder();
    let mut host = cargo(&["run", "--release", "--manifest-path", boards::MANIFEST]);
    host.args(["-p", "acorn-firmware", "--example", "host", "--target-dir"]).arg(&folder);
    boards::set_model(&mut host, model);
    let kernels = command::output(host)?;
    print!("{kernels}");
    let (path, expected) = (Program::Selftest.record(), Program::Selftest.expected()?);
    let hash = expected.lines().find_map(|line| line.strip_prefix("logits "));
    let hash = hash.ok_or_else(|| format!("{path}: no line \"logits …\""))?;
    for line in kernels.lines() {
        if line.split_once(' ').is_none_or(|(_, found)| found != hash) {
            return Err(format!(
                "{path} has the hash {hash}, but this machine: {line}. If the results were meant to change, record it there"
            ));
        }
    }
    match kernels.lines().count() {
        0 => Err("the self-test of this machine printed nothing".into()),
        count => Ok(count),
    }
}

/// The same command, killed when it takes too long.
pub(crate) fn with_patience(emulator: &Command) -> Command {
    let mut timeout = command::program("timeout");
    timeout.arg(PATIENCE).arg(emulator.get_program()).args(emulator.get_args());
    timeout
}

/// Lints of the firmware, for Arm, RISC-V and the Raspberry Pi, and of what it shares with this machine.
pub(crate) fn clippy() -> Result<()> {
    let model = home()?;
    let lints = ["--", "-D", "warnings"];
    shared(&["clippy", "--release"], &["--all-targets"], &model, &lints)?;
    let applications = [Program::Embassy.features(), Program::Heap.features(), &lints].concat();
    for (board, arguments) in [
        (Board::M0, &lints[..]),
        (Board::M4, &applications),
        (Board::Riscv32, &lints),
        (Board::Rpi3, &lints),
    ] {
        let toolchain = Toolchain::find(&[board.target()])?;
        if toolchain.has_clippy() {
            let build = board.build("release");
            command::run(board.cargo(&toolchain, "clippy", build, &model, arguments))?;
        } else {
            println!("the toolchain for {} has no clippy: not linted", board.target());
        }
    }
    Ok(())
}

/// Calls cargo for what firmwares share, on this machine.
fn shared(command: &[&str], options: &[&str], model: &Path, last: &[&str]) -> Result<()> {
    let mut cargo = cargo(command);
    cargo.args(["--manifest-path", boards::MANIFEST, "-p", "acorn-firmware", "--target-dir"]);
    cargo.arg(boards::folder()).args(options).args(last);
    boards::set_model(&mut cargo, model);
    command::run(cargo)
}
