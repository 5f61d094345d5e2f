//! What commands print on standard output.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::error::Error;

/// Prints bytes as they are. A reader that has seen enough (a closed pipe) is no error.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::io(Path::new("standard output"), "write to it")),
    }
}

/// Prints a line or several.
pub(super) fn text(text: &str) -> Result<(), Error> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints one JSON object on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), Error> {
    let line = serde_json::to_string(value)
        .map_err(|error| Error::internal(Path::new("standard output"), error.to_string()))?;
    text(&line)
}

/// A table without frames; the columns in `numbers` are aligned to the right.
pub(super) fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Text from a file, for a terminal: control characters are spelled out.
pub(super) fn harmless(text: &str) -> String {
    let spell = |c: char| match c.is_control() {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(spell).collect()
}
