//! Stub tour.
#![no_std]
pub mod error;
pub mod format;
pub mod model;
pub mod tokenizer;

pub use model::Model;
