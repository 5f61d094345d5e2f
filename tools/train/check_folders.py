"""Check that other software can use the bundled models: both folders load in transformers as they stand.

Loads each folder with AutoModelForCausalLM and AutoTokenizer, checks that no weight is missing or left over and that the
tokenizer gives the ids of tokenizer.json, and lets home answer the first hand-written commands and bard go on from a name.

example: python tools/train/check_folders.py
"""

import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import MODELS

TEXTS = ["turn the kitchen lights down to thirty percent", "ROMEO:\nIt is the east, and Juliet is the sun.", "café ☕", ""]


def load(name):
    """(model in float32, transformers' tokenizer); exits where the folder does not say all that they need."""
    folder = MODELS / name
    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {kind: sorted(keys) for kind, keys in report.items() if keys}
    if wrong:
        sys.exit(f"{name}: {wrong}")
    tokenizer, plain = AutoTokenizer.from_pretrained(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in TEXTS:
        if tokenizer(text).input_ids != plain.encode(text).ids:
            sys.exit(f"{name}: {text!r} is {tokenizer(text).input_ids} in transformers, {plain.encode(text).ids} in tokenizer.json")
    print(f"{name}: {model.num_parameters():,} parameters, {type(tokenizer).__name__}")
    return model.eval(), tokenizer


def go_on(model, tokenizer, text, count):
    """The greedy continuation, special tokens left out."""
    ids = tokenizer(text, return_tensors="pt").input_ids
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count)
    return tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True)


def main():
    home = load("home")
    lines = (MODELS / "home" / "handwritten.jsonl").read_text(encoding="utf-8").splitlines()[:20]
    pairs = [json.loads(line) for line in lines]
    right = sum(go_on(*home, p["text"], 100) == p["json"] for p in pairs)
    print(f"  {right} of the first {len(pairs)} hand-written commands answered exactly")
    if right < 15:
        sys.exit("home answers worse in transformers than it was measured")
    print("  " + repr(go_on(*load("bard"), "ROMEO:", 40)))


if __name__ == "__main__":
    main()
