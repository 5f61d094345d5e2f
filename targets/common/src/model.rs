//! The model in flash: the file that `ACORN_MODEL` named when the firmware was built.
// Naming a section of constants is all that is unsafe here: every linker script must keep `.model`.
#![allow(unsafe_code)]

use acorn_core::{KeepLogits, Limits};

include!(concat!(env!("OUT_DIR"), "/plan.rs"));

/// What the engine shall be able to do: the fewest bytes, one token at a time.
pub const LIMITS: Limits =
    Limits { context: CONTEXT, batch: 1, kv: None, workers: 1, logits: KeepLogits::Last };

/// The bytes of the `.acorn` file, read in place. The linker script says where `.model` lies.
pub static MODEL: &[u8] = &FILE.0;

#[cfg_attr(target_os = "none", unsafe(link_section = ".model"))]
static FILE: Aligned<[u8; include_bytes!(concat!(env!("OUT_DIR"), "/model.acorn")).len()]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.acorn")));

/// The kernels read whole groups of 32 bytes; a cache line keeps each in one.
#[repr(C, align(64))]
struct Aligned<T>(T);
