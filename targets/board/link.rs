//! The build script of the boards: hands the linker the board's memory, and the scripts of the processor's
//! runtime and of the logs.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    let memory = Path::new(env!("CARGO_MANIFEST_DIR")).join("memory.x");
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    if let Err(error) = fs::copy(&memory, out.join("memory.x")) {
        println!("cargo::error={}: {error}", memory.display());
    }
    println!("cargo::rustc-link-search={}", out.display());
    // The last one: who refers to whom, which `cargo xtask hardware` reads. No byte of it goes into flash.
    for argument in ["-Tlink.x", "-Tdefmt.x", "--nmagic", "--emit-relocs"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
