"""Perplexity by the definition that `acorn eval` follows, in float32.

The whole text is tokenized once, without special tokens. A window is BOS + the next context-1 tokens and predicts all of
them; a last window of one token is dropped. Where the tokenizer adds no BOS a window is the next `context` tokens and its
first is not predicted. nll is the mean over all predicted tokens, natural logarithm.

Writes tests/fixtures/reference/perplexity.json for the fixture models (the held-out text, context 128) and, where
../shared/data is present, for stories260K and TinyStories-656K (the first 60,000 characters of tinystories.txt,
context 256). Without it their committed numbers stay as they are.

example: python tools/reference/perplexity.py
"""

import argparse
import json
import math
from pathlib import Path

import torch

from common import FIXTURES, SHARED, load_model, load_tokenizer, write_json


@torch.no_grad()
def nll(folder, text, context):
    """(mean nll, predicted tokens, tokens of the text)."""
    tokenizer, bos = load_tokenizer(folder)
    model = load_model(folder)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    step = context - len(bos)
    total, count = 0.0, 0
    for at in range(0, len(ids), step):
        window = bos + ids[at : at + step]
        if len(ids) - at < 2:
            break
        logits = model(torch.tensor([window]), use_cache=False).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, torch.tensor(window[1:]), reduction="none")
        total += losses.double().sum().item()
        count += len(losses)
    return total / count, count, len(ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXTURES / "reference" / "perplexity.json")
    args = parser.parse_args()
    jobs = [
        ("tiny-llama", FIXTURES / "models", FIXTURES / "text" / "shakespeare.txt", None, 128),
        ("tiny-untied", FIXTURES / "models", FIXTURES / "text" / "shakespeare.txt", None, 128),
        ("stories260K", SHARED / "models", SHARED / "text" / "tinystories.txt", 60_000, 256),
        ("TinyStories-656K", SHARED / "models", SHARED / "text" / "tinystories.txt", 60_000, 256),
    ]
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name, models, path, characters, context in jobs:
        if not (models / name).exists():
            print(f"{name}: not here, left as it was")
            continue
        text = path.read_bytes().decode()[:characters]
        mean, count, tokens = nll(models / name, text, context)
        results[name] = {
            "text": path.name, "characters": len(text), "context": context, "text_tokens": tokens,
            "predicted": count, "nll": mean, "perplexity": math.exp(mean),
        }
        print(f"{name}: nll {mean:.5f} perplexity {math.exp(mean):.3f}, {count:,} predicted of {tokens:,} tokens")
    write_json(args.out, results)


if __name__ == "__main__":
    main()
