//! The programs that are measured and those that make their files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Quant;
use super::files::{Contestant, Engine};
use crate::command::{self, Result, cargo};

const SCRIPTS: &str = "tools/peers";

/// One run of a contestant, in tokens per second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) prefill: f64,
    pub(super) decode: f64,
    /// What ran: version, kernel.
    pub(super) version: String,
}

pub(super) struct Tools {
    pub(super) acorn: PathBuf,
    python: PathBuf,
    llama_bench: Option<PathBuf>,
}

impl Tools {
    /// Builds Acorn, and looks for the rest.
    pub(super) fn find(python: &Path, llama_bench: Option<&Path>) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        // A name without a folder is looked for among all programs.
        let is_name = python.components().count() == 1;
        let python = if is_name { python.to_owned() } else { absolute(python)? };
        let llama_bench = llama_bench.map(absolute).transpose()?;
        let modules = match llama_bench {
            None => "gguf, matplotlib, numpy, safetensors, llama_cpp",
            Some(_) => "gguf, matplotlib, numpy, safetensors",
        };
        let mut import = command::program(&python);
        import.args(["-c", &format!("import {modules}")]);
        command::output(import).map_err(|message| {
            format!(
                "{message}\nPython with {modules} is needed: make one with\n  python3 -m venv ~/peers \
                 && ~/peers/bin/pip install -r {SCRIPTS}/requirements.txt\nand name it with \
                 --python ~/peers/bin/python"
            )
        })?;
        command::output(cargo(&["build", "--release", "--package", "acorn-cli"]))?;
        let acorn = command::target_dir().join("release/acorn");
        Ok(Self { acorn, python, llama_bench })
    }

    fn script(&self, name: &str) -> Command {
        let mut script = command::program(&self.python);
        script.arg(Path::new(SCRIPTS).join(name));
        script
    }

    pub(super) fn convert(&self, folder: &Path, quant: Quant, out: &Path) -> Result<()> {
        let mut convert = command::program(&self.acorn);
        convert.arg("convert").arg(folder).arg("-o").arg(out).args(["--quant", quant.name()]);
        // Speed does not depend on it, and random weights have nothing to be fitted to.
        convert.args(["--calibrate", "none"]);
        command::output(convert).map(drop)
    }

    pub(super) fn write_gguf(&self, folder: &Path, out: &Path) -> Result<()> {
        let mut write = self.script("gguf_files.py");
        write.arg("write").arg(folder).arg(out);
        command::output(write).map(drop)
    }

    pub(super) fn quantize_gguf(&self, plain: &Path, out: &Path, kind: &str) -> Result<()> {
        let quantize = match &self.llama_bench {
            None => {
                let mut quantize = self.script("gguf_files.py");
                quantize.arg("quantize").arg(plain).arg(out).arg(kind);
                quantize
            }
            Some(bench) => {
                let mut quantize = command::program(bench.with_file_name("llama-quantize"));
                quantize.arg(plain).arg(out).arg(kind);
                quantize
            }
        };
        command::output(quantize).map(drop)
    }

    pub(super) fn gguf_bytes(&self, file: &Path) -> Result<u64> {
        let mut bytes = self.script("gguf_files.py");
        bytes.arg("bytes").arg(file);
        let printed = command::output(bytes)?;
        printed.trim().parse().map_err(|_| format!("expected a number of bytes, found {printed:?}"))
    }

    pub(super) fn acorn_bytes(&self, file: &Path) -> Result<u64> {
        let mut inspect = command::program(&self.acorn);
        inspect.arg("inspect").arg(file).arg("--json");
        acorn_bytes_per_token(&json(&command::output(inspect)?)?)
    }

    pub(super) fn plot(&self, results: &Path, out: &Path) -> Result<()> {
        let mut plot = self.script("plot.py");
        plot.arg(results).arg(out);
        command::output(plot).map(drop)
    }

    /// A prompt, and tokens decoded from an empty context on, once each after warming up.
    pub(super) fn measure(
        &self,
        contestant: &Contestant,
        prompt: u32,
        decode: u32,
        threads: u32,
    ) -> Result<Run> {
        let file = contestant.file.as_os_str();
        let numbers = [prompt, decode, threads].map(|number| number.to_string());
        let [prompt, decode, threads] = numbers.each_ref().map(OsStr::new);
        let arg = OsStr::new;
        match (contestant.engine, &self.llama_bench) {
            (Engine::Acorn, _) => {
                let mut bench = command::program(&self.acorn);
                bench.args([arg("bench"), file, arg("-p"), prompt, arg("-n"), decode]);
                bench.args([arg("-t"), threads]).args(["--depth", "0", "-r", "1", "--json"]);
                read_acorn(&json(&command::output(bench)?)?)
            }
            (Engine::LlamaCpp, None) => {
                let mut bench = self.script("llama_cpp_bench.py");
                bench.args([file, arg("--prompt"), prompt, arg("--decode"), decode]);
                bench.args([arg("--threads"), threads]);
                read_script(&json(&command::output(bench)?)?)
            }
            (Engine::LlamaCpp, Some(program)) => {
                let mut bench = command::program(program);
                bench.args([arg("-m"), file, arg("-p"), prompt, arg("-n"), decode]);
                bench.args([arg("-t"), threads]).args(["-r", "1", "-o", "json"]);
                read_llama_bench(&json(&command::output(bench)?)?)
            }
        }
    }
}

