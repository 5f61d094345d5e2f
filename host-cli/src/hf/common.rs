//! What the configurations of all architectures share.

use acorn_core::error::FormatErrorKind;
use serde_json::{Value, json};

use super::config::Fields;
use crate::error::Error;

/// Fields that change no logit: bookkeeping, training, and defaults for generation.
const HARMLESS: [&str; 49] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_flash_attn_2_enabled",
    "_name_or_path",
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
    "label2id",
    "length_penalty",
    "max_length",
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

/// Refuses variants of any architecture that are not the plain decoder.
pub(super) fn refuse_other_kinds(fields: &mut Fields) -> Result<(), Error> {
    let causal = "only causal decoders are supported";
    for (name, only, why) in [
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

/// Refuses what is left but for the harmless.
pub(super) fn finish(mut fields: Fields) -> Result<(), Error> {
    fields.ignore(&HARMLESS);
    fields.finish()
}

/// A recipe out of bounds, told with the folder's name of the field.
pub(super) fn bounds(
    fields: &Fields,
    kind: FormatErrorKind,
    field_name: fn(&'static str) -> &'static str,
) -> Error {
    match kind {
        FormatErrorKind::Field { name: name @ "norm_epsilon (bits)", .. } => {
            fields.error(field_name(name), "must be a number from 0 to 1")
        }
        FormatErrorKind::Field { name, found, expected } => {
            fields.error(field_name(name), format!("gives {found} but must give {expected}"))
        }
        kind => fields.error("", kind.to_string()),
    }
}
