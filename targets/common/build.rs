//! Puts models into the firmware: checks them, and plans the arena that they need.
//!
//! `ACORN_MODEL` is the `.acorn` file of slot A (a relative path starts at `targets/`; default:
//! `home.acorn` there), `ACORN_MODEL_B` that of slot B (default: none), `ACORN_CONTEXT` the positions of
//! the KV cache (default: 128, or all that the models take).

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{env, fs};

use acorn_core::{Limits, Model, Plan};

/// Positions of the KV cache where nobody asks for others.
const CONTEXT: u32 = 128;

fn main() {
    for name in ["ACORN_MODEL", "ACORN_MODEL_B", "ACORN_CONTEXT"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if let Err(message) = generate() {
        println!("cargo::error={message}");
    }
}

fn generate() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo gives OUT_DIR")?);
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let slot = |name, default| env::var_os(name).unwrap_or_else(|| OsString::from(default));
    let slots = [("a", slot("ACORN_MODEL", "home.acorn")), ("b", slot("ACORN_MODEL_B", ""))];
    let mut files = Vec::new();
    for (slot, path) in slots {
        // Checked here, then included from a path that cannot change meanwhile.
        let copy = out.join(format!("{slot}.acorn"));
        let bytes = if path.is_empty() { vec![] } else { read(&targets.join(path))? };
        fs::write(&copy, &bytes).map_err(|error| format!("{}: {error}", copy.display()))?;
        files.push(bytes);
    }
    let models: Vec<_> = files.iter().filter_map(|file| Model::parse(file).ok()).collect();
    let most = models.iter().map(|model| model.recipe().context).min().unwrap_or(CONTEXT);
    let context = match env::var("ACORN_CONTEXT") {
        Ok(text) => text.parse().map_err(|_| {
            format!("ACORN_CONTEXT: expected a number of positions, found {text:?}")
        })?,
        Err(_) => CONTEXT.min(most),
    };
    let limits = Limits { context, ..Limits::default() };
    let mut arena = 0;
    for model in &models {
        let plan = Plan::new(model, &limits).map_err(|error| format!("ACORN_CONTEXT: {error}"))?;
        arena = arena.max(plan.arena_bytes());
    }
    let code = format!(
        "/// Bytes of the arena that the models need within [`LIMITS`].\n\
         pub const ARENA_BYTES: usize = {arena};\n\
         const CONTEXT: u32 = {context};\n"
    );
    fs::write(out.join("plan.rs"), code).map_err(|error| format!("plan.rs: {error}"))
}

/// The bytes of a model that is whole.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    println!("cargo::rerun-if-changed={}", path.display());
    let failed = |problem: &dyn Display| format!("{}: {problem}", path.display());
    let bytes = fs::read(path).map_err(|error| {
        failed(&format!(
            "{error}; ACORN_MODEL must name an .acorn file: make one with `acorn convert`"
        ))
    })?;
    let model = Model::parse(&bytes).map_err(|error| failed(&error))?;
    model.verify().map_err(|error| failed(&error))?;
    Ok(bytes)
}
