//! 32-bit Arm processors with an operating system: the NEON of Cortex-A7, A8, A15, A53 (Raspberry Pi 2 to 4 with
//! 32-bit systems), where it is there; some Cortex-A9 and all of ARMv6 have none.
//!
//! Routines in assembler, since a stable compiler for such a target has neither intrinsics nor registers for
//! NEON. That also keeps floats out of it: NEON's flushes the smallest ones to zero, so all floats go through
//! VFP, which does as IEEE 754 says.
#![allow(unsafe_code)]

/// What every routine begins with: the instructions that it may use.
macro_rules! processor {
    () => {
        ".arch armv7-a\n.fpu neon"
    };
}

mod detect;
mod q4;
mod q8;
mod wide;

use super::elementwise::Elementwise;
use super::{Kernel, gemv, scalar};

/// The kernel; handed out only where NEON has been seen, which is the contract of the routines behind it.
static KERNEL: Kernel = Kernel {
    name: "armv7-neon",
    f32: scalar::KERNEL.f32,
    q8: q8::q8,
    q4: q4::q4,
    two: None,
    widens_q8: false,
    gemv_q8: |bands, x, scale, out| gemv::q8(q8::q8, bands, x, scale, out),
    gemv_q4: |bands, x, scale, out| gemv::q4(q4::q4, bands, x, scale, out),
    q8_wide: wide::q8_wide,
    elementwise: Elementwise::PORTABLE,
};

/// The kernels of this folder that this machine can run.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    detect::neon().then_some(&KERNEL).into_iter()
}
