//! Matrices fitted to a text: better than rounded ones, the same in every run, and all that can be
//! wrong with the text or the options is told.

use std::fs;
use std::path::{Path, PathBuf};

use acorn_cli::convert::{Calibration, Options, Quant, Report, convert_with};
use acorn_cli::error::Error;
use acorn_cli::quantize::calibrate::texts;
use acorn_cli::quantize::quality::{Answers, divergence};
use acorn_core::Model;
use acorn_tests::{fixtures, model_dir};

use crate::folder::{read_safetensors, write_safetensors};

fn options(quant: Quant, calibration: Calibration) -> Options {
    Options { calibration, ..Options::rounded(quant) }
}

fn convert(name: &str, options: &Options) -> Result<(Vec<u8>, Report), Error> {
    convert_dir(&model_dir(name).expect("a fixture"), options)
}

fn convert_dir(dir: &Path, options: &Options) -> Result<(Vec<u8>, Report), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("model.acorn");
    let report = convert_with(dir, &out, options, &())?;
    // Nothing is left beside the file.
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    Ok((fs::read(out).expect("written"), report))
}

/// Each file's divergence from the model of floats on text that nothing was fitted to.
fn lost<const N: usize>(name: &str, files: [Vec<u8>; N]) -> [f64; N] {
    let (floats, _) = convert(name, &Options::rounded(Quant::F32)).expect("converts");
    let (floats, path) = (Model::parse(&floats).expect("valid"), Path::new("memory"));
    let texts = texts(&Calibration::Samples, &floats, path, &()).expect("samples").expect("some");
    let windows = texts.held_windows(floats.recipe().vocab_size);
    let answers = Answers::of(&floats, path, &windows).expect("runs");
    files.map(|file| {
        let model = Model::parse(&file).expect("valid");
        model.verify().expect("valid");
        divergence(&answers, &model, path, &windows).expect("runs").divergence
    })
}

#[test]
fn fitted_is_better_than_rounded_in_every_family() {
    for name in ["tiny-llama", "tiny-untied", "tiny-gpt2"] {
        let rounded = convert(name, &Options::rounded(Quant::Q4)).expect("converts").0;
        let fitted = convert(name, &options(Quant::Q4, Calibration::Samples)).expect("converts").0;
        let [rounded, fitted] = lost(name, [rounded, fitted]);
        println!("{name}: divergence {rounded:.5} rounded, {fitted:.5} fitted");
        assert!(fitted < 0.9 * rounded, "{name}: {fitted} is not well below {rounded}");
    }
}

/// tiny-llama with some channels 32 times as large as they were: what takes them has columns that much
/// smaller, so that the model says the same.
fn with_outliers() -> tempfile::TempDir {
    let dir = model_dir("tiny-llama").expect("a fixture");
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(dir.join(file), folder.path().join(file)).expect("copied");
    }
    let mut tensors = read_safetensors(&dir.join("model.safetensors"));
    for (name, tensor) in &mut tensors {
        let cols = tensor.shape[tensor.shape.len() - 1];
        // Channels made by a norm, and by up's rows.
        let (norm, up) = (|i: usize| i % 29 == 3, |i: usize| i % 29 == 5);
        let factor = |row: usize, col: usize| -> f32 {
            let (mut more, mut less) = (false, false);
            match name.rsplit('.').nth(1).unwrap_or_default() {
                "input_layernorm" | "post_attention_layernorm" => more = norm(col),
                "q_proj" | "k_proj" | "v_proj" | "gate_proj" => less = norm(col),
                "up_proj" => (more, less) = (up(row), norm(col)),
                "down_proj" => less = up(col),
                _ => {}
            }
            if more == less {
                1.0
            } else if more {
                32.0
            } else {
                1.0 / 32.0
            }
        };
        let numbers = tensor.bytes.as_chunks::<2>().0.iter().enumerate();
        let bytes = numbers.flat_map(|(i, x)| {
            let x = half::f16::from_le_bytes(*x).to_f32() * factor(i / cols, i % cols);
            x.to_le_bytes()
        });
        (tensor.bytes, tensor.dtype) = (bytes.collect(), "F32");
    }
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    folder
}

