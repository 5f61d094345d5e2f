//! Llama, and what computes the same: pre-norm blocks of RMSNorm, grouped-query attention with
//! rotary positions (half-split form) and a SiLU-gated feed-forward.
//!
//! Source: transformers, `models/llama/{configuration,modeling}_llama.py`, and the same of Mistral.

use acorn_core::format::recipe::Recipe;
use acorn_core::format::tensor_table::Role;
use serde_json::{Value, json};

use super::config::Fields;
use super::{Architecture, Source, common, rope};
use crate::error::Error;

const MISTRAL: &str = "MistralForCausalLM";

/// The architectures that this file maps.
pub(super) const NAMES: [&str; 2] = ["LlamaForCausalLM", MISTRAL];

/// Fields of this family that change no logit.
const HARMLESS: [&str; 4] = [
    "attention_dropout",
    "is_llama_config",
    "max_sequence_length",
    // Splits the same products over devices.
    "pretraining_tp",
];

/// Maps the fields of `config.json`.
pub(super) fn read(name: &str, mut fields: Fields) -> Result<Architecture, Error> {
    common::refuse_other_kinds(&mut fields)?;
    refuse_other_maths(&mut fields)?;
    let hidden = fields.required_count("hidden_size")?;
    let heads = fields.required_count("num_attention_heads")?;
    let kv_heads = match name {
        // Its default is 8, not the number of heads: too odd to guess.
        MISTRAL => fields.required_count("num_key_value_heads")?,
        _ => fields.count("num_key_value_heads")?.unwrap_or(heads),
    };
    let head_dim = match fields.count("head_dim")? {
        Some(given) => given,
        None if hidden.is_multiple_of(heads) => hidden / heads,
        None => {
            let problem = format!("{hidden} is no multiple of num_attention_heads, {heads}");
            return Err(fields.error("hidden_size", problem));
        }
    };
    let rope = rope::read(&mut fields, head_dim)?;
    let recipe = Recipe {
        vocab_size: fields.required_count("vocab_size")?,
        hidden,
        layers: fields.required_count("num_hidden_layers")?,
        heads,
        kv_heads,
        head_dim,
        ffn: fields.required_count("intermediate_size")?,
        context: fields.required_count("max_position_embeddings")?,
        rotary_dims: rope.dims,
        norm_epsilon: fields.positive("rms_norm_eps")?.unwrap_or(1e-6) as f32,
        tied_head: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        ..Recipe::default()
    };
    check_layer_types(&mut fields)?;
    recipe.check().map_err(|kind| common::bounds(&fields, kind, field_name))?;
    fields.ignore(&HARMLESS);
    common::finish(fields)?;
    Ok(Architecture {
        name: name.to_owned(),
        recipe,
        rope_theta: Some(rope.theta),
        rotary: rope.table(),
        source,
        prefix: "",
        harmless,
    })
}

/// Refuses variants by name where they do not compute what the recipe says.
fn refuse_other_maths(fields: &mut Fields) -> Result<(), Error> {
    let no_bias = "biases are not in the recipe yet";
    for (name, only, why) in [
        ("hidden_act", json!("silu"), "other activations are not in the recipe yet"),
        ("attention_bias", json!(false), no_bias),
        ("mlp_bias", json!(false), no_bias),
        ("sliding_window", Value::Null, "windows are not in the recipe yet"),
        ("use_sliding_window", json!(false), "windows are not in the recipe yet"),
        ("rope_interleaved", json!(false), "only the half-split form is supported"),
    ] {
        fields.only(name, &only, why)?;
    }
    Ok(())
}

/// transformers 5 may list what each layer attends to: all must attend to everything.
fn check_layer_types(fields: &mut Fields) -> Result<(), Error> {
    let types = fields.texts("layer_types")?.unwrap_or_default();
    match types.iter().find(|kind| *kind != "full_attention") {
        None => Ok(()),
        Some(other) => {
            let problem = format!("has \"{other}\", but only \"full_attention\" is supported");
            Err(fields.error("layer_types", problem))
        }
    }
}

/// The folder's name of a field of the recipe.
fn field_name(name: &'static str) -> &'static str {
    match name {
        "hidden" => "hidden_size",
        "layers" => "num_hidden_layers",
        "heads" => "num_attention_heads",
        "kv_heads" => "num_key_value_heads",
        "ffn" => "intermediate_size",
        "context" => "max_position_embeddings",
        "rotary_dims" => "partial_rotary_factor",
        "norm_epsilon (bits)" => "rms_norm_eps",
        other => other,
    }
}

fn source(role: Role, layer: u32) -> Option<Source> {
    let within = match role {
        Role::Embedding => return Some(Source::plain("model.embed_tokens.weight")),
        Role::FinalNorm => return Some(Source::plain("model.norm.weight")),
        Role::Head => return Some(Source::plain("lm_head.weight")),
        Role::AttentionNorm => "input_layernorm",
        Role::Query => "self_attn.q_proj",
        Role::Key => "self_attn.k_proj",
        Role::Value => "self_attn.v_proj",
        Role::AttentionOutput => "self_attn.o_proj",
        Role::FeedForwardNorm => "post_attention_layernorm",
        Role::Gate => "mlp.gate_proj",
        Role::Up => "mlp.up_proj",
        Role::Down => "mlp.down_proj",
        // The rotary table is computed; the rest is in none of these recipes.
        _ => return None,
    };
    Some(Source::plain(format!("model.layers.{layer}.{within}.weight")))
}

/// Old exports carry the rotary frequencies, which follow from the config.
fn harmless(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq")
}
