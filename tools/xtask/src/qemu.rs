//! Firmware on emulated boards: `cargo xtask qemu m4 home "turn off all the lights"`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::ValueEnum;

use crate::boards::{self, Board};
use crate::command::{self, Result, cargo};
use crate::map::Map;
use crate::raspberry;
use crate::toolchain::Toolchain;

/// Run the firmware on an emulated microcontroller or Raspberry Pi
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
    /// Another kernel than the board's: scalar, dsp, mve
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
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
    /// The hash of `selftest`, the model read from a disk through a window
    Stream,
    /// `generate` in an Embassy task with a watchdog (m4 only)
    Embassy,
    /// An application with a heap around the engine (m4 only)
    Heap,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Selftest => "selftest",
            Self::Bench => "bench",
            Self::Stream => "stream",
            Self::Embassy => "embassy",
            Self::Heap => "heap",
        }
    }

    /// The features of the package that it takes, beside the board.
    pub(crate) fn features(self) -> &'static [&'static str] {
        match self {
            Self::Embassy => &["--features", "embassy"],
            Self::Heap => &["--features", "heap"],
            Self::Generate | Self::Selftest | Self::Bench | Self::Stream => &[],
        }
    }

    /// The file with what it prints when it is checked, from the repository's root.
    pub(crate) fn record(self) -> String {
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

pub(crate) fn run(args: &Args) -> Result<()> {
    let board = args.board;
    let model = model(&args.model, &args.quant)?;
    let toolchain = Toolchain::find(&[board.target()])?;
    let profile = if args.small { "small" } else { "release" };
    let program = [&["--bin", args.program.name()], args.program.features()].concat();
    let mut build = board.build(profile);
    build.kernel = args.kernel.as_deref().or(build.kernel);
    let mut cargo = board.cargo(&toolchain, "build", build, &model, &program);
    if let Some(context) = args.context {
        cargo.env("ACORN_CONTEXT", context.to_string());
    }
    command::run(cargo)?;
    let program = board.programs(build).join(args.program.name());
    if args.map {
        Map::read(&program)?.print();
    }
    let disk = model.to_string_lossy();
    let words: Vec<_> = match args.program {
        Program::Stream => vec![&*disk],
        _ => args.words.iter().map(String::as_str).collect(),
    };
    if board == Board::Rpi3 {
        return raspberry::run(&program, &words);
    }
    let mut emulator = board.emulator(&program, &words);
    emulator.stdin(Stdio::inherit());
    command::run(emulator)
}

/// The model that firmwares are checked with.
pub(crate) fn home() -> Result<PathBuf> {
    model(Path::new("home"), "q4")
}

/// The .acorn file to put into flash: a folder is converted, without calibration, so that every
/// machine gets the same bytes.
pub(crate) fn model(model: &Path, quant: &str) -> Result<PathBuf> {
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
