//! What the firmwares share: the model in flash and the memory that it needs, an error that says what
//! to do, the stack's depth, a self-test that any machine can repeat, a count by part; for boards, a line from a serial console, an
//! answer to it, the sharing of work by several cores, and models on memories that have to be read.
//!
//! A firmware needs no more of it than [`boot`], [`LIMITS`] and [`ARENA_BYTES`]: see
//! `targets/qemu/src/bin/generate.rs`.
#![no_std]

mod answer;
pub mod bench;
mod error;
mod line;
mod model;
#[cfg(target_has_atomic = "ptr")]
mod pool;
pub mod selftest;
#[cfg(target_os = "none")]
pub mod stack;
pub mod storage;

pub use answer::{answer, encode};
pub use error::Error;
pub use line::{LINE_BYTES, Line};
pub use model::{ARENA_BYTES, LIMITS, SECOND_CORE_BYTES, SLOTS, Slot, boot};
#[cfg(target_has_atomic = "ptr")]
pub use pool::Pool;
