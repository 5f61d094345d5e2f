//! Folders of GPT-2's shape: fused and turned weights come back, variants are refused by name.

use std::collections::BTreeMap;

use acorn_cli::convert::Quant;
use acorn_cli::error::Error;
use acorn_core::Model;
use acorn_core::format::recipe::{Activation, Recipe};
use acorn_core::format::tensor_table::Role;
use serde_json::{Value, json};

use super::folder::{Folder, Tensor, convert_folder};

/// The numbers of a tensor, found with or without the prefix.
fn numbers(folder: &Folder, name: &str) -> Vec<f32> {
    let Tensor { bytes, .. } = &folder.tensors[&format!("transformer.{name}")];
    bytes.chunks(4).map(|raw| f32::from_le_bytes(raw.try_into().expect("4 bytes"))).collect()
}

/// Columns `first..first + rows` of a stored [cols, all], as rows.
fn turned(stored: &[f32], all: usize, first: usize, rows: usize) -> Vec<Vec<f32>> {
    (first..first + rows)
        .map(|row| stored.iter().skip(row).step_by(all).copied().collect())
        .collect()
}

#[test]
fn every_number_comes_back() {
    let folder = Folder::gpt2();
    let (file, report) = folder.convert(Quant::F32).expect("converts");
    let model = Model::parse(&file).expect("valid");
    model.verify().expect("valid");
    let rows = |role| -> Vec<Vec<f32>> {
        let (rows, cols) = Role::shape(role, model.recipe());
        let row = |index| {
            let mut row = vec![0.0; cols as usize];
            model.matrix(role, 0).row(index, &mut row);
            row
        };
        (0..rows as usize).map(row).collect()
    };
    let vector = |role| -> Vec<f32> { model.vector(role, 0).floats().collect() };

    let mut seen = 0;
    for (role, name, all, first) in [
        (Role::Query, "h.0.attn.c_attn.weight", 96, 0),
        (Role::Key, "h.0.attn.c_attn.weight", 96, 32),
        (Role::Value, "h.0.attn.c_attn.weight", 96, 64),
        (Role::AttentionOutput, "h.0.attn.c_proj.weight", 32, 0),
        (Role::Up, "h.0.mlp.c_fc.weight", 48, 0),
        (Role::Down, "h.0.mlp.c_proj.weight", 32, 0),
    ] {
        let found = rows(role);
        assert_eq!(found, turned(&numbers(&folder, name), all, first, found.len()), "{name}");
        seen += 1;
    }
    for (role, name) in [(Role::Embedding, "wte.weight"), (Role::PositionEmbedding, "wpe.weight")] {
        assert_eq!(rows(role).concat(), numbers(&folder, name), "{name}");
        seen += 1;
    }
    for (role, name, first) in [
        (Role::FinalNorm, "ln_f.weight", 0),
        (Role::FinalNormBias, "ln_f.bias", 0),
        (Role::AttentionNorm, "h.0.ln_1.weight", 0),
        (Role::AttentionNormBias, "h.0.ln_1.bias", 0),
        (Role::QueryBias, "h.0.attn.c_attn.bias", 0),
        (Role::KeyBias, "h.0.attn.c_attn.bias", 32),
        (Role::ValueBias, "h.0.attn.c_attn.bias", 64),
        (Role::AttentionOutputBias, "h.0.attn.c_proj.bias", 0),
        (Role::FeedForwardNorm, "h.0.ln_2.weight", 0),
        (Role::FeedForwardNormBias, "h.0.ln_2.bias", 0),
        (Role::UpBias, "h.0.mlp.c_fc.bias", 0),
        (Role::DownBias, "h.0.mlp.c_proj.bias", 0),
    ] {
        let found = vector(role);
        assert_eq!(found, numbers(&folder, name)[first..first + found.len()], "{name}");
        seen += 1;
    }
    assert_eq!(report.tensors, seen);
    let parameters: usize = folder.tensors.values().map(|tensor| tensor.bytes.len() / 4).sum();
    assert_eq!(report.parameters, parameters as u64);
    // What the recipe leaves out is not there.
    assert!(vector(Role::Rotary).is_empty() && model.matrix(Role::Gate, 0).rows() == 0);
    assert!(model.bias(Role::Head, 0).is_none() && model.bias(Role::Gate, 0).is_none());
}

