//! Every number of every tensor comes back: exactly in f32, within the encoding's bound otherwise.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use acorn_cli::convert::Quant;
use acorn_core::Model;
use acorn_core::format::tensor_table::Role;
use serde_json::{Value, json};

use super::folder::{Folder, Tensor, convert_folder};

/// The repository's models, and the real ones where the shared folder is there.
fn folders() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["tiny-llama", "tiny-untied"].map(|name| here.join("fixtures/models").join(name));
    let shared = here.join("../../shared/data/models");
    let shared = ["stories260K", "TinyStories-656K"].map(|name| shared.join(name));
    ours.into_iter().chain(shared.into_iter().filter(|dir| dir.exists())).collect()
}

/// All tensors of a folder as f32, read without any code of the converter.
fn source(dir: &Path) -> BTreeMap<String, Vec<f32>> {
    let files = fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable").path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == "safetensors"));
    files.flat_map(|path| source_of(&fs::read(path).expect("readable"))).collect()
}

fn source_of(file: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let len = u64::from_le_bytes(file[..8].try_into().expect("8 bytes")) as usize;
    let header: Value = serde_json::from_slice(&file[8..8 + len]).expect("JSON");
    let data = &file[8 + len..];
    let entries = header.as_object().expect("an object").iter();
    let tensors = entries.filter(|(name, _)| *name != "__metadata__").map(|(name, entry)| {
        let offset = |i: usize| entry["data_offsets"][i].as_u64().expect("a number") as usize;
        let bytes = &data[offset(0)..offset(1)];
        let pairs = bytes.chunks_exact(2).map(|raw| [raw[0], raw[1]]);
        let values = match entry["dtype"].as_str() {
            Some("F16") => pairs.map(|raw| half::f16::from_le_bytes(raw).to_f32()).collect(),
            Some("BF16") => pairs.map(|raw| f32::from_le_bytes([0, 0, raw[0], raw[1]])).collect(),
            _ => bytes
                .chunks_exact(4)
                .map(|raw| f32::from_le_bytes(raw.try_into().expect("4 bytes")))
                .collect(),
        };
        (name.clone(), values)
    });
    tensors.collect()
}

fn name_of(role: Role, layer: u32, source: &BTreeMap<String, Vec<f32>>) -> String {
    let within = match role {
        Role::Embedding if source.contains_key("model.embed_tokens.weight") => {
            return "model.embed_tokens.weight".into();
        }
        Role::Embedding | Role::Head => return "lm_head.weight".into(),
        Role::FinalNorm => return "model.norm.weight".into(),
        Role::AttentionNorm => "input_layernorm",
        Role::Query => "self_attn.q_proj",
        Role::Key => "self_attn.k_proj",
        Role::Value => "self_attn.v_proj",
        Role::AttentionOutput => "self_attn.o_proj",
        Role::FeedForwardNorm => "post_attention_layernorm",
        Role::Gate => "mlp.gate_proj",
        Role::Up => "mlp.up_proj",
        Role::Down => "mlp.down_proj",
        _ => unreachable!("in no recipe of a Llama"),
    };
    format!("model.layers.{layer}.{within}.weight")
}

/// Checks a stored row against the original: how far may it be?
fn check_row(quant: Quant, row: &[f32], stored: &[f32], place: &str) {
    let absmax = row.iter().fold(0f32, |max, w| max.max(w.abs()));
    match quant {
        Quant::F32 => {
            let bits = |row: &[f32]| row.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(row), bits(stored), "{place}");
        }
        Quant::Q8 => {
            // Half a step; the step, a bfloat16, may be 2⁻⁸ off.
            let bound = absmax / 127.0 * 0.502;
            let near = |(w, s): (&f32, &f32)| (w - s).abs() <= bound;
            assert!(row.iter().zip(stored).all(near), "{place}");
        }
        Quant::Q4 => {
            let square = |a: f64, w: &f32| a + f64::from(*w).powi(2);
            let error = row.iter().zip(stored).map(|(w, s)| w - s).collect::<Vec<_>>();
            let (error, norm) = (error.iter().fold(0.0, square), row.iter().fold(0.0, square));
            assert!(error <= 0.05 * norm, "{place}: error² {error} of {norm}");
        }
    }
}

