//! `acorn inspect`: what is in a file.

use std::path::PathBuf;

use acorn_core::Model;
use serde::Serialize;
use serde_json::Value;

use super::print;
use crate::error::Error;
use crate::progress::Bar;
use crate::source;
use crate::summary::{Summary, bpw, parameters};

/// Show recipe, sections, tensors and sizes of an .acorn file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  acorn inspect smol.acorn --json | jq .bpw")]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let file = source::open(&args.file, &Bar::default())?;
    let contents = Contents::of(&file.model()?, file.len());
    if args.json { print::json(&contents) } else { print::text(&contents.describe()) }
}

#[derive(Serialize)]
struct Contents {
    file_bytes: u64,
    parameters: u64,
    bpw: f64,
    recipe: RecipeFields,
    sections: Vec<SectionLine>,
    tensors: Vec<TensorLine>,
    tokenizer: Option<TokenizerLine>,
    chat_template: bool,
    metadata: Value,
}

#[derive(Serialize)]
struct RecipeFields {
    vocab_size: u32,
    hidden: u32,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    ffn: u32,
    context: u32,
    rotary_dims: u32,
    norm_epsilon: f32,
    tied_head: bool,
    norm: &'static str,
    positions: &'static str,
    activation: &'static str,
    ungated: bool,
    biases: bool,
    key_centers: bool,
}

#[derive(Serialize)]
struct SectionLine {
    name: &'static str,
    offset: u64,
    bytes: u64,
    crc32c: String,
}

/// All tensors of one role and encoding: they have one shape.
#[derive(Serialize)]
struct TensorLine {
    role: &'static str,
    encoding: &'static str,
    count: u64,
    rows: u32,
    cols: u32,
    /// Of all of them together.
    bytes: u64,
    bpw: f64,
}

#[derive(Serialize)]
struct TokenizerLine {
    tokens: u32,
    merges: u32,
    bos: Option<u32>,
    eos: Option<u32>,
    stops: Vec<u32>,
}

impl Contents {
    fn of(model: &Model<'_>, file_bytes: u64) -> Self {
        let summary = Summary::of(model);
        let sections = model.sections().map(|section| SectionLine {
            name: section.kind.name(),
            offset: section.offset,
            bytes: section.len,
            crc32c: format!("{:08x}", section.crc),
        });
        Self {
            file_bytes,
            parameters: summary.parameters,
            bpw: summary.bpw(),
            recipe: RecipeFields::of(model),
            sections: sections.collect(),
            tensors: tensor_lines(model),
            tokenizer: TokenizerLine::of(model),
            chat_template: model.chat_template().is_some(),
            metadata: serde_json::from_str(model.metadata())
                .unwrap_or_else(|_| Value::String(model.metadata().to_owned())),
        }
    }

    fn describe(&self) -> String {
        let mut sections = print::table(&["section", "offset", "bytes", "crc32c"], &[1, 2]);
        for line in &self.sections {
            let (offset, bytes) = (line.offset.to_string(), line.bytes.to_string());
            sections.add_row([line.name, &offset, &bytes, &line.crc32c]);
        }
        let header = ["tensor", "encoding", "count", "shape", "bytes", "bpw"];
        let mut tensors = print::table(&header, &[2, 3, 4, 5]);
        for line in &self.tensors {
            tensors.add_row([
                line.role,
                line.encoding,
                &line.count.to_string(),
                &format!("{} × {}", line.rows, line.cols),
                &line.bytes.to_string(),
                &format!("{:.3}", line.bpw),
            ]);
        }
        let recipe = &self.recipe;
        let tokenizer = match &self.tokenizer {
            None => "none".to_owned(),
            Some(line) => format!(
                "{} tokens, {} merges, bos {}, eos {}, stops {:?}",
                line.tokens,
                line.merges,
                or_none(line.bos),
                or_none(line.eos),
                line.stops
            ),
        };
        format!(
            "{} bytes, {} parameters, {:.3} bpw\n\n\
             recipe: vocabulary {}, hidden {}, layers {}, heads {} × {} (key/value {}), ffn {}, \
             context {}, rotary dimensions {}, norm epsilon {:e}, {} head, {}, {} positions, \
             {} {} feed-forward, {} biases{}\n\
             tokenizer: {tokenizer}\n\
             chat template: {}\n\
             metadata: {}\n\n{sections}\n\n{tensors}",
            self.file_bytes,
            self.parameters,
            self.bpw,
            recipe.vocab_size,
            recipe.hidden,
            recipe.layers,
            recipe.heads,
            recipe.head_dim,
            recipe.kv_heads,
            recipe.ffn,
            recipe.context,
            recipe.rotary_dims,
            recipe.norm_epsilon,
            if recipe.tied_head { "tied" } else { "separate" },
            recipe.norm,
            recipe.positions,
            if recipe.ungated { "plain" } else { "gated" },
            recipe.activation,
            if recipe.biases { "with" } else { "no" },
            if recipe.key_centers { ", centred keys" } else { "" },
            if self.chat_template { "yes" } else { "none" },
            print::harmless(&self.metadata.to_string()),
        )
    }
}

fn or_none(id: Option<u32>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

impl RecipeFields {
    fn of(model: &Model<'_>) -> Self {
        let recipe = model.recipe();
        Self {
            vocab_size: recipe.vocab_size,
            hidden: recipe.hidden,
            layers: recipe.layers,
            heads: recipe.heads,
            kv_heads: recipe.kv_heads,
            head_dim: recipe.head_dim,
            ffn: recipe.ffn,
            context: recipe.context,
            rotary_dims: recipe.rotary_dims,
            norm_epsilon: recipe.norm_epsilon,
            tied_head: recipe.tied_head,
            norm: recipe.norm.name(),
            positions: recipe.positions.name(),
            activation: recipe.activation.name(),
            ungated: recipe.ungated,
            biases: recipe.biases,
            key_centers: recipe.key_centers,
        }
    }
}

impl TokenizerLine {
    fn of(model: &Model<'_>) -> Option<Self> {
        let tokenizer = model.tokenizer()?;
        let header = tokenizer.tables().header();
        let some = |id: u32| (id != acorn_core::format::tokenizer::NONE).then_some(id);
        Some(Self {
            tokens: header.tokens,
            merges: header.merges,
            bos: some(header.bos),
            eos: some(header.eos),
            stops: tokenizer.tables().stops().collect(),
        })
    }
}

fn tensor_lines(model: &Model<'_>) -> Vec<TensorLine> {
    let mut lines: Vec<TensorLine> = Vec::new();
    for tensor in model.tensors() {
        let (role, encoding) = (tensor.role.name(), tensor.encoding.name());
        let bytes = tensor.len;
        match lines.iter_mut().find(|line| (line.role, line.encoding) == (role, encoding)) {
            Some(line) => {
                line.count += 1;
                line.bytes += bytes;
            }
            None => {
                let (rows, cols) = (tensor.rows, tensor.cols);
                let bpw = bpw(bytes, parameters(tensor.role, rows, cols));
                lines.push(TensorLine { role, encoding, count: 1, rows, cols, bytes, bpw });
            }
        }
    }
    lines
}
