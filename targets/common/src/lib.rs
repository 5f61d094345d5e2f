//! What the firmwares share: the model in flash and the memory that it needs, an error that says what
//! to do, the stack's depth, a self-test that any machine can repeat, and a count by part.
//!
//! A firmware needs no more of it than [`boot`], [`LIMITS`] and [`ARENA_BYTES`]: see
//! `targets/qemu/src/bin/generate.rs`.
#![no_std]

pub mod bench;
mod error;
mod model;
pub mod selftest;
#[cfg(target_os = "none")]
pub mod stack;

pub use error::Error;
pub use model::{ARENA_BYTES, LIMITS, SLOTS, Slot, boot};