fn check_model(dir: &Path, quant: Quant) {
    let place = format!("{} {}", dir.display(), quant.name());
    let (file, report) =
        convert_folder(dir, quant).unwrap_or_else(|error| panic!("{place}: {error}"));
    let model = Model::parse(&file).expect("valid");
    model.verify().expect("valid");
    let source = source(dir);
    let mut seen = 0;
    for tensor in model.tensors() {
        if tensor.role == Role::Rotary {
            continue;
        }
        let name = name_of(tensor.role, tensor.layer, &source);
        let original = &source[&name];
        let cols = tensor.cols as usize;
        assert_eq!(original.len(), tensor.rows as usize * cols, "{place}: {name}");
        seen += 1;
        if tensor.role.vector_encoding().is_some() {
            let stored: Vec<f32> = model.vector(tensor.role, tensor.layer).floats().collect();
            assert_eq!(*original, stored, "{place}: {name}");
            continue;
        }
        assert_eq!(tensor.encoding, quant.encoding());
        let matrix = model.matrix(tensor.role, tensor.layer);
        let mut stored = vec![f32::NAN; matrix.padded_cols()];
        for (r, row) in original.chunks(cols).enumerate() {
            matrix.row(r, &mut stored);
            check_row(quant, row, &stored[..cols], &format!("{place}: {name} row {r}"));
            // In q4 the last block may have no exact zero; nothing is ever multiplied with padding.
            let zero = stored[cols..].iter().all(|&w| w == 0.0);
            assert!(zero || quant == Quant::Q4, "{place}: {name} row {r}: padding");
        }
        for r in matrix.rows()..matrix.bands() * 8 {
            matrix.row(r, &mut stored);
            assert!(stored.iter().all(|&w| w == 0.0), "{place}: {name} row {r}: padding");
        }
    }
    let parameters: usize = source.values().map(Vec::len).sum();
    assert_eq!(seen, source.len(), "{place}: a tensor was not looked at");
    assert_eq!((report.parameters, report.tensors), (parameters as u64, seen as u64 + 1));
    assert_eq!(report.file_bytes, file.len() as u64);
}

#[test]
fn every_model_in_every_encoding() {
    for dir in folders() {
        for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
            check_model(&dir, quant);
        }
    }
}

#[test]
fn worst_errors_are_those_of_the_encodings() {
    for dir in folders() {
        let worst = |quant| convert_folder(&dir, quant).expect("converts").1.worst_relative_error;
        assert_eq!(worst(Quant::F32), 0.0);
        let (q8, q4) = (worst(Quant::Q8), worst(Quant::Q4));
        assert!((0.001..0.012).contains(&q8), "{}: q8 {q8}", dir.display());
        assert!((0.02..0.11).contains(&q4), "{}: q4 {q4}", dir.display());
    }
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
        let folder = Folder::llama(2, 64, 100, 4, 2, 50);
        let first = folder.convert(quant).expect("converts").0;
        assert_eq!(first, folder.convert(quant).expect("converts").0);
        // How the weights are cut into files leaves no trace either.
        let sharded = folder.write_sharded();
        assert_eq!(first, convert_folder(sharded.path(), quant).expect("converts").0);
    }
}

#[test]
fn rotary_angles() {
    for (folder, theta, dims) in [
        (Folder::tiny(), 10_000.0, 16),
        (Folder::tiny().with("rope_theta", json!(500_000)), 500_000.0, 16),
        (Folder::tiny().with("partial_rotary_factor", json!(0.5)), 10_000.0, 8),
        (
            Folder::tiny()
                .with("rope_parameters", json!({ "rope_type": "default", "rope_theta": 1e6 })),
            1e6,
            16,
        ),
    ] {
        let (file, _) = folder.convert(Quant::Q8).expect("converts");
        let model = Model::parse(&file).expect("valid");
        assert_eq!(model.recipe().rotary_dims, dims);
        let turns: Vec<u32> = model.rotary().turns().collect();
        let expected = (0..dims / 2).map(|i| {
            let angle = f64::powf(theta, -2.0 * f64::from(i) / f64::from(dims));
            (angle / TAU * 4_294_967_296.0).round() as u32
        });
        assert_eq!(turns, expected.collect::<Vec<_>>());
    }
}

