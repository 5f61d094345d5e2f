//! The command `acorn`, run as a user runs it: words, exit status, what is left on the disk.

#[path = "../../tests/tests/common/folder.rs"]
#[expect(dead_code, reason = "the tests of the converter as a library use the rest")]
mod folder;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use acorn_core::Model;
use folder::Folder;
use serde_json::{Value, json};

/// Runs the tool. Conversions round, which takes no time, unless they say something else.
fn acorn(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
    command.current_dir(dir).args(args);
    if args.first() == Some(&"convert") && args.len() > 1 && !args.contains(&"--calibrate") {
        command.args(["--calibrate", "none"]);
    }
    command.output().expect("runs")
}

/// Runs a command that must succeed; its standard output.
fn done(dir: &Path, args: &[&str]) -> String {
    let output = acorn(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command that must print one JSON object.
fn json_of(dir: &Path, args: &[&str]) -> Value {
    let value = serde_json::from_str(&done(dir, args)).expect("one JSON object");
    assert!(matches!(value, Value::Object(_)));
    value
}

/// Runs a command that must fail with that status, say why on standard error, and print nothing.
fn fails(dir: &Path, args: &[&str], code: i32, parts: &[&str]) {
    let output = acorn(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
    for part in parts {
        assert!(stderr.contains(part), "{args:?}: expected {part:?} in: {stderr}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable"));
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn fixture(name: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../tests/fixtures/models").join(name).display().to_string()
}

fn work() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn convert_inspect_verify() {
    let dir = work();
    for (model, parameters) in [("tiny-llama", 123_712), ("tiny-untied", 56_480)] {
        let text = done(dir.path(), &["convert", &fixture(model)]);
        let file = format!("{model}.q8.acorn");
        assert!(text.contains(&file) && text.contains("bpw"), "{text}");

        let report = json_of(
            dir.path(),
            &["convert", &fixture(model), "--quant", "q4", "-o", "x.acorn", "--json"],
        );
        let len = fs::metadata(dir.path().join("x.acorn")).expect("there").len();
        assert_eq!(report["output"], "x.acorn");
        assert_eq!(report["file_bytes"], len);
        assert_eq!(report["parameters"], parameters);
        assert!(report["worst_relative_error"].as_f64().is_some_and(|e| e > 0.0 && e < 0.2));
        assert!(report["worst_tensor"].as_str().is_some_and(|name| name.starts_with("model.")));
        assert!(report["tokenizer_self_test"]["texts"].as_u64().is_some_and(|texts| texts > 20));

        let inspected = json_of(dir.path(), &["inspect", "x.acorn", "--json"]);
        for same in ["bpw", "file_bytes", "parameters"] {
            assert_eq!(inspected[same], report[same], "{same}");
        }
        assert_eq!(inspected["metadata"]["quantization"], "q4");
        assert_eq!(inspected["recipe"]["tied_head"], model == "tiny-llama");
        assert_eq!(inspected["sections"][2]["name"], "weights");
        assert!(done(dir.path(), &["inspect", "x.acorn"]).contains("embedding"));

        let verified = json_of(dir.path(), &["verify", "x.acorn", "--json"]);
        assert_eq!(
            verified,
            json!({ "valid": true, "file_bytes": len, "tensors": report["tensors"] })
        );
        assert!(done(dir.path(), &["verify", &file]).starts_with("valid"));
    }
}

#[test]
fn tokenize_and_back() {
    let dir = work();
    for (model, bos) in [("tiny-llama", Some(1)), ("tiny-untied", None)] {
        done(dir.path(), &["convert", &fixture(model), "-o", "x.acorn"]);
        let text = "ROMEO: Good morrow, 42 times!";
        fs::write(dir.path().join("text"), text).expect("written");
        let tokens = json_of(dir.path(), &["tokenize", "x.acorn", "-p", text, "--json"]);
        assert_eq!(tokens, json_of(dir.path(), &["tokenize", "x.acorn", "-f", "text", "--json"]));
        let ids = done(dir.path(), &["tokenize", "x.acorn", "-p", text]);
        assert_eq!(
            done(dir.path(), &["detokenize", "x.acorn", "--tokens", ids.trim()]),
            format!("{text}\n")
        );
        let back =
            json_of(dir.path(), &["detokenize", "x.acorn", "--tokens", ids.trim(), "--json"]);
        assert_eq!(back, json!({ "text": text }));

        let special =
            json_of(dir.path(), &["tokenize", "x.acorn", "-p", text, "--special", "--json"]);
        let plain = tokens["tokens"].as_array().expect("an array").iter().cloned();
        let expected: Vec<Value> = bos.map(Value::from).into_iter().chain(plain).collect();
        assert_eq!(special["tokens"], json!(expected));
    }
    fails(dir.path(), &["detokenize", "x.acorn", "--tokens", "384"], 3, &["no token 384"]);
    fs::write(dir.path().join("text"), [0xFF]).expect("written");
    fails(dir.path(), &["tokenize", "x.acorn", "-f", "text"], 3, &["text", "UTF-8"]);
}

#[test]
fn exit_status() {
    let dir = work();
    let tiny = Folder::tiny().write();
    let tiny = tiny.path().display().to_string();
    done(dir.path(), &["convert", &tiny, "-o", "x.acorn"]);
    for wrong in [
        &["convert"] as &[&str],
        &["convert", &tiny, "--quant", "q5"],
        &["tokenize", "x.acorn"],
        &["tokenize", "x.acorn", "-p", "a", "-f", "b"],
        &["detokenize", "x.acorn", "--tokens", "1,x"],
        &["no-such-command"],
    ] {
        fails(dir.path(), wrong, 2, &[]);
    }
    fs::write(dir.path().join("text"), "no model".repeat(10)).expect("written");
    for command in ["inspect", "verify"] {
        for json in [&[] as &[&str], &["--json"]] {
            fails(dir.path(), &[&[command, "text"], json].concat(), 3, &["text", "not", "byte"]);
            fails(dir.path(), &[&[command, "gone"], json].concat(), 4, &["gone", "open"]);
            fails(dir.path(), &[&[command, "."], json].concat(), 3, &["folder", "config.json"]);
        }
    }
    fails(dir.path(), &["tokenize", "x.acorn", "-p", "a"], 3, &["x.acorn", "tokenizer.json"]);
    fails(dir.path(), &["convert", ".", "--json"], 3, &["config.json"]);
    fails(dir.path(), &["convert", "gone", "--json"], 4, &["gone"]);
    fails(dir.path(), &["convert", &tiny, "-o", "gone/x.acorn"], 4, &["gone/x.acorn"]);

    let mut damaged = fs::read(dir.path().join("x.acorn")).expect("readable");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(dir.path().join("x.acorn"), damaged).expect("written");
    done(dir.path(), &["inspect", "x.acorn"]);
    fails(dir.path(), &["verify", "x.acorn", "--json"], 3, &["x.acorn", "at byte", "checksum"]);
}

#[test]
fn every_help_has_an_example() {
    let dir = work();
    for command in ["convert", "inspect", "verify", "tokenize", "detokenize"] {
        let help = done(dir.path(), &[command, "--help"]);
        assert!(help.contains(&format!("Example:\n  acorn {command} ")), "{help}");
    }
    assert!(done(dir.path(), &["--help"]).contains("Example:"));
}

#[test]
fn the_default_name_is_that_of_the_folder() {
    let dir = work();
    fs::create_dir(dir.path().join("my.model")).expect("created");
    let tiny = Folder::tiny().write();
    for name in names(tiny.path()) {
        fs::copy(tiny.path().join(&name), dir.path().join("my.model").join(&name)).expect("copied");
    }
    done(dir.path(), &["convert", "my.model"]);
    done(dir.path(), &["convert", "my.model/", "--quant", "q4"]);
    done(&dir.path().join("my.model"), &["convert", ".", "--quant", "f32"]);
    assert!(dir.path().join("my.model.q8.acorn").exists());
    assert!(dir.path().join("my.model.q4.acorn").exists());
    assert!(dir.path().join("my.model/my.model.f32.acorn").exists());
}

/// The system refuses to let the file grow beyond 64 blocks, as a full disk does.
#[test]
#[cfg(unix)]
fn a_write_that_fails_leaves_nothing() {
    let dir = work();
    let big = Folder::llama(1, 256, 512, 4, 2, 500).write();
    let run = |limit: &str| {
        let script = format!(
            "trap '' XFSZ; ulimit -f {limit}; exec \"$0\" convert \"$1\" -o x.acorn --calibrate none"
        );
        let mut shell = Command::new("sh");
        shell.current_dir(dir.path()).args(["-c", &script, env!("CARGO_BIN_EXE_acorn")]);
        shell.arg(big.path()).output().expect("runs")
    };
    let output = run("64");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("x.acorn"), "{stderr}");
    assert!(names(dir.path()).is_empty());

    fs::write(dir.path().join("x.acorn"), "the old one").expect("written");
    assert_eq!(run("64").status.code(), Some(4));
    assert_eq!(names(dir.path()), ["x.acorn"]);
    assert_eq!(fs::read(dir.path().join("x.acorn")).expect("readable"), b"the old one");
    assert_eq!(run("unlimited").status.code(), Some(0));
}

/// On a real full disk, where this user may mount one.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_nothing() {
    let dir = work();
    let mounted = |args: &[&str]| {
        let mut mount = Command::new("mount");
        mount.args(args).arg(dir.path()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    if !mounted(&["-t", "tmpfs", "-o", "size=256k", "tmpfs"]) {
        eprintln!("not checked: this user may not mount a small disk");
        return;
    }
    let big = Folder::llama(1, 256, 512, 4, 2, 500).write();
    let big = big.path().display().to_string();
    let check = || {
        fails(
            dir.path(),
            &["convert", &big, "-o", "x.acorn"],
            4,
            &["no space left", "needs", "bytes"],
        );
        names(dir.path())
    };
    let left = std::panic::catch_unwind(check);
    let unmounted = Command::new("umount").arg(dir.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert_eq!(left.expect("fails as it should"), Vec::<String>::new());
}

#[test]
#[cfg(unix)]
fn devices_are_not_replaced() {
    let dir = work();
    let tiny = Folder::tiny().write();
    let tiny = tiny.path().display().to_string();
    fails(dir.path(), &["convert", &tiny, "-o", "/dev/full"], 4, &["/dev/full", "no regular file"]);
    fails(dir.path(), &["convert", &tiny, "-o", "."], 4, &["no regular file"]);
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link() {
    let dir = work();
    let tiny = Folder::tiny().write();
    fs::write(dir.path().join("real"), "old").expect("written");
    std::os::unix::fs::symlink("real", dir.path().join("link")).expect("linked");
    done(dir.path(), &["convert", &tiny.path().display().to_string(), "-o", "link"]);
    assert!(fs::symlink_metadata(dir.path().join("link")).expect("there").is_symlink());
    done(dir.path(), &["verify", "real"]);
}

/// Killed at any moment, a conversion leaves no target, the old one, or the whole new one.
#[test]
#[cfg(unix)]
fn kills() {
    let big = Folder::llama(2, 512, 1024, 8, 4, 6000).write();
    let dir = work();
    let target = dir.path().join("x.acorn");
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acorn"));
        command.arg("convert").arg(big.path()).arg("-o").arg(&target).stdout(Stdio::null());
        command.args(["--calibrate", "none"]);
        command.spawn().expect("starts")
    };
    assert!(start().wait().expect("runs").success());
    let new = fs::read(&target).expect("readable");
    let (mut absent, mut whole) = (0, 0);
    for (round, old) in (0..60).zip([None, Some(b"the old one".as_slice())].into_iter().cycle()) {
        clear(dir.path());
        if let Some(old) = old {
            fs::write(&target, old).expect("written");
        }
        let mut child = start();
        sleep(Duration::from_millis(round * 3));
        child.kill().expect("killed");
        child.wait().expect("ended");
        match fs::read(&target) {
            Err(_) => {
                assert!(old.is_none(), "round {round}: the old file is gone");
                absent += 1;
            }
            Ok(found) if found == new => whole += 1,
            Ok(found) => assert_eq!(Some(found.as_slice()), old, "round {round}"),
        }
    }
    assert!(absent > 0, "no kill came in time; {whole} conversions were complete");
    assert!(start().wait().expect("runs").success(), "leftovers are in the way");
    assert!(Model::parse(&fs::read(&target).expect("readable")).is_ok());
}

fn clear(dir: &Path) {
    let paths: Vec<PathBuf> = names(dir).iter().map(|name| dir.join(name)).collect();
    paths.iter().for_each(|path| fs::remove_file(path).expect("removed"));
}
