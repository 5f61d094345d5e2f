//! A Rust toolchain for other processors than the host's: what `tools/cross/toolchain.sh` finds or makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{self, Result};

/// What to build with.
pub(crate) struct Toolchain {
    name: String,
    build_std: bool,
}

impl Toolchain {
    /// One that compiles for all the `targets`.
    pub(crate) fn find(targets: &[&str]) -> Result<Self> {
        Self::by(targets, None)
    }

    /// One that compiles for one of the `targets`, and that target: the first that is installed, else the
    /// first that rustup gives, else one for glibc of Debian's packages.
    pub(crate) fn find_first(targets: &[&'static str]) -> Result<(Self, &'static str)> {
        for way in ["installed", "rustup", "debian"] {
            for &target in targets.iter().filter(|name| way != "debian" || name.contains("gnu")) {
                if let Ok(toolchain) = Self::by(&[target], Some(way)) {
                    return Ok((toolchain, target));
                }
            }
        }
        Err(format!("no toolchain builds for {}: try `rustup target add`", targets.join(" or ")))
    }

    /// One that compiles for all the `targets`, in any way or in this one of the script's.
    fn by(targets: &[&str], way: Option<&str>) -> Result<Self> {
        let mut script = command::program("bash");
        script.arg("tools/cross/toolchain.sh").args(targets).stderr(Stdio::inherit());
        if let Some(way) = way {
            script.env("ACORN_CROSS_WAY", way);
        }
        println!("$ bash tools/cross/toolchain.sh {}", targets.join(" "));
        let output = script.output().map_err(|error| format!("cannot run bash: {error}"))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let fields: BTreeMap<_, _> =
            stdout.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        match (output.status.success(), fields.get("toolchain"), fields.get("build-std")) {
            (true, Some(&name), Some(&build_std)) => {
                Ok(Self { name: name.to_owned(), build_std: build_std == "yes" })
            }
            _ => Err(format!("no toolchain builds for {}", targets.join(", "))),
        }
    }

    /// Whether it can lint: Debian's cannot.
    pub(crate) fn has_clippy(&self) -> bool {
        !self.build_std
    }

    /// A call of its cargo with `command` and `arguments` for `target`, into `folder`; `parts` of the
    /// standard library are built as well if it comes as source.
    pub(crate) fn cargo(
        &self,
        command: &str,
        target: &str,
        parts: &str,
        folder: &Path,
        arguments: &[&str],
    ) -> Command {
        let mut cargo = if self.name == "default" {
            command::program("cargo")
        } else {
            let mut rustup = command::program("rustup");
            rustup.args(["run", &self.name, "cargo"]);
            rustup
        };
        cargo.args([command, "--target", target, "--target-dir"]).arg(folder);
        if self.build_std {
            cargo.env("RUSTC_BOOTSTRAP", "1").arg(format!("-Zbuild-std={parts}"));
        }
        cargo.args(arguments);
        cargo
    }
}
