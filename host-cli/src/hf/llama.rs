//! Llama, and what computes the same: pre-norm blocks of RMSNorm, grouped-query attention with
//! rotary positions (half-split form) and a SiLU-gated feed-forward.
//!
//! Source: transformers, `models/llama/{configuration,modeling}_llama.py`, and the same of Mistral.

use acorn_core::error::FormatErrorKind;
use acorn_core::format::recipe::Recipe;
use acorn_core::format::tensor_table::Role;
use serde_json::{Value, json};

use super::Architecture;
use super::config::Fields;
use super::rope;
use crate::error::Error;

const MISTRAL: &str = "MistralForCausalLM";

/// The architectures that this file maps.
pub(super) const NAMES: [&str; 2] = ["LlamaForCausalLM", MISTRAL];

/// Fields that change no logit: bookkeeping, training, and defaults for generation.
const HARMLESS: [&str; 53] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "attention_dropout",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_llama_config",
    "label2id",
    "length_penalty",
    "max_length",
    "max_sequence_length",
    "min_length",
    "model_type",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    // Splits the same products over devices.
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "use_cache",
];

/// Maps the fields of `config.json`.
pub(super) fn read(name: &str, mut fields: Fields) -> Result<Architecture, Error> {
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
    };
    check_layer_types(&mut fields)?;
    recipe.check().map_err(|kind| bounds(&fields, kind))?;
    fields.ignore(&HARMLESS);
    fields.finish()?;
    Ok(Architecture {
        name: name.to_owned(),
        recipe,
        rope_theta: rope.theta,
        rotary: rope.table(),
        tensor_name,
        harmless,
    })
}

/// Refuses variants by name where they do not compute what the recipe says.
fn refuse_other_maths(fields: &mut Fields) -> Result<(), Error> {
    let no_bias = "biases are not in the recipe yet";
    let causal = "only causal decoders are supported";
    for (name, only, why) in [
        ("hidden_act", json!("silu"), "other activations are not in the recipe yet"),
        ("attention_bias", json!(false), no_bias),
        ("mlp_bias", json!(false), no_bias),
        ("sliding_window", Value::Null, "windows are not in the recipe yet"),
        ("use_sliding_window", json!(false), "windows are not in the recipe yet"),
        ("rope_interleaved", json!(false), "only the half-split form is supported"),
        ("quantization_config", Value::Null, "take the folder with the unquantized weights"),
        ("is_encoder_decoder", json!(false), causal),
        ("add_cross_attention", json!(false), causal),
        ("tie_encoder_decoder", json!(false), causal),
        ("cross_attention_hidden_size", Value::Null, causal),
        ("chunk_size_feed_forward", json!(0), "it must be off"),
        ("pruned_heads", json!({}), "pruned heads are not supported"),
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

/// A recipe out of bounds, told with the folder's name of the field.
fn bounds(fields: &Fields, kind: FormatErrorKind) -> Error {
    let FormatErrorKind::Field { name, found, expected } = kind else {
        return fields.error("", kind.to_string());
    };
    let name = match name {
        "hidden" => "hidden_size",
        "layers" => "num_hidden_layers",
        "heads" => "num_attention_heads",
        "kv_heads" => "num_key_value_heads",
        "ffn" => "intermediate_size",
        "context" => "max_position_embeddings",
        "rotary_dims" => "partial_rotary_factor",
        "norm_epsilon (bits)" => {
            return fields.error("rms_norm_eps", "must be a number from 0 to 1");
        }
        other => other,
    };
    fields.error(name, format!("gives {found} but must give {expected}"))
}

fn tensor_name(role: Role, layer: u32) -> Option<String> {
    let within = match role {
        Role::Rotary => return None,
        Role::Embedding => return Some("model.embed_tokens.weight".into()),
        Role::FinalNorm => return Some("model.norm.weight".into()),
        Role::Head => return Some("lm_head.weight".into()),
        Role::AttentionNorm => "input_layernorm",
        Role::Query => "self_attn.q_proj",
        Role::Key => "self_attn.k_proj",
        Role::Value => "self_attn.v_proj",
        Role::AttentionOutput => "self_attn.o_proj",
        Role::FeedForwardNorm => "post_attention_layernorm",
        Role::Gate => "mlp.gate_proj",
        Role::Up => "mlp.up_proj",
        Role::Down => "mlp.down_proj",
    };
    Some(format!("model.layers.{layer}.{within}.weight"))
}

/// Old exports carry the rotary frequencies, which follow from the config.
fn harmless(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq")
}
