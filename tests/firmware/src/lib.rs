//! What the two programs share: a board to run on, and cases to run.
//!
//! `kernels` compares every kernel of the build with the formulas and prints a hash of all results: built
//! for the host, the same program says what they must be. `instructions` counts.
#![cfg_attr(any(target_arch = "arm", target_arch = "riscv32"), no_std)]

pub mod board;
pub mod cases;
pub mod floats;
pub mod random;
