//! Memory: how much there is, how much a model may take, and how weights that do not fit are streamed.
//!
//! - [`size`]: numbers of bytes as people write them.
//! - [`system`]: what the operating system says that there is.
//! - [`budget`]: a bound on all memory, and what it leaves for weights.
//! - [`measure`]: how fast memory and file are.
//! - [`stream`]: a file's weights read ahead by a thread, in the order in which a pass needs them.

pub mod budget;
pub mod measure;
mod order;
mod reader;
pub mod size;
pub mod stream;
pub mod system;
