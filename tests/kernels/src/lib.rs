//! What the tests of the kernels need: the formulas as an oracle, and memory that ends where readable
//! memory ends.

#[cfg_attr(not(any(unix, windows)), path = "unguarded.rs")]
mod guarded;
pub mod naive;

pub use guarded::Guarded;
