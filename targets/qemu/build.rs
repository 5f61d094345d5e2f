//! Hands the linker the board's memory, and the script of the processor's runtime.

use std::path::{Path, PathBuf};
use std::{env, fs};

const BOARDS: [&str; 6] = ["m0", "m4", "m7", "m33", "m55", "riscv32"];

fn main() {
    println!("cargo::rerun-if-changed=boards");
    let chosen: Vec<_> = BOARDS
        .into_iter()
        .filter(|board| env::var_os(format!("CARGO_FEATURE_{}", board.to_uppercase())).is_some())
        .collect();
    let [board] = chosen[..] else {
        println!(
            "cargo::error=expected one board as a feature ({}), found {chosen:?}: e.g. --features m4",
            BOARDS.join(", ")
        );
        return;
    };
    let memory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("boards/{board}.x"));
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    if let Err(error) = fs::copy(&memory, out.join("memory.x")) {
        println!("cargo::error={}: {error}", memory.display());
    }
    println!("cargo::rustc-link-search={}", out.display());
    if board == "riscv32" {
        // cortex-m-rt's script asks for it by itself.
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
    // Who refers to whom: what `cargo xtask boards` reads. No byte of it goes into flash.
    println!("cargo::rustc-link-arg-bins=--emit-relocs");
}
