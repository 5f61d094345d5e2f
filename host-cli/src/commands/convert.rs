//! `acorn convert`: a Hugging Face folder to one `.acorn` file.

use std::fs;
use std::path::{Path, PathBuf};

use super::print;
use crate::convert::{self, Calibration, Options, Quality, Quant, Report};
use crate::error::Error;
use crate::progress::Bar;

/// Convert a Hugging Face folder to one .acorn file
///
/// Matrices are fitted to text drawn from the model, or to --calibrate FILE. That takes memory for
/// the packed model, two layers in floats and 15,000 to 40,000 tokens' inputs of a layer, and disk space
/// for the model in floats beside the output. With --calibrate none every weight is rounded by
/// itself, in a few MiB of memory whatever the model's size.
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
    #[arg(long, value_name = "f32|q8|q4|mixed:BITS", default_value = "q8", value_parser = quant)]
    quant: (Quant, Option<f64>),
    /// What matrices are fitted to: `samples` of the model's own, a text FILE, or `none`
    #[arg(long, value_name = "samples|none|FILE", default_value = "samples", value_parser = calibration)]
    calibrate: Calibration,
    /// Measure what is lost: perplexity and divergence on held-out text, and the error of each matrix
    #[arg(long)]
    quality: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

/// `f32`, `q8`, `q4`, or `mixed:` and the bits per weight that the whole may have.
fn quant(text: &str) -> Result<(Quant, Option<f64>), String> {
    if let Some(bits) = text.strip_prefix("mixed:") {
        let bits = bits.parse().ok().filter(|bits| (1.0..=16.0).contains(bits));
        let problem = "expected bits per weight behind mixed: as a number, like mixed:4.75";
        return bits.map(|bits| (Quant::Q4, Some(bits))).ok_or_else(|| problem.into());
    }
    let known = [Quant::F32, Quant::Q8, Quant::Q4];
    let found = known.into_iter().find(|quant| quant.name() == text);
    let problem = "expected f32, q8, q4, or mixed:BITS like mixed:4.75";
    found.map(|quant| (quant, None)).ok_or_else(|| problem.into())
}

fn calibration(text: &str) -> Result<Calibration, String> {
    match text {
        "" => Err("expected samples, none, or a file".into()),
        "none" => Ok(Calibration::None),
        "samples" => Ok(Calibration::Samples),
        file => Ok(Calibration::Text(file.into())),
    }
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let (quant, budget) = args.quant;
    let calibration = args.calibrate.clone();
    let options = Options { quant, budget, calibration, quality: args.quality };
    let output = match &args.output {
        Some(output) => output.clone(),
        None => default_output(&args.hf_dir, &options.name().replace(':', "-"))?,
    };
    let report = convert::convert_with(&args.hf_dir, &output, &options, &Bar::default())?;
    if args.json { print::json(&report) } else { print::text(&describe(&report)) }
}

/// The folder's name, also where it is given as `.` or through a link.
fn default_output(dir: &Path, quant: &str) -> Result<PathBuf, Error> {
    let full = fs::canonicalize(dir).map_err(Error::io(dir, "open the folder"))?;
    match dir.file_name().or(full.file_name()) {
        Some(name) => Ok(format!("{}.{quant}.acorn", name.to_string_lossy()).into()),
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
    let quality = report.quality.as_ref().map(describe_quality).unwrap_or_default();
    format!(
        "{quality}{table}\ntokenizer: {tokenizer}\nwrote {} ({} bytes, {mib:.2} MiB)",
        report.output, report.file_bytes
    )
}

fn describe_quality(quality: &Quality) -> String {
    let mut table = print::table(&["matrix", "layer", "stored", "output error"], &[1, 3]);
    for fit in &quality.matrices {
        table.add_row([
            fit.role,
            &fit.layer.to_string(),
            fit.encoding,
            &format!("{:.2} %", fit.output_error * 100.0),
        ]);
    }
    let found = quality.divergence;
    format!(
        "{table}\non {} held-out tokens: perplexity {:.4} → {:.4} ({:+.2} %), divergence {:.5}\n\n",
        found.tokens,
        found.ppl_before,
        found.ppl_after,
        (found.ppl_after / found.ppl_before - 1.0) * 100.0,
        found.divergence
    )
}
