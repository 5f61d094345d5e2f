//! `acorn verify`: structure, checksums and every number of a file.

use std::path::PathBuf;

use super::print;
use crate::error::Error;
use crate::progress::Bar;
use crate::source;

/// Check the structure, the checksums and every number of an .acorn file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn verify smol.acorn || echo damaged")]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let file = source::open(&args.file, &Bar::default())?;
    let model = file.verify(&Bar::default())?;
    let (bytes, tensors) = (file.len(), model.tensors().count());
    if args.json {
        print::json(&serde_json::json!({ "valid": true, "file_bytes": bytes, "tensors": tensors }))
    } else {
        print::text(&format!("valid: {bytes} bytes, {tensors} tensors"))
    }
}
