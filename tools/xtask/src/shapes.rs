//! Shapes of models that people run, without their weights: what speed depends on.

use clap::ValueEnum;

/// A model's shape, by the name that people know it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    #[value(name = "stories15m")]
    Stories15m,
    #[value(name = "smollm2-135m")]
    SmolLm2,
    #[value(name = "qwen2.5-0.5b")]
    Qwen2_5,
    #[value(name = "tinyllama-1.1b")]
    TinyLlama,
    #[value(name = "llama3.2-1b")]
    Llama3_2,
}

/// The numbers of a Llama-style model's `config.json`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dimensions {
    pub(crate) hidden: usize,
    pub(crate) ffn: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) vocab: usize,
    pub(crate) context: u32,
    /// Whether the embedding is the head, too.
    pub(crate) tied: bool,
    pub(crate) rope_theta: f64,
    pub(crate) norm_epsilon: f64,
}

/// Which way a tensor's numbers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Factors of a norm [hidden].
    Norm,
    /// Its columns are the channels of the residual stream, or its rows are looked up as such.
    Reads,
    /// Its rows add to the residual stream, or feed what does.
    Writes,
}

/// A tensor of a Hugging Face folder.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    /// [rows, columns], or [length].
    pub(crate) shape: Vec<usize>,
    pub(crate) role: Role,
}

impl Shape {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Source: the `config.json` of karpathy/tinyllamas (stories15M), HuggingFaceTB/SmolLM2-135M,
    /// Qwen/Qwen2.5-0.5B, TinyLlama/TinyLlama-1.1B-Chat-v1.0 and meta-llama/Llama-3.2-1B. Left out is
    /// what costs next to nothing: Qwen's biases, and Llama 3's scaling of slow rotary angles.
    pub(crate) fn dimensions(self) -> Dimensions {
        let smallest = Dimensions {
            hidden: 288,
            ffn: 768,
            layers: 6,
            heads: 6,
            kv_heads: 6,
            vocab: 32_000,
            context: 256,
            tied: true,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-5,
        };
        match self {
            Self::Stories15m => smallest,
            Self::SmolLm2 => Dimensions {
                hidden: 576,
                ffn: 1536,
                layers: 30,
                heads: 9,
                kv_heads: 3,
                vocab: 49_152,
                context: 8192,
                rope_theta: 100_000.0,
                ..smallest
            },
            Self::Qwen2_5 => Dimensions {
                hidden: 896,
                ffn: 4864,
                layers: 24,
                heads: 14,
                kv_heads: 2,
                vocab: 151_936,
                context: 32_768,
                rope_theta: 1_000_000.0,
                norm_epsilon: 1e-6,
                ..smallest
            },
            Self::TinyLlama => Dimensions {
                hidden: 2048,
                ffn: 5632,
                layers: 22,
                heads: 32,
                kv_heads: 4,
                context: 2048,
                tied: false,
                ..smallest
            },
            Self::Llama3_2 => Dimensions {
                hidden: 2048,
                ffn: 8192,
                layers: 16,
                heads: 32,
                kv_heads: 8,
                vocab: 128_256,
                context: 131_072,
                rope_theta: 500_000.0,
                ..smallest
            },
        }
    }
}

impl Dimensions {
    pub(crate) fn head_dim(&self) -> usize {
        self.hidden / self.heads
    }

    /// All tensors, in the order of the file.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        let &Self { hidden, ffn, vocab, .. } = self;
        let kv = self.kv_heads * self.head_dim();
        let mut tensors = Vec::new();
        let mut add = |name: String, shape: &[usize], role| {
            tensors.push(Tensor { name, shape: shape.to_vec(), role });
        };
        add("model.embed_tokens.weight".into(), &[vocab, hidden], Role::Reads);
        for layer in 0..self.layers {
            let name = |within: &str| format!("model.layers.{layer}.{within}.weight");
            add(name("input_layernorm"), &[hidden], Role::Norm);
            add(name("self_attn.q_proj"), &[hidden, hidden], Role::Reads);
            add(name("self_attn.k_proj"), &[kv, hidden], Role::Reads);
            add(name("self_attn.v_proj"), &[kv, hidden], Role::Reads);
            add(name("self_attn.o_proj"), &[hidden, hidden], Role::Writes);
            add(name("post_attention_layernorm"), &[hidden], Role::Norm);
            add(name("mlp.gate_proj"), &[ffn, hidden], Role::Reads);
            add(name("mlp.up_proj"), &[ffn, hidden], Role::Reads);
            add(name("mlp.down_proj"), &[hidden, ffn], Role::Writes);
        }
        add("model.norm.weight".into(), &[hidden], Role::Norm);
        if !self.tied {
            add("lm_head.weight".into(), &[vocab, hidden], Role::Reads);
        }
        tensors
    }

    pub(crate) fn parameters(&self) -> usize {
        self.tensors().iter().map(Tensor::len).sum()
    }
}

impl Tensor {
    /// How many numbers.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the models' cards and papers count; of Qwen2.5 without 24 × (896 + 128 + 128) biases.
    #[test]
    fn parameters_are_those_of_the_real_models() {
        for (shape, expected) in [
            (Shape::Stories15m, 15_191_712),
            (Shape::SmolLm2, 134_515_008),
            (Shape::Qwen2_5, 494_032_768 - 27_648),
            (Shape::TinyLlama, 1_100_048_384),
            (Shape::Llama3_2, 1_235_814_400),
        ] {
            assert_eq!(shape.dimensions().parameters(), expected, "{shape:?}");
        }
    }

    #[test]
    fn heads_divide_the_hidden_state_into_even_parts() {
        for shape in Shape::value_variants() {
            let dimensions = shape.dimensions();
            assert_eq!(dimensions.hidden % dimensions.heads, 0, "{shape:?}");
            assert_eq!(dimensions.heads % dimensions.kv_heads, 0, "{shape:?}");
            assert_eq!(dimensions.head_dim() % 2, 0, "{shape:?}");
        }
    }
}