fn json(printed: &str) -> Result<Value> {
    serde_json::from_str(printed).map_err(|error| format!("no JSON: {error}: {printed:?}"))
}

fn number(value: &Value, field: &str) -> Result<f64> {
    let number = value[field].as_f64().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("expected a number {field:?} above 0 in {value}"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Weights that every token reads: not the rotary table, nor an embedding that is not the head, too.
fn acorn_bytes_per_token(inspected: &Value) -> Result<u64> {
    let tensors = inspected["tensors"].as_array().ok_or("acorn inspect lists no tensors")?;
    let separate_head = tensors.iter().any(|tensor| tensor["role"] == "head");
    let read = |tensor: &&Value| {
        tensor["role"] != "rotary" && !(separate_head && tensor["role"] == "embedding")
    };
    let bytes = |tensor: &Value| {
        tensor["bytes"].as_u64().ok_or_else(|| format!("expected a number of bytes in {tensor}"))
    };
    tensors.iter().filter(read).map(bytes).sum()
}

fn read_acorn(printed: &Value) -> Result<Run> {
    let line = &printed[0];
    Ok(Run {
        prefill: number(line, "prefill_tps")?,
        decode: number(line, "decode_tps")?,
        version: format!("kernel {}", text(&line["kernel"])),
    })
}

fn read_script(printed: &Value) -> Result<Run> {
    let first = |field: &str| {
        let first = printed[field][0].as_f64();
        first.ok_or_else(|| format!("expected a list of numbers {field:?} in {printed}"))
    };
    Ok(Run {
        prefill: first("prefill_tps")?,
        decode: first("decode_tps")?,
        version: text(&printed["engine"]),
    })
}

/// One object per test: a prompt has `n_gen` 0, decoding `n_prompt` 0.
fn read_llama_bench(printed: &Value) -> Result<Run> {
    let test = |absent: &str| {
        let test = printed.as_array().and_then(|all| all.iter().find(|test| test[absent] == 0));
        test.ok_or_else(|| format!("expected a test with {absent:?} 0 in {printed}"))
    };
    let (prompt, decoding) = (test("n_gen")?, test("n_prompt")?);
    Ok(Run {
        prefill: number(prompt, "avg_ts")?,
        decode: number(decoding, "avg_ts")?,
        version: format!("llama-bench {}", text(&prompt["build_commit"])),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(version: &str) -> Run {
        Run { prefill: 100.5, decode: 20.25, version: version.into() }
    }

    #[test]
    fn figures_are_read_from_what_each_program_prints() {
        let acorn = json!([{"prefill_tps": 100.5, "decode_tps": 20.25, "kernel": "scalar"}]);
        assert_eq!(read_acorn(&acorn), Ok(run("kernel scalar")));
        let script = json!({"prefill_tps": [100.5], "decode_tps": [20.25], "engine": "x 1"});
        assert_eq!(read_script(&script), Ok(run("x 1")));
        let bench = json!([
            {"n_prompt": 128, "n_gen": 0, "avg_ts": 100.5, "build_commit": "abc"},
            {"n_prompt": 0, "n_gen": 64, "avg_ts": 20.25, "build_commit": "abc"},
        ]);
        assert_eq!(read_llama_bench(&bench), Ok(run("llama-bench abc")));
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = read_acorn(&json!([{"prefill_tps": 1.0}])).unwrap_err();
        assert!(message.contains("decode_tps"), "{message}");
        assert!(read_script(&json!({})).unwrap_err().contains("prefill_tps"));
        assert!(read_llama_bench(&json!([])).unwrap_err().contains("n_gen"));
    }

    #[test]
    fn a_separate_head_leaves_the_embedding_unread() {
        let tensor = |role: &str, bytes: u64| json!({"role": role, "bytes": bytes});
        let mut tensors = vec![tensor("embedding", 100), tensor("rotary", 5), tensor("up", 7)];
        assert_eq!(acorn_bytes_per_token(&json!({"tensors": tensors})), Ok(107));
        tensors.push(tensor("head", 50));
        assert_eq!(acorn_bytes_per_token(&json!({"tensors": tensors})), Ok(57));
    }
}
