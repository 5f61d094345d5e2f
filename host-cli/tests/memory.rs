//! Bounds on memory, kept by a child process and enforced by the system: models larger than the bound run and
//! give the same text, and a mapped file that goes away is told in words.
#![cfg(target_os = "linux")]

#[path = "../../tests/tests/common/folder.rs"]
#[expect(dead_code, reason = "the tests of the converter as a library use the rest")]
mod folder;

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use acorn_cli::convert::{Quant, convert};
use acorn_cli::memory::budget::PROCESS;
use folder::Folder;
use serde_json::Value;
use tempfile::TempDir;

/// Bytes of f32 weights of one of the model's layers.
const LAYER: u64 = 4 * (2 * 768 * 768 + 2 * 256 * 768 + 3 * 2048 * 768);

/// A model of that many layers and a real tokenizer.
fn model(layers: usize) -> (TempDir, PathBuf) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models/tiny-llama");
    let source = Folder::llama(layers, 768, 2048, 12, 4, 512)
        .with("max_position_embeddings", 4096.into())
        .write();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(fixture.join(name), source.path().join(name)).expect("copied");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model.acorn");
    convert(source.path(), &file, Quant::F32, &()).expect("converted");
    assert!(fs::metadata(&file).expect("its length").len() > LAYER * layers as u64);
    (folder, file)
}

fn run(file: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
    command.arg("run").arg(file);
    command.args(["-p", "KING:", "--temp", "0", "--ignore-eos"]).args(options);
    command
}

/// The command under a limit on its address space.
fn limited(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("sh");
    let line = format!("ulimit -v {} && exec \"$@\"", bytes >> 10);
    limited.args(["-c", &line, "sh"]).arg(command.get_program()).args(command.get_args());
    limited
}

fn done(mut command: Command) -> Output {
    let output = command.output().expect("acorn runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn json(command: Command) -> Value {
    serde_json::from_slice(&done(command).stdout).expect("JSON on standard output")
}

/// The number in "needs at least N MiB" (or KiB).
fn needed(why: &str) -> u64 {
    let number = why.split("needs at least ").nth(1).and_then(|rest| rest.split(' ').next());
    number.expect(why).parse().expect("a number")
}

/// Waits until the child has begun to generate.
fn begin(mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("a first piece of text");
    child
}

/// A field of the child's status, in bytes.
fn status(child: &Child, name: &str) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let status = fs::read_to_string(path).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the field");
    let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib << 10
}

#[test]
fn a_model_three_times_the_limit_on_addresses_gives_the_same_text() {
    let limit = 32 << 20;
    let (_folder, file) = model(4);
    assert!(fs::metadata(&file).expect("its length").len() >= 3 * limit);
    let options = ["-n", "12", "--json", "--threads"];
    let expected = json(run(&file, &[&options[..], &["1"]].concat()));
    assert_eq!(expected["stats"]["weights"], "in_place");
    for threads in ["1", "2"] {
        let options = [&options[..], &[threads, "--max-memory", "32M"]].concat();
        let found = json(limited(&run(&file, &options), limit));
        assert_eq!(found["text"], expected["text"]);
        assert_eq!(found["tokens"], expected["tokens"]);
        assert_eq!(found["stats"]["weights"], "streamed");
    }
    // Without a bound, the way out is told.
    let output = limited(&run(&file, &["-n", "1"]), limit).output().expect("acorn runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("the limit on address space is 32 MiB: use --max-memory 32M"),
        "{stderr}"
    );
}

/// What the process takes is what it planned, or what it was allowed to.
#[test]
fn memory_is_what_was_planned() {
    let (_folder, file) = model(2);
    let len = fs::metadata(&file).expect("its length").len();
    let measured = |more: &[&str]| {
        let options = [&["--context", "4000", "--threads", "2"], more].concat();
        let stats =
            json(run(&file, &[&options[..], &["-n", "1", "--json"]].concat()))["stats"].take();
        let mut child = begin(run(&file, &[&options[..], &["-n", "4000"]].concat()));
        let bytes = (status(&child, "RssAnon"), status(&child, "VmHWM"));
        child.kill().and_then(|()| child.wait()).expect("ended");
        (stats, bytes)
    };
    // Mapped: the file, the arena, and little beside.
    let (stats, (anonymous, most)) = measured(&[]);
    let arena = stats["arena_bytes"].as_u64().expect("bytes");
    assert!(anonymous <= arena + (4 << 20), "{anonymous} bytes beside the file, planned {arena}");
    assert!(most <= len + arena + PROCESS, "{most} bytes, {len} in the file, planned {arena}");
    for mib in [60, 40] {
        let (stats, (_, most)) = measured(&["--max-memory", &format!("{mib}M")]);
        assert_eq!(stats["weights"], "streamed");
        assert!(most <= mib << 20, "{most} bytes, {mib} MiB allowed: {stats}");
    }
}

