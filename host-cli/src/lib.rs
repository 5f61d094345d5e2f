//! The host tool as a library: what the command `acorn` does, for tests and other programs.
//!
//! In reading order:
//!
//! - [`hf`]: a Hugging Face folder, understood: recipe, tensors, tokenizer.
//! - [`quantize`]: floats to the bands of the `.acorn` file.
//! - [`convert`]: the two together, streamed into a file that appears whole or not at all.
//! - [`model_file`], [`summary`]: such a file opened, and described in figures; [`file_source`]: read piece by
//!   piece.
//! - [`memory`], [`opened`]: models larger than memory; a file opened to be run, within a bound or without.
//! - [`source`], [`bundled`]: a model by any of its names, those inside the binary too.
//! - [`text`], [`threads`], [`tuning`], [`session`]: tokens, processors and how many of them, a model at work.
//! - [`evaluate`], [`pairs`]: how good it is.
//! - `npy`: the head of NumPy's files.
//! - [`commands`]: the command line; one file per command.
//! - [`error`], [`progress`], [`bus_error`]: what all of them tell.

pub mod bundled;
pub mod bus_error;
pub mod commands;
pub mod convert;
pub mod error;
pub mod evaluate;
pub mod file_source;
pub mod hf;
mod mapped;
pub mod memory;
pub mod model_file;
mod npy;
pub mod opened;
mod output;
pub mod pairs;
pub mod progress;
pub mod quantize;
pub mod session;
pub mod source;
pub mod summary;
pub mod text;
pub mod threads;
pub mod tuning;
