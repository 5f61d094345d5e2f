//! Says whether the target is a microcontroller (`acorn_mcu`: what is seldom needed is compiled once instead of
//! where it is fast), whether floats are calls there (`acorn_soft`) and whether its instructions are Armv6-M's
//! (`acorn_thumb1`), and chooses the kernels of one, whose compiler target says too little: `cfg(target_feature)`
//! knows neither the DSP instructions of a Cortex-M4 nor the vectors of a Cortex-M55 on stable Rust.
//!
//! | `ACORN_KERNEL` | the kernel for `thumbv7em*` and `thumbv8m.main*`, beside the scalar one |
//! |---|---|
//! | not set | `dsp`: all of Cortex-M4 and M7, nearly all of M33 (there, it is an option), M55 |
//! | `mve` | `mve`: Cortex-M55, M85 |
//! | `dsp` | as if not set |
//! | `scalar` | neither; `word-pairs`, as for smaller processors |
//!
//! Other targets do not ask. All kernels give the same bits: this chooses a speed, never a result.

fn main() {
    println!("cargo:rerun-if-env-changed=ACORN_KERNEL");
    println!(
        "cargo:rustc-check-cfg=cfg(acorn_mcu, acorn_soft, acorn_thumb1, acorn_dsp, acorn_mve, acorn_fpu)"
    );
    let target = std::env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumb") || target.starts_with("riscv32") {
        println!("cargo:rustc-cfg=acorn_mcu");
        let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
        if !target.ends_with("hf") && features.split(',').all(|feature| feature != "f") {
            println!("cargo:rustc-cfg=acorn_soft");
        }
    }
    if target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base") {
        println!("cargo:rustc-cfg=acorn_thumb1");
    }
    let armv8 = target.starts_with("thumbv8m.main");
    if !(armv8 || target.starts_with("thumbv7em")) {
        return;
    }
    // The assembler is told of a processor that has the instructions.
    let chosen = |kernel, processor| {
        println!("cargo:rustc-cfg=acorn_{kernel}");
        println!("cargo:rustc-env=ACORN_PROCESSOR={processor}");
        // A processor with DSP instructions may come without a floating-point unit.
        if target.ends_with("eabihf") || kernel == "mve" {
            println!("cargo:rustc-cfg=acorn_fpu");
        }
    };
    match std::env::var("ACORN_KERNEL").as_deref() {
        Ok("scalar") => {}
        Ok("mve") if armv8 => chosen("mve", "cortex-m55"),
        Err(_) | Ok("" | "dsp") => chosen("dsp", if armv8 { "cortex-m33" } else { "cortex-m4" }),
        Ok(other) => println!(
            "cargo::error=ACORN_KERNEL is \"{other}\": for {target} it may be {}dsp or scalar",
            if armv8 { "mve, " } else { "" }
        ),
    }
}
