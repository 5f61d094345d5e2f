//! The `.acorn` file: the only place where bytes become numbers (and numbers bytes).
//!
//! A file is a [`header`], a [`directory`] of sections, then the sections, each aligned to
//! [`ALIGNMENT`] so that kernels read it in place:
//!
//! ```text
//! header | directory | recipe | tensor table | weights | tokenizer | chat template | metadata
//! ```
//!
//! Each file of this module holds one structure and lists its fields once ([`wire`]): the same
//! list parses and writes, so the two cannot drift apart. `FORMAT.md` is the byte-exact
//! specification. Nothing here is `unsafe`, and no arithmetic is unchecked.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions
)]

pub mod crc32c;
pub mod directory;
pub mod encoding;
pub mod header;
pub mod recipe;
pub mod size;
pub mod tensor_table;
pub mod tokenizer;
pub mod wire;

pub use encoding::{BAND_ROWS, BLOCK, Band, Encoding};
pub use recipe::Recipe;

/// Sections and tensors start at multiples of this many bytes from the start of the file: a cache
/// line, so that no vector load of a band straddles two.
pub const ALIGNMENT: u64 = 64;

/// The version of the format that this code reads and writes. Version 0 was a draft: other quantized
/// bands, and no release that reads it.
pub const VERSION: u16 = 1;
