//! A guard against slow-downs that does not depend on how busy the machine is: the instructions that the
//! engine executes, counted by callgrind, compared with those recorded in `instructions.txt`.

use std::fs;
use std::path::Path;

use crate::command::{self, Result, cargo};

/// What is recorded: per line an encoding, a kernel, and the instructions in millions.
const RECORD: &str = "tools/xtask/instructions.txt";

/// How far a count may be from the recorded one: compilers and C libraries differ a little.
const MARGIN: f64 = 0.05;

/// Tokens of the prompt and tokens decoded.
const PROMPT: &str = "32";
const DECODE: &str = "16";

/// Counts, and compares.
pub(crate) fn check() -> Result<String> {
    let record = command::root().join(RECORD);
    let record = fs::read_to_string(&record).map_err(|error| format!("{RECORD}: {error}"))?;
    command::run(cargo(&["build", "--release", "-p", "acorn-cli"]))?;
    let folder = command::target_dir().join("instructions");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for line in record.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [quant, kernel, expected] = words[..] else {
            return Err(format!("{RECORD}: \"{line}\" is no encoding, kernel and count"));
        };
        let expected: f64 =
            expected.parse().map_err(|_| format!("{RECORD}: \"{expected}\" is no number"))?;
        let millions = count(&folder, quant, kernel)?;
        found.push(format!("{quant} {kernel} {millions:.2}"));
        if (millions / expected - 1.0).abs() > MARGIN {
            let change = 100.0 * (millions / expected - 1.0);
            wrong.push(format!(
                "{quant} {kernel}: {millions:.2} million, recorded {expected} ({change:+.1} %)"
            ));
        }
    }
    println!("\n{}", found.join("\n"));
    if !wrong.is_empty() {
        let wrong = wrong.join("\n");
        return Err(format!(
            "instructions of the engine:\n{wrong}\nIf that is as it should be, record it in {RECORD}"
        ));
    }
    Ok(format!("{} counts within {:.0} % of {RECORD}", found.len(), 100.0 * MARGIN))
}

/// Millions of instructions within `Engine::poll`, for a fixed prompt and some tokens of `home`.
fn count(folder: &Path, quant: &str, kernel: &str) -> Result<f64> {
    let acorn = command::target_dir().join("release/acorn");
    let file = folder.join(format!("home.{quant}.acorn"));
    let mut convert = command::program(&acorn);
    convert
        .args(["convert", "models/home", "--quant", quant, "--calibrate", "none", "-o"])
        .arg(&file);
    command::run(convert)?;
    let mut valgrind = command::program("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg("--toggle-collect=*Engine*poll*").arg("--log-file=".to_owned() + &log(folder));
    valgrind.arg(&acorn).arg("bench").arg(&file);
    valgrind.args(["-p", PROMPT, "-n", DECODE, "-r", "1", "-t", "1", "--kernels", kernel]);
    command::run(valgrind)?;
    let text =
        fs::read_to_string(log(folder)).map_err(|error| format!("{}: {error}", log(folder)))?;
    let total = text.lines().find_map(|line| line.split_once("Collected :"));
    let total = total.and_then(|(_, count)| count.trim().parse::<f64>().ok());
    match total {
        Some(total) if total > 0.0 => Ok(total / 1e6),
        _ => Err(format!("callgrind counted nothing:\n{text}")),
    }
}

fn log(folder: &Path) -> String {
    folder.join("callgrind.log").display().to_string()
}
