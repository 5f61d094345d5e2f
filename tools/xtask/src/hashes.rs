//! `cargo xtask hashes`: the same logits everywhere, shown. A hash over every bit of them, after each of many
//! tokens, for two models, each kernel, several processors, numbers of threads and ways to feed tokens.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use serde::Deserialize;

use crate::boards::Board;
use crate::command::{self, Result};
use crate::kernels;
use crate::linux::{MACHINES, Place, Tool};
use crate::toolchain::Toolchain;
use crate::{qemu, raspberry};

/// Positions of the KV cache: what firmwares have. When they are full, it starts anew.
const CONTEXT: &str = "128";

/// Threads that are tried.
const THREADS: [&str; 4] = ["1", "2", "3", "4"];

/// Tokens per pass, and what that is called: as many as threads share the rows of.
const PASSES: [(&str, &str); 2] = [("128", "prefill"), ("1", "decode")];

/// Seconds after which a board has hung.
const PATIENCE: &str = "1800";

/// A model beside the checkout, and the repository's own that stands in for it.
const SECOND: [&str; 2] = ["../shared/data/models/stories260K", "tests/fixtures/models/tiny-llama"];

/// Hash the logits of two models on every kind of processor; fails where one differs
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Tokens fed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    steps: u32,
}

/// All kinds that can be built for here.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut hashes = Hashes::new(args.steps)?;
    hashes.tool(&Place::host()?, &THREADS)?;
    for machine in &MACHINES {
        if machine.toolchain().is_ok() {
            hashes.emulated(&machine.build()?)?;
        } else {
            println!("{}: left out, no toolchain builds for it", machine.name);
        }
    }
    hashes.wasm()?;
    for &board in Board::MICROCONTROLLERS {
        hashes.board(board)?;
    }
    hashes.raspberry()?;
    println!("{}", hashes.compare()?);
    Ok(())
}

/// A line for each run.
pub(crate) struct Hashes {
    steps: String,
    models: [PathBuf; 2],
    rows: Vec<Row>,
}

/// A run.
struct Row {
    place: String,
    kernel: String,
    how: String,
    hashes: Vec<String>,
}

/// What `acorn logits --json` prints.
#[derive(Deserialize)]
struct Summary {
    hash: String,
    kernel: String,
}

impl Hashes {
    /// None yet; converts the models.
    pub(crate) fn new(steps: u32) -> Result<Self> {
        let second = SECOND.into_iter().find(|folder| command::root().join(folder).is_dir());
        let second = second.ok_or("the repository's fixtures are not there")?;
        let models = [qemu::home()?, qemu::model(Path::new(second), "q8")?];
        Ok(Self { steps: steps.to_string(), models, rows: Vec::new() })
    }

    /// The tool in a place: each kernel with these threads, in prefill and decode.
    pub(crate) fn tool(&mut self, place: &Place, threads: &[&str]) -> Result<()> {
        for kernel in &place.kernels {
            for threads in threads {
                for (batch, pass) in PASSES {
                    let hashes =
                        self.each(|model| self.logits(place, kernel, threads, batch, model))?;
                    let threads =
                        if *threads == "1" { "1 thread" } else { &format!("{threads} threads") };
                    self.add(&place.name, kernel, &format!("{pass}, {threads}"), hashes);
                }
            }
        }
        Ok(())
    }

    /// A built tool on each processor of its machine: alone and, with the best kernel, on four threads.
    pub(crate) fn emulated(&mut self, tool: &Tool) -> Result<()> {
        for core in tool.machine.cores {
            let mut place = tool.on(core);
            self.tool(&place, &THREADS[..1])?;
            place.kernels.truncate(1);
            self.tool(&place, &THREADS[3..])?;
        }
        Ok(())
    }

    fn logits(
        &self,
        place: &Place,
        kernel: &str,
        threads: &str,
        batch: &str,
        model: &Path,
    ) -> Result<String> {
        let arguments = ["logits", "--random", &self.steps, "--context", CONTEXT];
        let options = ["--threads", threads, "--batch", batch, "--json"];
        let mut logits = place.acorn(&[&arguments[..], &options].concat(), &[model]);
        logits.env("ACORN_KERNEL", kernel);
        let printed = command::output(logits)?;
        let summary: Summary =
            serde_json::from_str(&printed).map_err(|error| format!("{error}: {printed}"))?;
        if summary.kernel != kernel {
            return Err(format!("{}: ran {}, not {kernel}", place.name, summary.kernel));
        }
        Ok(summary.hash)
    }

