//! What the bundled models are stored as. `ACORN_BUNDLED` may name a folder with them as `.acorn` files
//! (`home.acorn`, `bard.acorn`): these are what the tool would convert its Hugging Face folders to, and half as
//! large. Not set, the folders in `models/` go into the binary.

fn main() {
    println!("cargo::rerun-if-env-changed=ACORN_BUNDLED");
    println!("cargo::rustc-check-cfg=cfg(acorn_packed)");
    if std::env::var_os("ACORN_BUNDLED").is_some_and(|folder| !folder.is_empty()) {
        println!("cargo::rustc-cfg=acorn_packed");
    }
}
