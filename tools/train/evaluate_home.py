"""Measure models/home: exact match of the greedy answer, in float32 from the folder's float16 weights.

Prints, for each file of pairs (JSON lines with "text" and "json"), the share of answers that equal the wanted JSON byte for
byte, and the most frequent confusions: wanted and given values of the same key.

example: python tools/train/evaluate_home.py
         python tools/train/evaluate_home.py --ask "turn the kitchen lights down to thirty percent"
"""

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from common import MODELS, need


def load(folder):
    """(model in float32, tokenizer, eos id)"""
    tokenizer = Tokenizer.from_file(str(need(folder / "tokenizer.json")))
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    return model, tokenizer, model.config.eos_token_id


@torch.no_grad()
def answers(model, tokenizer, eos, texts, batch=64):
    """The greedy answers, in the texts' order. Prompts of one length run together, so nothing is padded."""
    groups = defaultdict(list)
    for i, encoding in enumerate(tokenizer.encode_batch(texts)):
        groups[len(encoding.ids)].append((i, encoding.ids))
    result = [""] * len(texts)
    for length, group in groups.items():
        for start in range(0, len(group), batch):
            part = group[start:start + batch]
            ids = torch.tensor([ids for _, ids in part])
            out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=eos,
                                 max_length=model.config.max_position_embeddings)
            for (i, _), row in zip(part, out[:, length:].tolist()):
                result[i] = tokenizer.decode(row[:row.index(eos)] if eos in row else row)
    return result


def confusions(wanted, given):
    """(key, wanted value, given value) of every difference; None stands for an absent key."""
    try:
        given = json.loads(given)
    except ValueError:
        return [("text", "JSON", "no JSON")]
    wanted = json.loads(wanted)
    wanted, given = (v["do"] if isinstance(v, dict) and "do" in v else [v] for v in (wanted, given))
    if len(wanted) != len(given):
        return [("commands", len(wanted), len(given))]
    if not all(isinstance(g, dict) for g in given):
        return [("text", "object", "other")]
    return [(k, w.get(k), g.get(k)) for w, g in zip(wanted, given)
            for k in dict.fromkeys([*w, *g]) if w.get(k) != g.get(k)]


def report(name, pairs, given, misses):
    """Print the share of exact answers, the confusions, and as many of the missed commands as asked for."""
    wrong = [(p["text"], p["json"], g) for p, g in zip(pairs, given) if p["json"] != g]
    print(f"{name}: {len(pairs) - len(wrong)} of {len(pairs)} exact, {100 - 100 * len(wrong) / len(pairs):.2f} %")
    counts = Counter(str(c) for _, w, g in wrong for c in confusions(w, g))
    for confusion, count in counts.most_common(10):
        print(f"  {count:4} {confusion}")
    for text, w, g in wrong[:misses]:
        print(f"  {text}\n    wanted {w}\n    given  {g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODELS / "home", help="the model folder")
    parser.add_argument("--pairs", type=Path, nargs="*", help="files of pairs instead of heldout.jsonl and handwritten.jsonl")
    parser.add_argument("--misses", type=int, default=0, help="show this many missed commands of each file")
    parser.add_argument("--ask", help="answer this one command and stop")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, tokenizer, eos = load(args.model)
    if args.ask:
        print(answers(model, tokenizer, eos, [args.ask])[0])
        return
    for path in args.pairs or [MODELS / "home" / f"{n}.jsonl" for n in ("heldout", "handwritten")]:
        pairs = [json.loads(line) for line in need(path).read_text(encoding="utf-8").splitlines()]
        report(path.stem, pairs, answers(model, tokenizer, eos, [p["text"] for p in pairs]), args.misses)


if __name__ == "__main__":
    main()
