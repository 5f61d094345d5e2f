//! `acorn models`: the bundled ones.

use serde::Serialize;

use super::print;
use crate::bundled::MODELS;
use crate::error::Error;

/// List the bundled models
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn models && acorn run home -p \"lights off in the hall\"")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    example: &'static str,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let lines = MODELS.iter().map(|model| Line {
        name: model.name,
        about: model.about,
        example: model.example,
    });
    if args.json {
        let lines: Vec<Line> = lines.collect();
        return print::json(&serde_json::json!({ "models": lines }));
    }
    let mut table = print::table(&["name", "about", "try"], &[]);
    for line in lines {
        table.add_row([
            line.name,
            line.about,
            &format!("acorn run {} -p \"{}\"", line.name, line.example),
        ]);
    }
    print::text(&table.to_string())
}
