//! The converter: what it writes, what it refuses, and that damage to what it wrote is found.

#[path = "../common/folder.rs"]
mod folder;

mod calibrated;
mod damage;
mod gpt2;
mod refusals;
mod round_trip;
