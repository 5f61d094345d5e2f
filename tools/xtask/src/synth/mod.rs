//! `cargo xtask synth`: a Hugging Face folder of a real model's shape, with random weights.
//!
//! Speed depends on a model's shape and hardly on what its weights say, so that this stands in for
//! downloads. The same seed gives the same weights.

mod tokenizer;
mod weights;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::command::Result;
use crate::shapes::{Dimensions, Shape};

/// Bytes of the other files, generously.
const BESIDE_WEIGHTS: u64 = 16 << 20;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  cargo xtask synth smollm2-135m /tmp/smol && \
    cargo run --release -- bench /tmp/smol")]
pub(crate) struct Args {
    /// The model whose shape it has
    #[arg(required_unless_present = "list")]
    shape: Option<Shape>,
    /// The folder to make; it must be new or empty
    #[arg(required_unless_present = "list")]
    dir: Option<PathBuf>,
    /// Which random weights
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// List the shapes instead
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (Some(shape), Some(dir), false) = (args.shape, &args.dir, args.list) else {
        println!("{}", list());
        return Ok(());
    };
    write(shape, args.seed, dir)?;
    println!("{}: {} parameters", dir.display(), shape.dimensions().parameters());
    Ok(())
}

fn list() -> Table {
    let mut table = Table::new();
    let header = [
        "shape",
        "parameters",
        "hidden",
        "ffn",
        "layers",
        "heads",
        "vocabulary",
        "context",
        "head",
    ];
    table.load_preset(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for shape in Shape::value_variants() {
        let dimensions = shape.dimensions();
        table.add_row([
            shape.name(),
            dimensions.parameters().to_string(),
            dimensions.hidden.to_string(),
            dimensions.ffn.to_string(),
            dimensions.layers.to_string(),
            format!("{}/{}", dimensions.heads, dimensions.kv_heads),
            dimensions.vocab.to_string(),
            dimensions.context.to_string(),
            if dimensions.tied { "tied" } else { "separate" }.to_owned(),
        ]);
    }
    table
}

/// Writes the folder `dir`, which appears whole or not at all.
pub(crate) fn write(shape: Shape, seed: u64, dir: &Path) -> Result<()> {
    if dir.exists() && !is_empty_folder(dir) {
        let dir = dir.display();
        return Err(format!("{dir}: exists and is no empty folder: name one that is to be made"));
    }
    let dimensions = shape.dimensions();
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed("make the folder", parent))?;
    check_room(parent, dimensions.parameters() as u64 * 2 + BESIDE_WEIGHTS)?;
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = parent.join(name);
    if part.exists() {
        fs::remove_dir_all(&part).map_err(failed("remove", &part))?;
    }
    fs::create_dir(&part).map_err(failed("make the folder", &part))?;
    let file = part.join("model.safetensors");
    weights::write(&dimensions, seed, &file).map_err(failed("write", &file))?;
    for (name, content) in [
        ("config.json", config(&dimensions)),
        ("tokenizer.json", tokenizer::json(dimensions.vocab)),
        ("tokenizer_config.json", tokenizer::config(dimensions.context)),
    ] {
        let file = part.join(name);
        fs::write(&file, content.to_string()).map_err(failed("write", &file))?;
    }
    fs::rename(&part, dir).map_err(failed("rename", &part))
}

fn is_empty_folder(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// Refuses to start what would fill the disk. Where the system does not say how much is free, the
/// writing itself will tell.
fn check_room(dir: &Path, needed: u64) -> Result<()> {
    match fs4::available_space(dir) {
        Ok(free) if free < needed => Err(format!(
            "{}: {} MiB are needed, but the disk has {} MiB free",
            dir.display(),
            needed.div_ceil(1 << 20),
            free >> 20
        )),
        _ => Ok(()),
    }
}

fn failed(doing: &str, path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: cannot {doing}: {error}", path.display())
}

fn config(dimensions: &Dimensions) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": dimensions.hidden,
        "intermediate_size": dimensions.ffn,
        "num_hidden_layers": dimensions.layers,
        "num_attention_heads": dimensions.heads,
        "num_key_value_heads": dimensions.kv_heads,
        "head_dim": dimensions.head_dim(),
        "vocab_size": dimensions.vocab,
        "max_position_embeddings": dimensions.context,
        "rms_norm_eps": dimensions.norm_epsilon,
        "rope_theta": dimensions.rope_theta,
        "hidden_act": "silu",
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": dimensions.tied,
        "bos_token_id": tokenizer::BEGIN,
        "eos_token_id": tokenizer::END,
        "torch_dtype": "float16",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused_with_what_is_needed() {
        let refused = check_room(Path::new("."), u64::MAX).unwrap_err();
        assert!(refused.contains("MiB are needed"), "{refused}");
        check_room(Path::new("."), 0).unwrap();
    }

    #[test]
    fn folders_that_hold_something_are_left_alone() {
        let refused = write(Shape::Stories15m, 0, Path::new("src")).unwrap_err();
        assert!(refused.contains("no empty folder"), "{refused}");
    }
}