    /// WebAssembly's kernels, under Node.
    fn wasm(&mut self) -> Result<()> {
        let Some(program) = kernels::wasm_program("fingerprint")? else {
            println!("wasm32: left out, no toolchain builds for it");
            return Ok(());
        };
        let mut columns = Vec::new();
        for model in &self.models {
            let file =
                File::open(model).map_err(|error| format!("{}: {error}", model.display()))?;
            let mut node = command::program("node");
            node.args(["--no-warnings", "tools/cross/wasi.mjs"]).arg(&program);
            node.args([&self.steps, CONTEXT]).stdin(file);
            columns.push(command::output(node)?);
        }
        for (first, second) in columns[0].lines().zip(columns[1].lines()) {
            let (kernel, hash) = first.split_once(' ').unwrap_or_default();
            let second = second.split_once(' ').unwrap_or_default().1;
            self.add(
                "wasm32",
                kernel,
                "decode, 1 thread",
                vec![hash.to_owned(), second.to_owned()],
            );
        }
        Ok(())
    }

    /// A microcontroller's firmware, emulated.
    fn board(&mut self, board: Board) -> Result<()> {
        let toolchain = Toolchain::find(&[board.target()])?;
        let build = board.build("release");
        let mut kernel = String::new();
        let mut hashes = Vec::new();
        for model in &self.models {
            command::run(board.cargo(&toolchain, "build", build, model, &["--bin", "selftest"]))?;
            let emulator = board.emulator(&board.programs(build).join("selftest"), &[&self.steps]);
            let mut selftest = command::program("timeout");
            selftest.arg(PATIENCE).arg(emulator.get_program()).args(emulator.get_args());
            let printed = command::output(selftest)?;
            let after = |start: &str| {
                let line = printed.lines().find_map(|line| line.strip_prefix(start));
                line.map(str::to_owned).ok_or_else(|| format!("no line \"{start}…\" in: {printed}"))
            };
            kernel = after("kernel ")?;
            hashes.push(after("logits ")?);
        }
        self.add(board.name(), &kernel, "decode, firmware", hashes);
        Ok(())
    }

    /// The Raspberry Pi without an operating system, emulated.
    fn raspberry(&mut self) -> Result<()> {
        let toolchain = Toolchain::find(&[Board::Rpi3.target()])?;
        let [first, second] =
            self.models.each_ref().map(|model| raspberry::hashes(&toolchain, model, &self.steps));
        let ([kernel, one, four], [_, other_one, other_four]) = (first?, second?);
        for (hashes, cores) in [([one, other_one], "1 core"), ([four, other_four], "4 cores")] {
            self.add("rpi3", &kernel, &format!("decode, firmware, {cores}"), hashes.into());
        }
        Ok(())
    }

    fn each(&self, hash: impl Fn(&Path) -> Result<String>) -> Result<Vec<String>> {
        self.models.iter().map(|model| hash(model)).collect()
    }

    fn add(&mut self, place: &str, kernel: &str, how: &str, hashes: Vec<String>) {
        println!("{place} {kernel} {how}: {}", hashes.join(" "));
        let (place, kernel, how) = (place.to_owned(), kernel.to_owned(), how.to_owned());
        self.rows.push(Row { place, kernel, how, hashes });
    }

    /// Prints all lines; fails unless their hashes are equal.
    pub(crate) fn compare(&self) -> Result<String> {
        let name =
            |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names = self.models.each_ref().map(name);
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header([
            "processor",
            "kernel",
            "fed in",
            &names[0],
            &names[1],
        ]);
        for Row { place, kernel, how, hashes } in &self.rows {
            table.add_row([place, kernel, how].into_iter().chain(hashes));
        }
        println!("\n{table}");
        let different: BTreeSet<_> = self.rows.iter().map(|row| &row.hashes).collect();
        match different.len() {
            1 => Ok(format!(
                "the logits of {} steps have the same bits in {} runs",
                self.steps,
                self.rows.len()
            )),
            count => Err(format!("expected one pair of hashes, found {count}")),
        }
    }
}
