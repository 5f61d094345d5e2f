//! Hugging Face folders made by a test: a small Llama whose numbers follow from their place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use acorn_cli::convert::{Quant, Report, convert};
use acorn_cli::error::Error;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A tensor: type, shape, bytes.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// A folder in the making.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) config: Map<String, Value>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl Folder {
    /// One layer, hidden 32, tied, f32: a few KiB.
    pub(crate) fn tiny() -> Self {
        Self::llama(1, 32, 40, 2, 1, 11)
    }

    pub(crate) fn llama(
        layers: usize,
        hidden: usize,
        ffn: usize,
        heads: usize,
        kv: usize,
        vocab: usize,
    ) -> Self {
        let config = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": hidden,
            "intermediate_size": ffn,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv,
            "vocab_size": vocab,
            "max_position_embeddings": 64,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "hidden_act": "silu",
            "tie_word_embeddings": true,
        });
        let kv_dim = hidden / heads * kv;
        let mut folder = Self {
            config: config.as_object().expect("an object").clone(),
            tensors: BTreeMap::new(),
        };
        folder.add("model.embed_tokens.weight", &[vocab, hidden]);
        folder.add("model.norm.weight", &[hidden]);
        for layer in 0..layers {
            for (name, shape) in [
                ("input_layernorm", vec![hidden]),
                ("self_attn.q_proj", vec![hidden, hidden]),
                ("self_attn.k_proj", vec![kv_dim, hidden]),
                ("self_attn.v_proj", vec![kv_dim, hidden]),
                ("self_attn.o_proj", vec![hidden, hidden]),
                ("post_attention_layernorm", vec![hidden]),
                ("mlp.gate_proj", vec![ffn, hidden]),
                ("mlp.up_proj", vec![ffn, hidden]),
                ("mlp.down_proj", vec![hidden, ffn]),
            ] {
                folder.add(&format!("model.layers.{layer}.{name}.weight"), &shape);
            }
        }
        folder
    }

    /// One layer of GPT-2's shape, hidden 32, ffn 48, 2 heads, 11 tokens, 16 positions, tied, f32.
    pub(crate) fn gpt2() -> Self {
        let config = json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": 32,
            "n_inner": 48,
            "n_layer": 1,
            "n_head": 2,
            "n_positions": 16,
            "n_ctx": 16,
            "vocab_size": 11,
            "activation_function": "gelu_new",
        });
        let mut folder = Self {
            config: config.as_object().expect("an object").clone(),
            tensors: BTreeMap::new(),
        };
        for (name, shape) in [
            ("wte.weight", vec![11, 32]),
            ("wpe.weight", vec![16, 32]),
            ("ln_f.weight", vec![32]),
            ("ln_f.bias", vec![32]),
            ("h.0.ln_1.weight", vec![32]),
            ("h.0.ln_1.bias", vec![32]),
            ("h.0.attn.c_attn.weight", vec![32, 96]),
            ("h.0.attn.c_attn.bias", vec![96]),
            ("h.0.attn.c_proj.weight", vec![32, 32]),
            ("h.0.attn.c_proj.bias", vec![32]),
            ("h.0.ln_2.weight", vec![32]),
            ("h.0.ln_2.bias", vec![32]),
            ("h.0.mlp.c_fc.weight", vec![32, 48]),
            ("h.0.mlp.c_fc.bias", vec![48]),
            ("h.0.mlp.c_proj.weight", vec![48, 32]),
            ("h.0.mlp.c_proj.bias", vec![32]),
        ] {
            folder.add(&format!("transformer.{name}"), &shape);
        }
        folder
    }

    /// Adds an f32 tensor.
    pub(crate) fn add(&mut self, name: &str, shape: &[usize]) {
        let mut state =
            name.bytes().fold(1u32, |state, byte| state.wrapping_mul(31) ^ u32::from(byte));
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let bytes = (0..shape.iter().product()).flat_map(|_| next().to_le_bytes()).collect();
        self.tensors.insert(name.into(), Tensor { dtype: "F32", shape: shape.to_vec(), bytes });
    }

    /// Sets a field of `config.json`.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.config.insert(name.into(), value);
        self
    }

    /// Writes the folder with one file of weights.
    pub(crate) fn write(&self) -> TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        self.write_config(dir.path());
        write_safetensors(&dir.path().join("model.safetensors"), &self.tensors);
        dir
    }

    /// Writes the folder with two files of weights and an index.
    pub(crate) fn write_sharded(&self) -> TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        self.write_config(dir.path());
        let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let mut weight_map = Map::new();
        for (shard, file) in names.into_iter().enumerate() {
            let of_shard = self.tensors.iter().enumerate().filter(|(index, _)| index % 2 == shard);
            let part: BTreeMap<_, _> =
                of_shard.map(|(_, (name, tensor))| (name.clone(), tensor.clone())).collect();
            weight_map.extend(part.keys().map(|name| (name.clone(), file.into())));
            write_safetensors(&dir.path().join(file), &part);
        }
        let index = json!({ "metadata": {}, "weight_map": weight_map }).to_string();
        fs::write(dir.path().join("model.safetensors.index.json"), index).expect("written");
        dir
    }

    fn write_config(&self, dir: &Path) {
        let config = Value::Object(self.config.clone()).to_string();
        fs::write(dir.join("config.json"), config).expect("written");
    }

    /// Converts it; the file's bytes.
    pub(crate) fn convert(&self, quant: Quant) -> Result<(Vec<u8>, Report), Error> {
        convert_folder(self.write().path(), quant)
    }
}

/// Converts a folder; the file's bytes.
pub(crate) fn convert_folder(dir: &Path, quant: Quant) -> Result<(Vec<u8>, Report), Error> {
    let target = tempfile::tempdir().expect("a temporary folder");
    let out = target.path().join("model.acorn");
    let result = convert(dir, &out, quant, &());
    let left: Vec<PathBuf> = fs::read_dir(target.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .collect();
    match result {
        Ok(report) => {
            assert_eq!(left, std::slice::from_ref(&out));
            Ok((fs::read(out).expect("readable"), report))
        }
        Err(error) => {
            assert!(left.is_empty(), "a failed conversion left {left:?}");
            Err(error)
        }
    }
}

/// A safetensors file of these tensors.
pub(crate) fn safetensors(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        let start = data.len();
        data.extend(&tensor.bytes);
        let entry = json!({ "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let header = Value::Object(header).to_string();
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), &data].concat()
}

pub(crate) fn write_safetensors(path: &Path, tensors: &BTreeMap<String, Tensor>) {
    fs::write(path, safetensors(tensors)).expect("written");
}

/// The tensors of a safetensors file in half precision.
pub(crate) fn read_safetensors(path: &Path) -> BTreeMap<String, Tensor> {
    let bytes = fs::read(path).expect("readable");
    let (len, rest) = bytes.split_first_chunk::<8>().expect("a length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*len) as usize);
    let header: Map<String, Value> = serde_json::from_slice(header).expect("JSON");
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
    let tensor = |(name, entry): (String, Value)| {
        assert_eq!(entry["dtype"], "F16", "{name}");
        let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).expect("a shape");
        let [start, end]: [usize; 2] =
            serde_json::from_value(entry["data_offsets"].clone()).expect("offsets");
        (name, Tensor { dtype: "F16", shape, bytes: data[start..end].to_vec() })
    };
    tensors.map(tensor).collect()
}
