//! GPT-2: pre-norm blocks of LayerNorm, multi-head attention and a plain feed-forward with GELU,
//! biases everywhere, learned positions. Its projections are stored [in, out] (`Conv1D`), query, key and
//! value as one.
//!
//! Source: transformers, `models/gpt2/{configuration,modeling}_gpt2.py`.

use acorn_core::format::recipe::{Activation, Norm, Positions, Recipe};
use acorn_core::format::tensor_table::Role;
use serde_json::json;

use super::config::Fields;
use super::{Architecture, Source, common};
use crate::error::Error;

/// The architectures that this file maps.
pub(super) const NAMES: [&str; 1] = ["GPT2LMHeadModel"];

/// Fields of this family that change no logit.
const HARMLESS: [&str; 11] = [
    "attn_pdrop",
    "embd_pdrop",
    "gradient_checkpointing",
    // Computes the same products in another order and type.
    "reorder_and_upcast_attn",
    "resid_pdrop",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
];

/// Maps the fields of `config.json`.
pub(super) fn read(name: &str, mut fields: Fields) -> Result<Architecture, Error> {
    common::refuse_other_kinds(&mut fields)?;
    let by_head = "scores are divided by the root of a head's width";
    fields.only("scale_attn_weights", &json!(true), by_head)?;
    fields.only("scale_attn_by_inverse_layer_idx", &json!(false), by_head)?;
    let hidden = fields.required_count("n_embd")?;
    let heads = fields.required_count("n_head")?;
    if !hidden.is_multiple_of(heads) {
        return Err(fields.error("n_embd", format!("{hidden} is no multiple of n_head, {heads}")));
    }
    let recipe = Recipe {
        vocab_size: fields.required_count("vocab_size")?,
        hidden,
        layers: fields.required_count("n_layer")?,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads,
        ffn: fields.count("n_inner")?.unwrap_or(hidden.saturating_mul(4)),
        context: context(&mut fields)?,
        rotary_dims: 0,
        norm_epsilon: fields.positive("layer_norm_epsilon")?.unwrap_or(1e-5) as f32,
        tied_head: fields.flag("tie_word_embeddings")?.unwrap_or(true),
        norm: Norm::Layer,
        positions: Positions::Learned,
        activation: activation(&mut fields)?,
        ungated: true,
        biases: true,
        // Only calibration knows them.
        key_centers: false,
    };
    recipe.check().map_err(|kind| common::bounds(&fields, kind, field_name))?;
    fields.ignore(&HARMLESS);
    common::finish(fields)?;
    Ok(Architecture {
        name: name.to_owned(),
        recipe,
        rope_theta: None,
        rotary: Vec::new(),
        source,
        prefix: "transformer.",
        harmless,
    })
}

/// Older folders say it twice.
fn context(fields: &mut Fields) -> Result<u32, Error> {
    let positions = fields.required_count("n_positions")?;
    match fields.count("n_ctx")? {
        Some(other) if other != positions => {
            Err(fields.error("n_ctx", format!("is {other}, but n_positions is {positions}")))
        }
        _ => Ok(positions),
    }
}

fn activation(fields: &mut Fields) -> Result<Activation, Error> {
    match fields.text("activation_function")?.as_deref() {
        None | Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some("gelu") => Ok(Activation::GeluErf),
        Some(other) => {
            let problem = format!(
                "is \"{other}\", but only gelu, gelu_new and gelu_pytorch_tanh are supported"
            );
            Err(fields.error("activation_function", problem))
        }
    }
}

/// The folder's name of a field of the recipe.
fn field_name(name: &'static str) -> &'static str {
    match name {
        "hidden" => "n_embd",
        "layers" => "n_layer",
        "heads" | "head_dim" => "n_head",
        "ffn" => "n_inner",
        "context" => "n_positions",
        "norm_epsilon (bits)" => "layer_norm_epsilon",
        other => other,
    }
}

fn source(role: Role, layer: u32) -> Option<Source> {
    let within = match role {
        Role::Embedding => return Some(Source::plain("transformer.wte.weight")),
        Role::PositionEmbedding => return Some(Source::plain("transformer.wpe.weight")),
        Role::FinalNorm => return Some(Source::plain("transformer.ln_f.weight")),
        Role::FinalNormBias => return Some(Source::plain("transformer.ln_f.bias")),
        Role::Head => return Some(Source::plain("lm_head.weight")),
        Role::AttentionNorm => "ln_1.weight",
        Role::AttentionNormBias => "ln_1.bias",
        Role::Query | Role::Key | Role::Value => "attn.c_attn.weight",
        Role::QueryBias | Role::KeyBias | Role::ValueBias => "attn.c_attn.bias",
        Role::AttentionOutput => "attn.c_proj.weight",
        Role::AttentionOutputBias => "attn.c_proj.bias",
        Role::FeedForwardNorm => "ln_2.weight",
        Role::FeedForwardNormBias => "ln_2.bias",
        Role::Up => "mlp.c_fc.weight",
        Role::UpBias => "mlp.c_fc.bias",
        Role::Down => "mlp.c_proj.weight",
        Role::DownBias => "mlp.c_proj.bias",
        // In no recipe of this family.
        Role::Rotary | Role::KeyCenter | Role::Gate | Role::GateBias => return None,
    };
    let (part, parts) = match role {
        Role::Query | Role::QueryBias => (0, 3),
        Role::Key | Role::KeyBias => (1, 3),
        Role::Value | Role::ValueBias => (2, 3),
        _ => (0, 1),
    };
    let transposed = role.vector_encoding().is_none();
    Some(Source { name: format!("transformer.h.{layer}.{within}"), transposed, part, parts })
}

/// Old exports carry the causal mask.
fn harmless(name: &str) -> bool {
    name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")
}
