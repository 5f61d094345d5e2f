//! What quantization costs real models, measured as a user would: convert, compare with the original.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::{self, Result, cargo};

/// What is allowed: per line a model, an encoding, and the most that it may cost.
const RECORD: &str = "tools/xtask/quality.txt";

/// Where the models and the text are, beside the checkout.
const DATA: &str = "../shared/data";

/// Bytes of the text that count.
const TEXT_LEN: usize = 60_000;

/// What `acorn eval --against --json` says.
#[derive(Deserialize)]
struct Evaluation {
    ppl_change_percent: f64,
    kl: f64,
}

/// What `acorn inspect --json` says.
#[derive(Deserialize)]
struct Inspection {
    bpw: f64,
}

/// Converts, evaluates, compares.
pub(crate) fn check() -> Result<String> {
    let data = command::root().join(DATA);
    if !data.is_dir() {
        return Ok(format!("NOT RUN: no real models in {DATA}"));
    }
    command::run(cargo(&["build", "--release", "-p", "acorn-cli"]))?;
    let folder = command::target_dir().join("quality");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let text = folder.join("text.txt");
    let bytes = fs::read(data.join("text/tinystories.txt"));
    let mut bytes = bytes.map_err(|error| format!("{DATA}/text/tinystories.txt: {error}"))?;
    bytes.truncate(TEXT_LEN);
    fs::write(&text, bytes).map_err(|error| format!("{}: {error}", text.display()))?;
    let record = fs::read_to_string(command::root().join(RECORD));
    let record = record.map_err(|error| format!("{RECORD}: {error}"))?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for line in record.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [model, quant, limits @ ..] = &words[..] else { continue };
        let limits: Vec<f64> = limits.iter().filter_map(|limit| limit.parse().ok()).collect();
        let [ppl, kl, bpw] = limits[..] else {
            return Err(format!("{RECORD}: \"{line}\" has not three limits"));
        };
        let (evaluation, bits) = measure(&data.join("models").join(model), quant, &text, &folder)?;
        let row = format!(
            "{model:17} {quant:4} {:+6.2} % (≤ {ppl})  KL {:.5} (≤ {kl})  {bits:.2} bpw (≤ {bpw})",
            evaluation.ppl_change_percent, evaluation.kl
        );
        if evaluation.ppl_change_percent > ppl || evaluation.kl > kl || bits > bpw {
            wrong.push(row.clone());
        }
        rows.push(row);
    }
    println!("\n{}", rows.join("\n"));
    match wrong.is_empty() {
        true => Ok(format!("{} files as good as {RECORD} asks", rows.len())),
        false => Err(format!("worse than {RECORD} allows:\n{}", wrong.join("\n"))),
    }
}

/// A model's cost in that encoding, and its bits per weight.
fn measure(model: &Path, quant: &str, text: &Path, folder: &Path) -> Result<(Evaluation, f64)> {
    let original = convert(model, "f32", folder)?;
    let file = convert(model, quant, folder)?;
    let mut eval = acorn();
    eval.arg("eval").arg(&file).arg("--text").arg(text);
    eval.arg("--against").arg(&original).arg("--json");
    let mut inspect = acorn();
    inspect.arg("inspect").arg(&file).arg("--json");
    let bits: Inspection = json(&command::output(inspect)?)?;
    Ok((json(&command::output(eval)?)?, bits.bpw))
}

/// The `.acorn` file of a model, made anew.
fn convert(model: &Path, quant: &str, folder: &Path) -> Result<PathBuf> {
    let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = folder.join(format!("{name}.{quant}.acorn"));
    let mut convert = acorn();
    convert.arg("convert").arg(model).args(["--quant", quant, "-o"]).arg(&file);
    command::run(convert)?;
    Ok(file)
}

fn acorn() -> std::process::Command {
    command::program(command::target_dir().join("release/acorn"))
}

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| format!("{error} in: {text}"))
}
