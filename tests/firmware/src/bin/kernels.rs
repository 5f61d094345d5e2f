//! Every kernel of the build against the formulas: prints a line per kind of case with a hash of the
//! results, then "ok". Built for the host, it prints what the others must.
#![cfg_attr(any(target_arch = "arm", target_arch = "riscv32"), no_std, no_main)]

use acorn_kernel_firmware::{cases, floats, program, say};

program!(run);

fn run() -> bool {
    for kernel in acorn_core::kernel::available() {
        say!("kernel: {}", kernel.name);
    }
    let ok = cases::run();
    let ok = floats::run() && ok;
    say!("{}", if ok { "ok" } else { "FAILED" });
    ok
}