#[test]
fn outlier_channels_cost_nothing_once_evened_out() {
    let folder = with_outliers();
    for quant in [Quant::Q8, Quant::Q4] {
        let fitted = options(quant, Calibration::Samples);
        let plain = convert("tiny-llama", &fitted).expect("converts").0;
        let fitted = convert_dir(folder.path(), &fitted).expect("converts").0;
        let rounded = convert_dir(folder.path(), &Options::rounded(quant)).expect("converts").0;
        let [plain, fitted, rounded] = lost("tiny-llama", [plain, fitted, rounded]);
        println!(
            "{}: divergence {plain:.5} without outliers, {fitted:.5} with, {rounded:.5} rounded",
            quant.name()
        );
        assert!(fitted < 1.25 * plain, "{fitted} is well above {plain}");
        assert!(rounded > 2.0 * fitted, "outliers that harm nothing show nothing: {rounded}");
    }
}

#[test]
fn the_same_bytes_every_time() {
    for quant in [Quant::Q8, Quant::Q4] {
        let run =
            || convert("tiny-llama", &options(quant, Calibration::Samples)).expect("converts");
        let (one, other) = (run().0, run().0);
        assert!(one == other);
        assert!(Model::parse(&one).expect("valid").recipe().key_centers);
    }
}

#[test]
fn a_budget_is_spent_and_kept() {
    let text = Calibration::Text(fixtures().join("text/shakespeare.txt"));
    let four = convert("tiny-llama", &options(Quant::Q4, text.clone())).expect("converts").1.bpw;
    let eight = convert("tiny-llama", &options(Quant::Q8, text.clone())).expect("converts").1.bpw;
    let most = (four + eight) / 2.0;
    let mixed = Options { budget: Some(most), quality: true, ..options(Quant::Q4, text) };
    let (file, report) = convert("tiny-llama", &mixed).expect("converts");
    assert!(report.bpw <= most && report.bpw > four, "{} of {most}", report.bpw);
    let quality = report.quality.expect("asked for");
    assert!(quality.divergence.divergence.is_finite() && quality.divergence.tokens > 0);
    assert!(quality.matrices.iter().any(|fit| fit.encoding == "q8"));
    assert!(quality.matrices.iter().any(|fit| fit.encoding == "q4"));
    let metadata: serde_json::Value =
        serde_json::from_str(Model::parse(&file).expect("valid").metadata()).expect("JSON");
    assert_eq!(metadata["calibration"]["source"], "text");
    assert_eq!(metadata["quality"]["tokens"], quality.divergence.tokens);

    let mixed = Options { budget: Some(four - 0.1), ..mixed };
    let error = convert("tiny-llama", &mixed).expect_err("too few bits");
    assert!(matches!(&error, Error::Usage { .. }), "{error}");
    assert!(error.to_string().contains(&format!("{four:.3}")), "{error}");
}

#[test]
fn texts_that_do_not_serve_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writable");
        path
    };
    for (path, code, words) in [
        (folder.path().join("absent.txt"), 4, "absent.txt"),
        (file("empty.txt", b""), 3, "has 0 tokens"),
        (file("short.txt", b"Once upon a time."), 3, "at least"),
        (file("latin1.txt", &[b"caf\xe9 ".as_slice(); 4000].concat()), 3, "byte 3 is not UTF-8"),
    ] {
        let error = convert("tiny-llama", &options(Quant::Q4, Calibration::Text(path)));
        let error = error.expect_err(words);
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let nothing = Options { quality: true, ..Options::rounded(Quant::Q4) };
    assert_eq!(convert("tiny-llama", &nothing).expect_err("no text").exit_code(), 2);
}
