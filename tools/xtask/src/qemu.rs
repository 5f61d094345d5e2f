//! Firmware on emulated boards: `cargo xtask qemu m4 home "turn off all the lights"`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::boards::{self, Board};
use crate::command::{self, Result, cargo};
use crate::map;
use crate::toolchain::Toolchain;

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
    /// Print what lies where in flash and RAM
    #[arg(long)]
    map: bool,
}

/// A program of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
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
}

/// The prompt that `generate` is checked with.
const PROMPT: &str = "turn off all the lights";

/// Seconds after which a program on a board has hung.
const PATIENCE: &str = "120";

pub(crate) fn run(args: &Args) -> Result<()> {
    let board = args.board;
    let model = model(&args.model, &args.quant)?;
    let toolchain = Toolchain::find(&[board.target()])?;
    let mut build = board.cargo(&toolchain, "build", &model, &["--bin", args.program.name()]);
    if let Some(context) = args.context {
        build.env("ACORN_CONTEXT", context.to_string());
    }
    command::run(build)?;
    let program = board.programs().join(args.program.name());
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
        command::run(board.cargo(&toolchain, "build", &model, &["--bins"]))?;
        for (program, words) in [(Program::Generate, &[PROMPT][..]), (Program::Selftest, &[])] {
            let emulator = board.emulator(&board.programs().join(program.name()), words);
            let found = command::output(with_patience(&emulator));
            let path = format!("targets/qemu/src/bin/{}.out", program.name());
            let expected = fs::read_to_string(command::root().join(&path))
                .map_err(|error| format!("{path}: {error}"))?;
            let place = format!("{} on {}", program.name(), board.name());
            match found {
                Ok(found) if found == expected => println!("{place}: as in {path}"),
                Ok(found) => findings
                    .push(format!("{place}: expected, by {path}:\n{expected}found:\n{found}")),
                Err(error) => findings.push(format!("{place}: {error}")),
            }
        }
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

/// Lints of the firmware, for Arm and for RISC-V.
pub(crate) fn clippy() -> Result<()> {
    let model = model(Path::new("home"), "q4")?;
    for board in [Board::M0, Board::Riscv32] {
        let toolchain = Toolchain::find(&[board.target()])?;
        command::run(board.cargo(&toolchain, "clippy", &model, &["--", "-D", "warnings"]))?;
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
    let path = "targets/qemu/src/bin/selftest.out";
    let expected = fs::read_to_string(command::root().join(path))
        .map_err(|error| format!("{path}: {error}"))?;
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
fn with_patience(emulator: &Command) -> Command {
    let mut timeout = command::program("timeout");
    timeout.arg(PATIENCE).arg(emulator.get_program()).args(emulator.get_args());
    timeout
}
