//! Puts a model into the firmware: checks it, and plans the arena that it needs.
//!
//! `ACORN_MODEL` is the `.acorn` file (a relative path starts at `targets/`; default: `home.acorn`
//! there), `ACORN_CONTEXT` the positions of the KV cache (default: 128, or all that the model takes).

use std::path::{Path, PathBuf};
use std::{env, fs};

use acorn_core::{Limits, Model, Plan};

/// Positions of the KV cache where nobody asks for others.
const CONTEXT: u32 = 128;

fn main() {
    println!("cargo::rerun-if-env-changed=ACORN_MODEL");
    println!("cargo::rerun-if-env-changed=ACORN_CONTEXT");
    if let Err(message) = generate() {
        println!("cargo::error={message}");
    }
}

fn generate() -> Result<(), String> {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = env::var_os("ACORN_MODEL").map_or_else(|| "home.acorn".into(), PathBuf::from);
    let path = targets.join(path);
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).map_err(|error| {
        format!(
            "{}: {error}; ACORN_MODEL must name an .acorn file: make one with `acorn convert`",
            path.display()
        )
    })?;
    let failed = |problem: String| format!("{}: {problem}", path.display());
    let model = Model::parse(&bytes).map_err(|error| failed(error.to_string()))?;
    model.verify().map_err(|error| failed(error.to_string()))?;
    let context = match env::var("ACORN_CONTEXT") {
        Ok(text) => text.parse().map_err(|_| {
            format!("ACORN_CONTEXT: expected a number of positions, found {text:?}")
        })?,
        Err(_) => CONTEXT.min(model.recipe().context),
    };
    let limits = Limits { context, ..Limits::default() };
    let plan = Plan::new(&model, &limits).map_err(|error| failed(error.to_string()))?;
    // Checked above, then included from a path that cannot change meanwhile.
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo gives OUT_DIR")?);
    fs::write(out.join("model.acorn"), &bytes).map_err(|error| failed(error.to_string()))?;
    let code = format!(
        "/// Bytes of the arena that the model needs within [`LIMITS`].\n\
         pub const ARENA_BYTES: usize = {};\n\
         const CONTEXT: u32 = {context};\n",
        plan.arena_bytes()
    );
    fs::write(out.join("plan.rs"), code).map_err(|error| failed(error.to_string()))
}
