//! The commands that run a model, as a user types them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// A folder with a converted model in it.
fn model() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tiny.acorn");
    let dir = fixture().join("models/tiny-llama");
    let output = acorn(&["convert", path(&dir), "-o", path(&file), "--calibrate", "none"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (folder, file)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn acorn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_acorn")).args(args).output().expect("acorn runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn json(args: &[&str]) -> Value {
    let output = acorn(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

#[test]
fn run_streams_text_and_tells_figures() {
    let (_folder, file) = model();
    let args = ["run", path(&file), "-p", "ROMEO:", "--temp", "0", "-n", "40"];
    let output = acorn(&args);
    assert!(output.status.success());
    let (story, figures) = (text(&output.stdout), text(&output.stderr));
    assert!(figures.contains("generated 40 tokens") && figures.contains("arena"), "{figures}");

    let answer = json(&[&args[..], &["--json"]].concat());
    assert_eq!(format!("{}\n", answer["text"].as_str().expect("text")), story);
    assert_eq!(answer["tokens"].as_array().expect("a list").len(), 40);
    assert_eq!(answer["stats"]["generated_tokens"], 40);
    assert_eq!(answer["stats"]["stop"], "length");
}

#[test]
fn a_seed_repeats_a_run_on_any_number_of_threads() {
    let (_folder, file) = model();
    let run = |seed: &str, threads: &str| {
        let args = ["run", path(&file), "-p", "KING", "-n", "30", "--json", "--temp", "1"];
        json(&[&args[..], &["--seed", seed, "--threads", threads]].concat())["tokens"].clone()
    };
    let first = run("5", "1");
    assert_eq!(first, run("5", "1"));
    assert_eq!(first, run("5", "3"));
    assert_eq!(first, run("5", "auto"));
    assert_ne!(first, run("6", "1"));
}

#[test]
fn a_full_context_ends_a_run_cleanly() {
    let (_folder, file) = model();
    let answer = json(&["run", path(&file), "-p", "A", "-n", "500", "--ignore-eos", "--json"]);
    assert_eq!(answer["stats"]["stop"], "context");
    assert_eq!(answer["stats"]["context"], 256);
    let long = "word ".repeat(300);
    let output = acorn(&["run", path(&file), "-p", &long]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("the prompt has"), "{}", text(&output.stderr));
}

#[test]
fn plan_counts_every_byte() {
    let (_folder, file) = model();
    let plan = json(&["plan", path(&file), "--context", "128", "--json"]);
    let parts = plan["parts"].as_object().expect("parts").values();
    let sum: u64 = parts.map(|part| part.as_u64().expect("bytes")).sum();
    assert_eq!(plan["arena_bytes"].as_u64(), Some(sum));
    assert_eq!(plan["kv"], "int8");
    let f16 = json(&["plan", path(&file), "--context", "128", "--kv", "f16", "--json"]);
    assert!(f16["arena_bytes"].as_u64() > plan["arena_bytes"].as_u64());
    let output = acorn(&["plan", path(&file), "--context", "100000"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("1 to 256"), "{}", text(&output.stderr));
}

#[test]
fn plan_says_where_the_weights_are() {
    let (_folder, file) = model();
    let plan =
        |more: &[&str]| json(&[&["plan", path(&file), "--context", "64", "--json"], more].concat());
    let whole = plan(&[]);
    assert_eq!(whole["weights"], "in_place");
    assert!(whole["total_bytes"].as_u64() > whole["file_bytes"].as_u64());

    let windowed = plan(&["--window", "16K"]);
    assert_eq!(
        (&windowed["weights"], &windowed["window_bytes"]),
        (&"streamed".into(), &16_384.into())
    );
    assert_eq!(plan(&["--window", "16384"]), windowed);

    // Enough for all of it, and a little less; speeds follow from what was measured.
    let enough = whole["total_bytes"].as_u64().expect("bytes");
    assert_eq!(plan(&["--max-memory", &enough.to_string()])["weights"], "in_place");
    let less = (enough - 1).to_string();
    let streamed = plan(&["--max-memory", &less, "--measure"]);
    assert_eq!(streamed["weights"], "streamed");
    assert!(streamed["total_bytes"].as_u64() < Some(enough), "{streamed}");
    let (measured, weights) = (&streamed["measured"], &streamed["weight_bytes_per_token"]);
    let number = |value: &Value| value.as_f64().expect("a number");
    let expected = number(&measured["memory_bytes_per_second"]) / number(weights);
    assert!((number(&measured["in_place_tps"]) / expected - 1.0).abs() < 1e-6);
    assert!(number(&measured["streamed_tps"]) > 0.0);
    let text = acorn(&["plan", path(&file), "--context", "64", "--max-memory", &less, "--measure"]);
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(
        text.contains("streamed through a window of") && text.contains("Upper bounds"),
        "{text}"
    );
}

#[test]
fn logits_are_an_array_of_rows() {
    let (folder, file) = model();
    let out = folder.path().join("logits.npy");
    let args = ["logits", path(&file), "--tokens", "1,294,442", "--out", path(&out), "--json"];
    assert_eq!(json(&args)["positions"], 3);
    let bytes = std::fs::read(&out).expect("the array");
    let npy = npyz::NpyFile::new(&bytes[..]).expect("a NumPy array");
    assert_eq!(npy.shape(), [3, 512]);
    let values: Vec<f32> = npy.into_vec().expect("floats");
    assert!(values.iter().all(|value| value.is_finite()));

    let output = acorn(&["logits", path(&file), "--tokens", "1,x", "--out", path(&out)]);
    assert_eq!(output.status.code(), Some(2));
    let output = acorn(&["logits", path(&file), "--tokens", "1,512", "--out", path(&out)]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("token 512"), "{}", text(&output.stderr));
}

#[test]
fn logits_hash_alike_however_they_are_computed() {
    let (folder, file) = model();
    let hash = |options: &[&str]| {
        let args = ["logits", path(&file), "--random", "100", "--context", "64", "--json"];
        let summary = json(&[&args[..], options].concat());
        assert_eq!((&summary["positions"], &summary["context"]), (&100.into(), &64.into()));
        summary["hash"].as_str().expect("a hash").to_owned()
    };
    let expected = hash(&[]);
    for options in [["--batch", "1"], ["--batch", "7"], ["--threads", "3"]] {
        assert_eq!(hash(&options), expected, "{options:?}");
    }
    for kernel in acorn_core::kernel::available() {
        let args = ["logits", path(&file), "--random", "100", "--context", "64"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        let output = command.args(args).env("ACORN_KERNEL", kernel.name).output();
        let printed = text(&output.expect("acorn runs").stdout);
        assert!(printed.contains(&expected) && printed.contains(kernel.name), "{printed}");
    }
    assert_ne!(hash(&["--kv", "f32"]), expected);

    // It is the hash of what is written.
    let out = folder.path().join("logits.npy");
    let args = ["logits", path(&file), "--tokens", "1,2,3", "--out", path(&out), "--json"];
    let summary = json(&args);
    let npy = std::fs::read(&out).expect("the array");
    let values = npyz::NpyFile::new(&npy[..]).expect("a NumPy array").into_vec().expect("floats");
    let mut written = acorn_core::fingerprint::Hash::default();
    written.add(&values);
    assert_eq!(summary["hash"], format!("{:016x}", written.value()));

    for wrong in [&["--random", "0"][..], &["--random", "5", "--tokens", "1"], &[]] {
        let output = acorn(&[&["logits", path(&file)][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_prompt_comes_from_standard_input() {
    let (_folder, file) = model();
    let piped = |args: &[&str], input: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("acorn runs");
        child.stdin.take().expect("its input").write_all(input).expect("it reads");
        child.wait_with_output().expect("it ends")
    };
    let run = ["run", path(&file), "--temp", "0", "-n", "20", "-p"];
    let expected = acorn(&[&run[..], &["ROMEO:\nIt"]].concat());
    for input in ["ROMEO:\nIt", "ROMEO:\nIt\n"] {
        let output = piped(&[&run[..], &["-"]].concat(), input.as_bytes());
        assert_eq!(text(&output.stdout), text(&expected.stdout));
    }
    let tokens = acorn(&["tokenize", path(&file), "-p", "KING"]).stdout;
    assert_eq!(piped(&["tokenize", path(&file), "-p", "-"], b"KING\n").stdout, tokens);
    let output = piped(&[&run[..], &["-"]].concat(), b"caf\xe9");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("standard input: expected a prompt in UTF-8"));
}

#[test]
fn eval_scores_a_text() {
    let (folder, file) = model();
    let short = folder.path().join("short.txt");
    std::fs::write(&short, "To be, or not to be: that is the question.\n".repeat(20))
        .expect("a text");
    let figures = json(&["eval", path(&file), "--text", path(&short), "--context", "64", "--json"]);
    let (nll, ppl) = (figures["nll"].as_f64().expect("nll"), figures["ppl"].as_f64().expect("ppl"));
    assert!((nll.exp() - ppl).abs() < 1e-9 * ppl && (1.0..6.0).contains(&nll), "{figures}");

    std::fs::write(&short, b"caf\xe9").expect("a text");
    let output = acorn(&["eval", path(&file), "--text", path(&short)]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("byte 3"), "{}", text(&output.stderr));
}

#[test]
fn bench_lists_medians_by_threads() {
    let (_folder, file) = model();
    let args = ["bench", path(&file), "-p", "16", "-n", "8", "-t", "1,2", "-r", "3", "--json"];
    let lines = json(&args);
    let lines = lines.as_array().expect("a list");
    assert_eq!(lines.len(), 2);
    for (line, threads) in lines.iter().zip([1, 2]) {
        assert_eq!(line["threads"], threads);
        assert!(line["prefill_tps"].as_f64().expect("a number") > 0.0);
        assert!(line["decode_tps"].as_f64().expect("a number") > 0.0);
        assert_eq!((&line["prompt"], &line["depth"]), (&16.into(), &16.into()));
    }
}

#[test]
fn bench_takes_several_prompts_and_decodes_where_asked_to() {
    let (_folder, file) = model();
    let args = ["bench", path(&file), "-p", "4,8", "-n", "2", "-r", "1", "--json", "--depth"];
    for depth in [0, 3, 8] {
        let lines = json(&[&args[..], &[&depth.to_string()]].concat());
        let lines = lines.as_array().expect("a list");
        let found: Vec<_> = lines.iter().map(|line| (&line["prompt"], &line["depth"])).collect();
        assert_eq!(found, [(&4.into(), &depth.into()), (&8.into(), &depth.into())]);
    }
}

#[test]
fn options_out_of_range_are_usage_errors() {
    let (_folder, file) = model();
    for options in
        [["--top-p", "7"], ["--min-p", "2"], ["--repeat-penalty", "0"], ["--temp", "nan"]]
    {
        let output = acorn(&[&["run", path(&file), "-p", "x"], &options[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn files_that_are_no_models_are_refused_by_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.acorn");
    std::fs::write(&file, [b'x'; 200]).expect("a file");
    let out = folder.path().join("out.npy");
    let text_file = fixture().join("text/shakespeare.txt");
    for args in [
        vec!["run", path(&file), "-p", "x"],
        vec!["plan", path(&file), "--context", "8"],
        vec!["bench", path(&file)],
        vec!["logits", path(&file), "--tokens", "1", "--out", path(&out)],
        vec!["eval", path(&file), "--text", path(&text_file)],
    ] {
        let output = acorn(&args);
        assert_eq!(output.status.code(), Some(3), "{args:?}");
        assert!(text(&output.stderr).contains("not an Acorn model"), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !out.exists());
    }
}

#[test]
fn a_bundled_model_answers_without_options() {
    let cache = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        let output = command.args(args).env("ACORN_CACHE", cache.path()).output();
        let output = output.expect("acorn runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let prompt = "turn the kitchen lights down to thirty percent";
    let answer = "{\"action\":\"set\",\"device\":\"light\",\"room\":\"kitchen\",\"level\":30}\n";
    // Greedy by the model's own wish, so the clock's seed changes nothing.
    assert_eq!(run(&["run", "-p", prompt]), answer);
    assert_eq!(run(&["run", "home", "-p", prompt]), answer);

    // One file in the cache; a damaged one is made again.
    let files: Vec<_> = std::fs::read_dir(cache.path()).expect("the cache").collect();
    assert_eq!(files.len(), 1);
    let file = files[0].as_ref().expect("a file").path();
    let mut bytes = std::fs::read(&file).expect("its bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("the damage");
    assert_eq!(run(&["run", "-p", prompt]), answer);
}

#[test]
fn a_folder_is_converted_on_the_fly() {
    let cache = tempfile::tempdir().expect("a folder");
    let dir = fixture().join("models/tiny-llama");
    let run = |model: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        let args = ["run", path(model), "-p", "KING", "--temp", "0", "-n", "20"];
        let output = command.args(args).env("ACORN_CACHE", cache.path()).output();
        text(&output.expect("acorn runs").stdout)
    };
    let (_folder, file) = model();
    assert_eq!(run(&dir), run(&file));
    assert_eq!(run(&dir), run(&file));
}
