//! Firmware on emulated boards: `cargo xtask qemu m4 home "turn off all the lights"`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::boards::{self, Board};
use crate::command::{self, Result, cargo};
use crate::toolchain::Toolchain;
use crate::{damage, map};

/// Run the firmware on an emulated microcontroller
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask qemu m4 home \"turn off all the lights\"\n  cargo xtask qemu m4 home                      # prompts from the keyboard\n  cargo xtask qemu m55 stories.acorn --program bench --context 256 64"
)]
pub(crate) struct Args {
    /// The board
    board: Board,
    /// A folder in models/, a Hugging Face folder, or an .acorn file
    #[arg(default_value = "home")]
    model: PathBuf,
    /// The prompt of `generate`, the number of tokens of `bench`
    words: Vec<String>,
    /// What to run
    #[arg(long, value_enum, default_value_t = Program::Generate)]
    program: Program,
    /// How the weights of a folder are stored
    #[arg(long, value_name = "ENCODING", default_value = "q4")]
    quant: String,
    /// Positions in the KV cache [default: 128, or all that the model takes]
    #[arg(long, value_name = "N")]
    context: Option<u32>,
    /// The smallest code instead of the fastest
    #[arg(long)]
    small: bool,
    /// Print what lies where in flash and RAM
    #[arg(long)]
    map: bool,
}

/// A program of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// Answers a prompt
    Generate,
    /// Prints a hash of the logits
    Selftest,
    /// Counts instructions per token
    Bench,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Selftest => "selftest",
            Self::Bench => "bench",
        }
    }

    /// The file with what it prints when it is checked, from the repository's root.
    fn record(self) -> String {
        format!("targets/qemu/src/bin/{}.out", self.name())
    }

    /// What it prints when it is checked.
    pub(crate) fn expected(self) -> Result<String> {
        let path = self.record();
        fs::read_to_string(command::root().join(&path)).map_err(|error| format!("{path}: {error}"))
    }
}

/// The prompt that `generate` is checked with.
pub(crate) const PROMPT: &str = "turn off all the lights";

/// Seconds after which a program on a board has hung.
const PATIENCE: &str = "120";

pub(crate) fn run(args: &Args) -> Result<()> {
    let board = args.board;
    let model = model(&args.model, &args.quant)?;
    let toolchain = Toolchain::find(&[board.target()])?;
    let profile = if args.small { "small" } else { "release" };
    let program = ["--bin", args.program.name()];
    let mut build = board.cargo(&toolchain, "build", profile, &model, &program);
    if let Some(context) = args.context {
        build.env("ACORN_CONTEXT", context.to_string());
    }
    command::run(build)?;
    let program = board.programs(profile).join(args.program.name());
    if args.map {
        map::print(&program)?;
    }
    let words: Vec<_> = args.words.iter().map(String::as_str).collect();
    let mut emulator = board.emulator(&program, &words);
    emulator.stdin(Stdio::inherit());
    command::run(emulator)
}

/// Builds every firmware, runs `generate` and `selftest` on each, and compares what they print with
/// the files beside the programs, and the hash of the logits with this machine's own.
pub(crate) fn check() -> Result<String> {
    let model = model(Path::new("home"), "q4")?;
    let targets: Vec<_> = Board::ALL.iter().map(|board| board.target()).collect();
    let toolchain = Toolchain::find(&targets)?;
    let kernels = host(&model)?;
    let mut findings = Vec::new();
    for &board in Board::ALL {
        command::run(board.cargo(&toolchain, "build", "release", &model, &["--bins"]))?;
        for (program, words) in [(Program::Generate, &[PROMPT][..]), (Program::Selftest, &[])] {
            let emulator = board.emulator(&board.programs("release").join(program.name()), words);
            let found = command::output(with_patience(&emulator));
            let (path, expected) = (program.record(), program.expected()?);
            let place = format!("{} on {}", program.name(), board.name());
            match found {
                Ok(found) if found == expected => println!("{place}: as in {path}"),
                Ok(found) => findings
                    .push(format!("{place}: expected, by {path}:\n{expected}found:\n{found}")),
                Err(error) => findings.push(format!("{place}: {error}")),
            }
        }
    }
    if let Err(error) = damage::check(Board::M4, &toolchain, &model) {
        findings.push(error);
    }
    if findings.is_empty() {
        let boards = Board::ALL.len();
        Ok(format!(
            "{boards} boards print what they must, and have the bits of {kernels} kernels here"
        ))
    } else {
        Err(findings.join("\n"))
    }
}

/// Lints of the firmware, for Arm and for RISC-V, and of what it shares with this machine.
pub(crate) fn clippy() -> Result<()> {
    let model = model(Path::new("home"), "q4")?;
    let lints = ["--", "-D", "warnings"];
    let mut host = cargo(&["clippy", "--release", "--manifest-path", boards::MANIFEST]);
    host.args(["-p", "acorn-firmware", "--all-targets", "--target-dir"]).arg(boards::folder());
    boards::set_model(&mut host, &model);
    host.args(lints);
    command::run(host)?;
    for board in [Board::M0, Board::Riscv32] {
        let toolchain = Toolchain::find(&[board.target()])?;
        if toolchain.has_clippy() {
            command::run(board.cargo(&toolchain, "clippy", "release", &model, &lints))?;
        } else {
            println!("the toolchain for {} has no clippy: not linted", board.target());
        }
    }
    Ok(())
}

/// The self-test on this machine, with all its kernels: how many there are, all of the hash that the
/// boards are compared with.
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

/// The .acorn file to put into flash: a folder is converted, without calibration, so that every
/// machine gets the same bytes.
fn model(model: &Path, quant: &str) -> Result<PathBuf> {
    if model.extension().is_some_and(|extension| extension == "acorn") {
        return model.canonicalize().map_err(|error| format!("{}: {error}", model.display()));
    }
    let bundled = command::root().join("models").join(model);
    let source = if bundled.is_dir() { &bundled } else { model };
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let file = boards::folder().join(format!("{name}.{quant}.acorn"));
    fs::create_dir_all(boards::folder())
        .map_err(|error| format!("{}: {error}", boards::folder().display()))?;
    let mut convert = cargo(&["run", "--quiet", "--release", "-p", "acorn-cli", "--", "convert"]);
    convert.arg(source).args(["--quant", quant, "--calibrate", "none", "-o"]).arg(&file);
    command::output(convert)?;
    Ok(file)
}

/// The same command, killed when it takes too long.
pub(crate) fn with_patience(emulator: &Command) -> Command {
    let mut timeout = command::program("timeout");
    timeout.arg(PATIENCE).arg(emulator.get_program()).args(emulator.get_args());
    timeout
}
