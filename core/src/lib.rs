//! # Acorn's core: bytes → [`Model`] → [`Plan`] → [`Engine`] → token → text
//!
//! A small transformer language model, run from one packed file in one fixed buffer. `no_std`,
//! without a heap: the caller owns the bytes of the model, the arena, and every buffer.
//!
//! ```
//! # fn run(file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use acorn_core::{Arena, Engine, Limits, Model, Plan, Sampler, SamplerOptions};
//!
//! let model = Model::parse(file)?; // structure, O(tensors)
//! model.verify()?; // checksums and values, O(bytes)
//! let plan = Plan::new(&model, &Limits { context: 128, ..Default::default() })?;
//!
//! let mut arena = Arena::<{ 96 * 1024 }>::new(); // firmware: a static
//! let mut engine = Engine::new(&model, &plan, &mut arena)?;
//! let mut sampler = Sampler::new(SamplerOptions::default())?;
//!
//! let mut token = sampler.sample(engine.prefill(&[1, 2, 3])?, &[]);
//! while engine.position() < engine.context() {
//!     token = sampler.sample(engine.decode(token)?, &[]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A model whose file cannot be addressed, on an SD card or serial flash, runs through a small window with
//! the same bits: [`Model::open`], [`Limits::window`], [`Engine::streaming`].
//!
//! ```
//! # fn run(card: &mut dyn acorn_core::Source, resident: &mut [u8]) -> Result<(), Box<dyn std::error::Error>> {
//! # use acorn_core::{Arena, Engine, Limits, Model, Plan};
//! let model = Model::open(card, resident)?; // all but the matrices
//! let limits = Limits { context: 128, window: Some(16 * 1024), ..Default::default() };
//! let plan = Plan::new(&model, &limits)?;
//! let mut arena = Arena::<{ 112 * 1024 }>::new();
//! let mut engine = Engine::streaming(&model, &plan, &mut arena, card)?;
//! # Ok(())
//! # }
//! ```
//!
//! ## In reading order
//! 1. [`mod@format`]: the `.acorn` file, and the only place where bytes become numbers.
//! 2. [`model`]: [`Model`], the proof that bytes are valid; tensors as views.
//! 3. [`plan`]: every size in memory, before it is used; the arena and how it is cut.
//! 4. [`engine`]: the forward pass, in the order of the maths.
//! 5. [`kernel`]: the dot products; the scalar ones are the truth. [`math`]: exp, sine, sums.
//! 6. [`tokenizer`] and [`sample`]: text to tokens and back; logits to a token. [`fingerprint`]: a hash of
//!    logits, to compare machines by.
//!
//! ## Invariants
//! - **I1** `format/` alone turns bytes into numbers: no unsafe, no unchecked arithmetic.
//! - **I2** A [`Model`] is a proof: none of its accessors can fail or panic.
//! - **I3** Every size in memory comes from `plan/`.
//! - **I4** Unsafe code lives in `kernel/<arch>/` and in `plan/carve.rs` only, each block with its
//!   `SAFETY` comment.
//! - **I5** Every kernel is bit-equal to `kernel/scalar.rs` on every input in contract.
//! - **I6** The core never allocates, panics, recurses, or works unboundedly between two polls.
//! - **I7** A cargo feature never changes a result.
//! - **I8** The engine knows no model's name: an architecture is a [`format::Recipe`] in the file.
#![no_std]
#![deny(unsafe_code)]

pub mod engine;
pub mod error;
pub mod fingerprint;
pub mod format;
pub mod kernel;
pub mod math;
pub mod model;
pub mod plan;
pub mod sample;
pub mod tokenizer;

pub use engine::{Engine, Inline, Progress, Workers};
pub use error::{EngineError, FormatError, FormatErrorKind, OpenError, PlanError, ReadError};
pub use model::{Fault, Model, Source};
pub use plan::{Arena, KeepLogits, KvKind, Limits, Plan};
pub use sample::{Sampler, SamplerOptions, greedy};
pub use tokenizer::Tokenizer;
