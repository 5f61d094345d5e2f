//! The models in flash: the files that `ACORN_MODEL` and `ACORN_MODEL_B` named when the firmware was
//! built, in two slots, so that one that was damaged, or half updated, leaves the other.
// Naming a section of constants is all that is unsafe here: every linker script must keep `.model.a` and `.model.b`.
#![allow(unsafe_code)]

use acorn_core::{FormatError, KeepLogits, Limits, Model};

include!(concat!(env!("OUT_DIR"), "/plan.rs"));

/// What the engine shall be able to do: the fewest bytes, one token at a time.
pub const LIMITS: Limits = Limits {
    context: CONTEXT,
    batch: 1,
    kv: None,
    workers: 1,
    logits: KeepLogits::Last,
    window: None,
};

/// Bytes of the arena beyond [`ARENA_BYTES`] that a second core needs (`workers: 2`): what it works on attention with.
pub const SECOND_CORE_BYTES: usize = 1280;

/// A place for an `.acorn` file in flash, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Its name, for messages.
    pub name: &'static str,
    /// The file; none where it is empty.
    pub file: &'static [u8],
}

/// The slots, the first to be tried first.
pub static SLOTS: [Slot; 2] =
    [Slot { name: "A", file: &FILE_A.0 }, Slot { name: "B", file: &FILE_B.0 }];

/// The first model that is whole, with the checksums of all its sections; those before it are
/// reported. O(bytes).
///
/// # Errors
/// No slot has one: the last one's fault.
pub fn boot(mut report: impl FnMut(Slot, FormatError)) -> Result<Model<'static>, FormatError> {
    let mut result = Model::parse(&[]);
    for slot in SLOTS.into_iter().filter(|slot| !slot.file.is_empty()) {
        result = Model::parse(slot.file).and_then(|model| model.verify().map(|()| model));
        match result {
            Ok(_) => break,
            Err(error) => report(slot, error),
        }
    }
    result
}

#[cfg_attr(target_os = "none", unsafe(link_section = ".model.a"))]
static FILE_A: Aligned<[u8; include_bytes!(concat!(env!("OUT_DIR"), "/a.acorn")).len()]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/a.acorn")));

#[cfg_attr(target_os = "none", unsafe(link_section = ".model.b"))]
static FILE_B: Aligned<[u8; include_bytes!(concat!(env!("OUT_DIR"), "/b.acorn")).len()]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/b.acorn")));

/// Sections of the file are read in cache lines: each starts at one.
#[repr(C, align(64))]
struct Aligned<T>(T);
