//! `acorn convert`: a Hugging Face folder to one `.acorn` file.

use std::fs;
use std::path::{Path, PathBuf};

use super::print;
use crate::convert::{self, Quant, Report};
use crate::error::Error;
use crate::progress::Bar;

/// Convert a Hugging Face folder to one .acorn file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  acorn convert ./SmolLM2-135M-Instruct --quant q4 -o smol.acorn"
)]
pub(super) struct Args {
    /// Folder with config.json, tokenizer.json and *.safetensors
    hf_dir: PathBuf,
    /// The file to write [default: FOLDER.QUANT.acorn, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t = Quant::Q8)]
    quant: Quant,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let output = match &args.output {
        Some(output) => output.clone(),
        None => default_output(&args.hf_dir, args.quant)?,
    };
    let report = convert::convert(&args.hf_dir, &output, args.quant, &Bar::default())?;
    if args.json { print::json(&report) } else { print::text(&describe(&report)) }
}

/// The folder's name, also where it is given as `.` or through a link.
fn default_output(dir: &Path, quant: Quant) -> Result<PathBuf, Error> {
    let full = fs::canonicalize(dir).map_err(Error::io(dir, "open the folder"))?;
    match dir.file_name().or(full.file_name()) {
        Some(name) => Ok(format!("{}.{}.acorn", name.to_string_lossy(), quant.name()).into()),
        None => Err(Error::input(dir, "has no name to call the output after: give one with -o")),
    }
}

fn describe(report: &Report) -> String {
    let header = ["encoding", "tensors", "parameters", "bytes", "bpw", "worst error", "in"];
    let mut table = print::table(&header, &[1, 2, 3, 4, 5]);
    for line in &report.encodings {
        table.add_row([
            line.encoding,
            &line.tensors.to_string(),
            &line.parameters.to_string(),
            &line.bytes.to_string(),
            &format!("{:.3}", line.bpw),
            &format!("{:.2e}", line.worst_relative_error),
            &print::harmless(&line.worst_tensor),
        ]);
    }
    table.add_row([
        "all",
        &report.tensors.to_string(),
        &report.parameters.to_string(),
        &report.weight_bytes.to_string(),
        &format!("{:.3}", report.bpw),
        &format!("{:.2e}", report.worst_relative_error),
        &print::harmless(&report.worst_tensor),
    ]);
    let tokenizer = match &report.tokenizer_self_test {
        None => "none: the folder has no tokenizer.json, the model takes token ids".to_owned(),
        Some(test) => format!(
            "equal to Hugging Face's on {} texts ({} tokens) and on each of {} tokens",
            test.texts, test.tokens, test.vocabulary
        ),
    };
    let mib = report.file_bytes as f64 / f64::from(1 << 20);
    format!(
        "{table}\ntokenizer: {tokenizer}\nwrote {} ({} bytes, {mib:.2} MiB)",
        report.output, report.file_bytes
    )
}
