//! What cannot be converted is refused by name: nothing is guessed, nothing is left behind.

use std::fs;
use std::path::Path;

use acorn_cli::convert::Quant;
use acorn_cli::error::Error;
use serde_json::{Value, json};

use super::folder::{Folder, convert_folder, safetensors};

/// The conversion fails as bad input, and the message has all these parts.
fn refused(result: Result<(Vec<u8>, impl Sized), Error>, parts: &[&str]) {
    let Err(error) = result else { panic!("converted, but should say {parts:?}") };
    let message = error.to_string();
    assert_eq!(error.exit_code(), 3, "{message}");
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in: {message}");
    }
}

fn refused_field(name: &str, value: Value, parts: &[&str]) {
    let folder = Folder::tiny().with(name, value);
    refused(folder.convert(Quant::Q8), &[&["config.json", name], parts].concat());
}

#[test]
fn fields_that_change_the_maths() {
    for (name, value) in [
        ("hidden_act", json!("gelu")),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("sliding_window", json!(4096)),
        ("use_sliding_window", json!(true)),
        ("rope_interleaved", json!(true)),
        ("quantization_config", json!({ "bits": 4 })),
        ("is_encoder_decoder", json!(true)),
        ("layer_types", json!(["sliding_attention"])),
        ("partial_rotary_factor", json!(1.5)),
        ("a_field_of_tomorrow", json!(1)),
        ("logit_scale", json!(0.5)),
        ("attn_logit_softcapping", json!(50.0)),
    ] {
        refused_field(name, value, &[]);
    }
    refused_field("a_field_of_tomorrow", json!(1), &["does not know", "remove it"]);
}

#[test]
fn harmless_fields() {
    for (name, value) in [
        ("torch_dtype", json!("float32")),
        ("use_cache", json!(true)),
        ("pretraining_tp", json!(1)),
        ("a_field_of_tomorrow", Value::Null),
        ("layer_types", json!(["full_attention"])),
        ("attention_bias", json!(false)),
        ("rope_scaling", Value::Null),
        ("head_dim", Value::Null),
        ("head_dim", json!(16)),
    ] {
        let result = Folder::tiny().with(name, value).convert(Quant::Q8);
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn rotary_variants() {
    for (scaling, part) in [
        (json!({ "type": "yarn", "factor": 2.0 }), "rope_scaling.rope_type"),
        (json!({ "rope_type": "dynamic", "factor": 2.0 }), "dynamic"),
        (json!({ "rope_type": "longrope" }), "longrope"),
        (json!({ "rope_type": "linear" }), "rope_scaling.factor"),
        (json!({ "rope_type": "linear", "factor": 0.5 }), "rope_scaling.factor"),
        (json!({ "rope_type": "linear", "factor": 2.0, "beta": 1 }), "rope_scaling.beta"),
        (json!({ "rope_type": "llama3", "factor": 8.0 }), "rope_scaling.low_freq_factor"),
        (json!("linear"), "an object"),
    ] {
        refused_field("rope_scaling", scaling, &[part]);
    }
}

#[test]
fn sizes_that_cannot_be() {
    for (name, value, part) in [
        ("hidden_size", json!(0), "whole number"),
        ("hidden_size", json!(-32), "whole number"),
        ("hidden_size", json!(32.5), "whole number"),
        ("hidden_size", json!("32"), "whole number"),
        ("hidden_size", json!(5_000_000_000u64), "whole number"),
        ("num_hidden_layers", json!(5000), "1 to 4096"),
        ("vocab_size", json!(4_294_967_295u32), "4194304"),
        ("head_dim", json!(15), "even"),
        ("num_key_value_heads", json!(3), "divisor"),
        ("rms_norm_eps", json!(2.0), "0 to 1"),
        ("rms_norm_eps", json!("small"), "above 0"),
        ("rope_theta", json!(0), "above 0"),
        ("tie_word_embeddings", json!("yes"), "true or false"),
        ("max_position_embeddings", Value::Null, "missing"),
    ] {
        refused_field(name, value, &[part]);
    }
}

#[test]
fn architectures() {
    let known = "LlamaForCausalLM, MistralForCausalLM, GPT2LMHeadModel";
    refused_field("architectures", json!(["BloomForCausalLM"]), &["BloomForCausalLM", known]);
    refused_field("architectures", json!([]), &[known]);
    refused_field("architectures", json!(7), &["array of texts"]);
    let mut mistral = Folder::tiny().with("architectures", json!(["MistralForCausalLM"]));
    mistral.config.remove("num_key_value_heads");
    refused(mistral.convert(Quant::Q8), &["num_key_value_heads", "missing"]);
}

#[test]
fn tensors() {
    let mut missing = Folder::tiny();
    missing.tensors.remove("model.layers.0.mlp.up_proj.weight");
    refused(missing.convert(Quant::Q8), &["model.layers.0.mlp.up_proj.weight", "missing"]);

    let untied = Folder::tiny().with("tie_word_embeddings", json!(false));
    refused(untied.convert(Quant::Q8), &["lm_head.weight", "missing", "tie_word_embeddings"]);

    let mut extra = Folder::tiny();
    extra.add("model.layers.0.self_attn.q_proj.bias", &[32]);
    refused(extra.convert(Quant::Q8), &["self_attn.q_proj.bias", "not part of LlamaForCausalLM"]);

    let mut deeper = Folder::llama(2, 32, 40, 2, 1, 11);
    deeper.config.insert("num_hidden_layers".into(), json!(1));
    refused(deeper.convert(Quant::Q8), &["model.layers.1.", "1 layers"]);

    let mut turned = Folder::tiny();
    turned.tensors.get_mut("model.layers.0.mlp.down_proj.weight").expect("there").shape =
        vec![40, 32];
    refused(turned.convert(Quant::Q8), &["down_proj", "[40, 32]", "[32, 40]"]);

    let mut integers = Folder::tiny();
    integers.tensors.get_mut("model.norm.weight").expect("there").dtype = "I32";
    refused(integers.convert(Quant::Q8), &["model.norm.weight", "I32", "F32, F16 and BF16"]);

    let mut two_heads = Folder::tiny();
    two_heads.add("lm_head.weight", &[11, 32]);
    refused(two_heads.convert(Quant::Q8), &["lm_head.weight", "differs", "tie_word_embeddings"]);
}

#[test]
fn numbers_that_are_not_finite() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (name, index, place) in [
            ("model.layers.0.mlp.up_proj.weight", 39 * 32 + 31, "[39, 31]"),
            ("model.embed_tokens.weight", 0, "[0, 0]"),
            ("model.norm.weight", 7, "[7]"),
        ] {
            for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
                let mut folder = Folder::tiny();
                let tensor = folder.tensors.get_mut(name).expect("there");
                tensor.bytes[index * 4..][..4].copy_from_slice(&bad.to_le_bytes());
                refused(folder.convert(quant), &[name, place, "finite"]);
            }
        }
    }
}

