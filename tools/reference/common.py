"""What the reference scripts share: paths, loading a model folder, the tokenizer, a true float64 model.

Nothing here is clever: transformers runs the model, the tokenizers library runs tokenizer.json as it stands.
"""

import json
import sys
import types
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
SHARED = ROOT.parent / "shared" / "data"

torch.set_num_threads(1)


def need(path):
    """The path, or a clear exit if it is missing."""
    if not path.exists():
        sys.exit(f"missing: {path}")
    return path


def load_tokenizer(folder):
    """(tokenizer, ids it puts in front of every text): the list is empty where it adds no BOS."""
    tokenizer = Tokenizer.from_file(str(need(Path(folder) / "tokenizer.json")))
    return tokenizer, tokenizer.encode("").ids


def load_model(folder):
    """The folder's model with every weight upcast to float32, on the CPU."""
    need(Path(folder) / "config.json")
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, attn_implementation="sdpa")
    return model.eval()


def to_true_double(model):
    """Turn a Llama or GPT-2 model into float64 throughout.

    For Llama `model.double()` alone is not enough: transformers drops to float32 inside RMSNorm and for the RoPE angles.
    """
    if model.config.model_type == "gpt2":
        return model.double()
    if model.config.model_type != "llama":
        sys.exit(f"float64 is written for llama and gpt2 only, not {model.config.model_type}")
    if model.config.rope_parameters["rope_type"] != "default":
        sys.exit("float64 is written for unscaled RoPE only")
    model.double()

    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rope(self, x, position_ids):
        dim = self.inv_freq.shape[0] * 2
        theta = self.config.rope_parameters["rope_theta"]
        freq = theta ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angle = position_ids[..., None].double() * freq
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()

    for module in model.modules():
        if type(module).__name__ == "LlamaRMSNorm":
            module.forward = types.MethodType(norm, module)
        elif type(module).__name__ == "LlamaRotaryEmbedding":
            module.forward = types.MethodType(rope, module)
    return model


def write_json(path, value, indent=1):
    """UTF-8 JSON, written the same way each time."""
    Path(path).write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