#[test]
fn names_without_the_prefix_and_old_masks() {
    for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
        let mut folder = Folder::gpt2();
        let expected = folder.convert(quant).expect("converts").0;
        let short = |name: String| name.trim_start_matches("transformer.").to_owned();
        let tensors = std::mem::take(&mut folder.tensors).into_iter();
        folder.tensors =
            tensors.map(|(name, tensor)| (short(name), tensor)).collect::<BTreeMap<_, _>>();
        folder.add("h.0.attn.bias", &[1, 1, 16, 16]);
        folder.add("h.0.attn.masked_bias", &[]);
        assert_eq!(expected, folder.convert(quant).expect("converts").0);
        let sharded = folder.write_sharded();
        assert_eq!(expected, convert_folder(sharded.path(), quant).expect("converts").0);
    }
}

#[test]
fn fields_say_the_recipe() {
    let recipe = |folder: &Folder| -> Recipe {
        let (file, _) = folder.convert(Quant::Q8).unwrap_or_else(|error| panic!("{error}"));
        *Model::parse(&file).expect("valid").recipe()
    };
    for (name, expected) in [
        ("gelu", Activation::GeluErf),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
    ] {
        let folder = Folder::gpt2().with("activation_function", json!(name));
        assert_eq!(recipe(&folder).activation, expected, "{name}");
    }
    let mut wide = Folder::gpt2().with("n_inner", Value::Null);
    wide.add("transformer.h.0.mlp.c_fc.weight", &[32, 128]);
    wide.add("transformer.h.0.mlp.c_fc.bias", &[128]);
    wide.add("transformer.h.0.mlp.c_proj.weight", &[128, 32]);
    assert_eq!(recipe(&wide).ffn, 128);
    let mut untied = Folder::gpt2().with("tie_word_embeddings", json!(false));
    untied.add("lm_head.weight", &[11, 32]);
    assert!(!recipe(&untied).tied_head && recipe(&Folder::gpt2()).tied_head);
    for (name, value) in [
        ("scale_attn_weights", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(false)),
        ("reorder_and_upcast_attn", json!(true)),
        ("add_cross_attention", json!(false)),
        ("summary_type", json!("cls_index")),
        ("resid_pdrop", json!(0.1)),
        ("layer_norm_epsilon", json!(1e-6)),
        ("n_ctx", Value::Null),
    ] {
        recipe(&Folder::gpt2().with(name, value));
    }
}

fn refused(result: Result<(Vec<u8>, impl Sized), Error>, parts: &[&str]) {
    let Err(error) = result else { panic!("converted, but should say {parts:?}") };
    let message = error.to_string();
    assert_eq!(error.exit_code(), 3, "{message}");
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in: {message}");
    }
}

#[test]
fn variants_are_refused_by_name() {
    for (name, value, part) in [
        ("scale_attn_weights", json!(false), "only true"),
        ("scale_attn_by_inverse_layer_idx", json!(true), "only false"),
        ("add_cross_attention", json!(true), "causal"),
        ("activation_function", json!("relu"), "gelu_new"),
        ("activation_function", json!(1), "text"),
        ("n_ctx", json!(32), "n_positions is 16"),
        ("n_positions", Value::Null, "missing"),
        ("n_head", json!(3), "no multiple"),
        ("n_head", json!(32), "even"),
        ("n_inner", json!(200_000), "131072"),
        ("layer_norm_epsilon", json!(2.0), "0 to 1"),
        ("quantization_config", json!({ "bits": 4 }), "unquantized"),
        ("rope_theta", json!(10000.0), "does not know"),
        ("a_field_of_tomorrow", json!(1), "does not know"),
    ] {
        let name_or_other = if part == "no multiple" { "n_embd" } else { name };
        refused(
            Folder::gpt2().with(name, value).convert(Quant::Q8),
            &["config.json", name_or_other, part],
        );
    }
}

#[test]
fn tensors_are_refused_by_name_and_place() {
    let name = "transformer.h.0.attn.c_attn.weight";
    let mut missing = Folder::gpt2();
    missing.tensors.remove(name);
    refused(missing.convert(Quant::Q8), &[name, "missing"]);

    let mut straight = Folder::gpt2();
    straight.tensors.get_mut(name).expect("there").shape = vec![96, 32];
    refused(straight.convert(Quant::Q8), &[name, "[96, 32]", "[32, 96]"]);

    let mut extra = Folder::gpt2();
    extra.add("transformer.h.0.crossattention.c_attn.weight", &[32, 96]);
    refused(extra.convert(Quant::Q8), &["crossattention", "not part of GPT2LMHeadModel"]);

    // A bad number is told where the file has it.
    for (name, index, place) in
        [(name, 5 * 96 + 70, "[5, 70]"), ("transformer.h.0.attn.c_attn.bias", 70, "[70]")]
    {
        let mut folder = Folder::gpt2();
        let tensor = folder.tensors.get_mut(name).expect("there");
        tensor.bytes[index * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        refused(folder.convert(Quant::Q8), &[name, place, "finite"]);
    }
}