#[test]
fn scaled_rotary_angles() {
    let turns = |scaling: Value| -> Vec<u32> {
        let (file, _) =
            Folder::tiny().with("rope_scaling", scaling).convert(Quant::Q8).expect("converts");
        Model::parse(&file).expect("valid").rotary().turns().collect()
    };
    let plain = turns(Value::Null);
    let half = turns(json!({ "type": "linear", "factor": 2.0 }));
    assert!(plain.iter().zip(&half).all(|(plain, half)| plain.abs_diff(half * 2) <= 1));
    let llama3 = turns(json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }));
    // Wave lengths 2π·10^(i/2): at most 16 positions stay, 64 or more are stretched eightfold.
    assert_eq!(plain[0], llama3[0]);
    assert!(
        plain[3..].iter().zip(&llama3[3..]).all(|(plain, scaled)| plain.abs_diff(scaled * 8) <= 8)
    );
    let on_the_ramp = |i: usize| llama3[i] < plain[i] && plain[i] / 8 < llama3[i];
    assert!(on_the_ramp(1) && on_the_ramp(2));
}

#[test]
fn a_tied_pair_under_either_name_or_both() {
    let folder = Folder::tiny();
    let expected = folder.convert(Quant::Q8).expect("converts").0;
    let embedding = folder.tensors["model.embed_tokens.weight"].clone();
    let mut both = folder.clone();
    both.tensors.insert("lm_head.weight".into(), embedding);
    assert_eq!(expected, both.convert(Quant::Q8).expect("converts").0);
    both.tensors.remove("model.embed_tokens.weight");
    assert_eq!(expected, both.convert(Quant::Q8).expect("converts").0);
}

#[test]
fn mistral_without_a_window_is_llama() {
    let folder = Folder::tiny();
    let mistral = folder.clone().with("architectures", json!(["MistralForCausalLM"]));
    let mistral = mistral.with("sliding_window", Value::Null);
    let (llama, _) = folder.convert(Quant::F32).expect("converts");
    let (mistral, _) = mistral.convert(Quant::F32).expect("converts");
    let weights = |file: &[u8]| -> Vec<Vec<u8>> {
        let model = Model::parse(file).expect("valid");
        model.tensors().map(|tensor| tensor.bytes.to_vec()).collect()
    };
    assert_eq!(weights(&llama), weights(&mistral));
}

#[test]
fn rows_of_zeros_are_exact() {
    for quant in [Quant::Q8, Quant::Q4] {
        let mut folder = Folder::tiny();
        let embedding = folder.tensors.get_mut("model.embed_tokens.weight").expect("there");
        embedding.bytes[5 * 32 * 4..6 * 32 * 4].fill(0);
        let (file, _) = folder.convert(quant).expect("converts");
        let mut row = [f32::NAN; 32];
        Model::parse(&file).expect("valid").embedding().row(5, &mut row);
        assert_eq!(row, [0.0; 32]);
    }
}

#[test]
fn chat_template_and_metadata() {
    let dir = Folder::tiny().write();
    let config = json!({ "chat_template": "{{ 'from the config' }}" }).to_string();
    fs::write(dir.path().join("tokenizer_config.json"), config).expect("written");
    let (file, _) = convert_folder(dir.path(), Quant::Q8).expect("converts");
    assert_eq!(
        Model::parse(&file).expect("valid").chat_template(),
        Some("{{ 'from the config' }}")
    );
    fs::write(dir.path().join("chat_template.jinja"), "{{ 'own file' }}").expect("written");
    let (file, _) = convert_folder(dir.path(), Quant::Q8).expect("converts");
    let model = Model::parse(&file).expect("valid");
    assert_eq!(model.chat_template(), Some("{{ 'own file' }}"));
    let metadata: Value = serde_json::from_str(model.metadata()).expect("JSON");
    assert_eq!(metadata["architecture"], "LlamaForCausalLM");
    assert_eq!(
        (&metadata["quantization"], &metadata["source_dtype"]),
        (&json!("q8"), &json!("F32"))
    );
}

#[test]
fn old_rotary_frequencies_are_ignored() {
    let mut folder = Folder::tiny();
    let expected = folder.convert(Quant::Q8).expect("converts").0;
    let inv_freq = Tensor { dtype: "F32", shape: vec![8], bytes: vec![0; 32] };
    folder.tensors.insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), inv_freq);
    assert_eq!(expected, folder.convert(Quant::Q8).expect("converts").0);
}
