//! The linker script of the board that QEMU emulates: where its flash and RAM are.

use std::path::Path;

/// Flash and RAM of the boards: `mps2-an386` (Cortex-M4) and `mps2-an500` (M7) have the same,
/// `microbit` (M0), `mps2-an505` (M33), `mps3-an547` (M55).
fn memory(target: &str, kernel: &str) -> Option<[&'static str; 4]> {
    match (target, kernel) {
        ("thumbv6m-none-eabi", _) => Some(["0x00000000", "256K", "0x20000000", "16K"]),
        ("thumbv7em-none-eabihf", _) => Some(["0x00000000", "4M", "0x20000000", "4M"]),
        ("thumbv8m.main-none-eabihf", "mve") => Some(["0x00000000", "512K", "0x20000000", "512K"]),
        ("thumbv8m.main-none-eabihf", _) => Some(["0x10000000", "4M", "0x38000000", "2M"]),
        _ => None,
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=ACORN_KERNEL");
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rustc-check-cfg=cfg(small)");
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("TARGET").starts_with("thumbv6m") {
        println!("cargo:rustc-cfg=small");
    }
    let Some([flash, flash_len, ram, ram_len]) =
        memory(&variable("TARGET"), &variable("ACORN_KERNEL"))
    else {
        return;
    };
    let out = variable("OUT_DIR");
    let text = format!(
        "MEMORY {{\n  FLASH (rx) : ORIGIN = {flash}, LENGTH = {flash_len}\n  \
         RAM (rw) : ORIGIN = {ram}, LENGTH = {ram_len}\n}}\n"
    );
    std::fs::write(Path::new(&out).join("memory.x"), text).expect("a linker script");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-T{}/link.ld", variable("CARGO_MANIFEST_DIR"));
}