fn convert_with_weights(weights: &[u8]) -> Result<(Vec<u8>, impl Sized), Error> {
    let dir = Folder::tiny().write();
    fs::write(dir.path().join("model.safetensors"), weights).expect("written");
    convert_folder(dir.path(), Quant::Q8)
}

#[test]
fn every_cut_of_the_weights() {
    let whole = safetensors(&Folder::tiny().tensors);
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("8 bytes")) as usize;
    let cuts = (0..header + 64).chain((header + 64..whole.len()).step_by(997));
    for cut in cuts {
        refused(convert_with_weights(&whole[..cut]), &["model.safetensors"]);
    }
    refused(convert_with_weights(&[whole.as_slice(), &[0]].concat()), &["model.safetensors"]);
}

#[test]
fn headers_that_lie() {
    let of =
        |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 16]].concat();
    for (header, part) in [
        (r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#, "takes"),
        (r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}}"#, "next free"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "next free"),
        (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}"#, "takes"),
        (r#"{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}"#, "bad entry"),
        (r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615]}}"#, "bytes"),
        (r#"{"a":7}"#, "bad entry"),
        ("[]", "header is not valid"),
        ("{", "header is not valid"),
    ] {
        refused(convert_with_weights(&of(header)), &["model.safetensors", part]);
    }
    refused(convert_with_weights(&u64::MAX.to_le_bytes()), &["not a safetensors file"]);
}

#[test]
fn shards() {
    let index = "model.safetensors.index.json";
    let with_index = |value: Value| {
        let dir = Folder::tiny().write_sharded();
        fs::write(dir.path().join(index), value.to_string()).expect("written");
        convert_folder(dir.path(), Quant::Q8)
    };
    let first = "model-00001-of-00002.safetensors";
    refused(with_index(json!({})), &[index, "weight_map"]);
    refused(
        with_index(json!({ "weight_map": { "a": "../up.safetensors" } })),
        &["plain file name"],
    );
    refused(
        with_index(json!({ "weight_map": { "a": "gone.safetensors" } })),
        &["gone.safetensors"],
    );
    refused(with_index(json!({ "weight_map": { "a": first } })), &["\"a\"", "not in this file"]);

    let dir = Folder::tiny().write_sharded();
    let path = dir.path().join(first);
    let bytes = fs::read(&path).expect("readable");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    refused(convert_folder(dir.path(), Quant::Q8), &[first, "cut short"]);

    let dir = Folder::tiny().write_sharded();
    let second = dir.path().join("model-00002-of-00002.safetensors");
    fs::copy(&second, &path).ok();
    fs::copy(&second, dir.path().join(first)).expect("copied");
    refused(convert_folder(dir.path(), Quant::Q8), &["not in this file"]);
}

#[test]
fn folders_that_are_none() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    refused(convert_folder(empty.path(), Quant::Q8), &["config.json", "Hugging Face"]);
    let dir = Folder::tiny().write();
    fs::remove_file(dir.path().join("model.safetensors")).expect("removed");
    refused(convert_folder(dir.path(), Quant::Q8), &["model.safetensors", "other formats"]);
    fs::write(dir.path().join("config.json"), "{ not JSON").expect("written");
    refused(convert_folder(dir.path(), Quant::Q8), &["config.json", "JSON"]);
    let error = convert_folder(Path::new("no/such/folder"), Quant::Q8).expect_err("fails");
    assert_eq!(error.exit_code(), 4, "{error}");
}