/// The commands but `run`: the same figures in less memory than the file has.
#[test]
fn logits_perplexity_and_speed_are_had_within_a_bound() {
    let (folder, file) = model(1);
    let text = folder.path().join("text");
    fs::write(&text, "To be, or not to be: that is the question.\n".repeat(9)).expect("written");
    let acorn = |args: &[&str], bound: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        command.current_dir(folder.path()).arg(args[0]).arg(&file).args(&args[1..]).arg("--json");
        command.args(bound.map(|bound| format!("--max-memory={bound}")));
        json(command)
    };
    let logits = |bound, out| {
        acorn(&["logits", "--tokens", "1,2,3,400,5,6,7", "--out", out], bound);
        fs::read(folder.path().join(out)).expect("the array")
    };
    // Enough for passes of 32 tokens, and hardly enough for those of one.
    let plan = |bound: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        command.arg("plan").arg(&file).args(["--context", "64", "--batch", "32", "--json"]);
        command.args(["--max-memory", bound]).output().expect("runs")
    };
    let least = needed(&String::from_utf8_lossy(&plan("1M").stderr)) + 1;
    let least = format!("{least}K");
    let batch = |bound| {
        let plan: Value = serde_json::from_slice(&plan(bound).stdout).expect("a plan");
        plan["batch"].as_u64()
    };
    assert_eq!((batch("16M"), batch(&least)), (Some(32), Some(1)));
    for bound in ["16M", &least] {
        assert!(logits(None, "mapped.npy") == logits(Some(bound), "streamed.npy"), "{bound}");
        let eval = ["eval", "--text", "text", "--context", "64", "--threads", "1"];
        let eval = |bound| acorn(&eval, bound)["nll"].take();
        assert_eq!(eval(None), eval(Some(bound)), "{bound}");
    }
    let lines = acorn(&["bench", "-p", "4", "-n", "2", "-r", "1", "-t", "1,2"], Some("16M"));
    for line in lines.as_array().expect("a list") {
        assert_eq!(line["weights"], "streamed");
        assert!(line["decode_tps"].as_f64() > Some(0.0), "{line}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_is_needed() {
    let (_folder, file) = model(1);
    let refused = |most: &str| {
        let output = run(&file, &["-n", "4000", "--max-memory", most]).output().expect("runs");
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let why = refused("9M");
    assert!(why.contains("raise --max-memory or lower --context"), "{why}");
    let need = needed(&why);
    let enough = format!("{need}M");
    done(run(&file, &["-n", "2", "--context", "4000", "--max-memory", &enough]));
    refused(&format!("{}M", need - 1));
}

#[test]
fn sizes_that_are_none_are_usage_errors() {
    for size in ["12T", "x", "-1", "1.5"] {
        let option = format!("--max-memory={size}");
        let output = run(Path::new("home"), &[&option]).output().expect("acorn runs");
        assert_eq!(output.status.code(), Some(2), "{size}");
    }
}

#[test]
fn a_file_larger_than_the_memory_is_hinted_at() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("holes.acorn");
    let file = fs::File::create(&path).expect("a file");
    file.set_len(1 << 40).expect("a file of holes");
    let output = run(&path, &[]).output().expect("acorn runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("would stream it"), "{stderr}");
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(3), 2), "{stderr}");
}

/// Mapped or streamed: words, and the exit status of failed reading.
#[test]
fn a_file_that_is_cut_short_while_it_is_used_is_told_of() {
    for options in [&[][..], &["--max-memory", "30M"]] {
        let (_folder, file) = model(2);
        let mut child = begin(run(&file, &[&["-n", "4000", "--threads", "2"], options].concat()));
        let file = OpenOptions::new().write(true).open(&file).expect("the file");
        file.set_len(4096).expect("cut short");
        let (mut rest, mut why) = (Vec::new(), String::new());
        child.stdout.take().expect("piped").read_to_end(&mut rest).expect("read");
        child.stderr.take().expect("piped").read_to_string(&mut why).expect("read");
        assert_eq!(child.wait().expect("ended").code(), Some(4), "{why}");
        assert!(why.contains("cut short"), "{why}");
    }
}
