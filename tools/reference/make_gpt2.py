"""Make the fixture tiny-gpt2 and the references of both GPT-2 models: seeded random weights, float16, no tokenizer.

Writes tests/fixtures/models/tiny-gpt2, tests/fixtures/reference/tiny-gpt2.{tokens.json,logits.npy,greedy.json}, and, where
../shared/data has the model, tests/fixtures/reference/gpt-nano-sort.json (sequences of token ids, and the logits after the last).

example: python tools/reference/make_gpt2.py
"""

import argparse
import itertools
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

from common import FIXTURES, SHARED, load_model, write_json

CONFIG = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": None,
    "n_positions": 128, "vocab_size": 96, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "float16",
}


def make(folder, seed):
    """Every number of the model is drawn, gains around 1: a bias or a gain that is left out shows in the logits."""
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(GPT2Config(**CONFIG))
    state = {}
    for name, tensor in sorted(model.state_dict().items()):
        if name == "lm_head.weight" or name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        noise = torch.randn(tensor.shape)
        if ".ln_" in name:
            value = noise * 0.2 + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            value = noise * 0.2
        elif "wte" in name:
            value = noise * 0.4
        elif "wpe" in name:
            value = noise * 0.2
        else:
            value = noise * (1.5 / tensor.shape[0] ** 0.5)
        state[name] = value.to(torch.float16).contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "config.json", CONFIG, 2)


@torch.no_grad()
def references(folder, prefix, seed):
    """64 random tokens' logits in float32; 100 greedy tokens in float64 with their margins."""
    model = load_model(folder)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(CONFIG["vocab_size"], (64,), generator=generator).tolist()
    logits = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    write_json(f"{prefix}.tokens.json", ids, None)
    numpy.save(f"{prefix}.logits.npy", logits)

    model.double()
    exact = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    assert exact.dtype == numpy.float64
    prompt, new, margins = ids[:8], [], []
    while len(new) < 100:
        last = model(torch.tensor([prompt + new]), use_cache=False).logits[0, -1]
        top = last.topk(2).values
        new.append(int(last.argmax()))
        margins.append(round(float(top[0] - top[1]), 6))
    write_json(f"{prefix}.greedy.json", {"prompt_ids": prompt, "ids": new, "margins": margins}, None)
    print(f"{prefix}: logits std {logits.std():.3f} min {logits.min():.3f} max {logits.max():.3f}")
    print(f"  float32 against float64: max difference {abs(logits - exact).max():.2e}")
    print(f"  greedy: smallest margins {sorted(margins)[:5]}, {len(set(new))} different tokens")


@torch.no_grad()
def sorting(folder, out):
    """Six digits, then the same sorted: every 37th of all inputs, each cut where the model starts to answer."""
    model = load_model(folder)
    cases = []
    for digits in list(itertools.product(range(3), repeat=6))[::37]:
        ids = list(digits) + sorted(digits)[:-1]
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, 5:]
        assert logits.argmax(-1).tolist() == sorted(digits), digits
        cases.append({"ids": ids, "logits": [[round(float(x), 6) for x in row] for row in logits]})
    write_json(out, cases, None)
    print(f"{out}: {len(cases)} inputs, all sorted")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXTURES, help="the fixtures folder")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder, prefix = args.out / "models" / "tiny-gpt2", args.out / "reference" / "tiny-gpt2"
    make(folder, args.seed)
    references(folder, prefix, args.seed)
    shared = SHARED / "models" / "gpt-nano-sort"
    if shared.exists():
        sorting(shared, args.out / "reference" / "gpt-nano-sort.json")


if __name__ == "__main__":
    main()
