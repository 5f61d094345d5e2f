//! Hands the linker the board's memory.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("memory.x");
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    // The last one: who refers to whom, which `cargo xtask boards` reads. No byte of it goes into the image.
    for argument in ["--nmagic", "--emit-relocs"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
