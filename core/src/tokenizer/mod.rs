//! Text to tokens and back, over the model's tables and caller-owned buffers.

use crate::format::tokenizer::Tables;

/// A model's tokenizer.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizer<'a> {
    tables: Tables<'a>,
}

impl<'a> Tokenizer<'a> {
    pub(crate) fn new(tables: Tables<'a>) -> Self {
        Self { tables }
    }

    /// The tables in the file.
    pub fn tables(&self) -> &Tables<'a> {
        &self.tables
    }
}
