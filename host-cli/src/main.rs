//! The `acorn` tool.
fn main() {}
