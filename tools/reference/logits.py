"""Reference logits and greedy text of one model folder, by transformers on the CPU.

P.tokens.json  the token ids: the tokenizer's BOS, if it adds one, then the beginning of the text
P.logits.npy   float32 [tokens, vocab], the model in float32 with its weights upcast
P.greedy.json  prompt, prompt_ids, ids (greedy, in true float64, past any eos), margins (top 1 - top 2),
               text (prompt and all, special tokens left out)

example: python tools/reference/logits.py tests/fixtures/models/tiny-llama --tokens 64 \\
             --prompt "ROMEO:" --out-prefix tests/fixtures/reference/tiny-llama
"""

import argparse
from pathlib import Path

import numpy
import torch

from common import FIXTURES, load_model, load_tokenizer, need, to_true_double, write_json


def without_special(tokenizer, ids):
    """The ids that are not special tokens. (decode's own skipping misses those marked "normalized" in tokenizer.json.)"""
    special = {id for id, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    return [id for id in ids if id not in special]


@torch.no_grad()
def greedy(model, ids, count):
    """(new ids, margins): each step runs the whole sequence again, no cache; ends early only at the context limit."""
    ids, start, margins = list(ids), len(ids), []
    limit = model.config.max_position_embeddings
    while len(ids) < min(start + count, limit):
        last = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        top = last.topk(2)
        ids.append(int(last.argmax()))
        margins.append(round(float(top.values[0] - top.values[1]), 6))
    return ids[start:], margins


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a Hugging Face folder with tokenizer.json")
    parser.add_argument("--tokens", type=int, default=64, help="how many tokens get logits (%(default)s)")
    parser.add_argument("--text", type=Path, default=FIXTURES / "text" / "shakespeare.txt", help="where they come from")
    parser.add_argument("--prompt", default="ROMEO:", help="the start of the greedy text (%(default)s)")
    parser.add_argument("--new", type=int, default=200, help="how many tokens to generate (%(default)s)")
    parser.add_argument("--out-prefix", required=True, help="the path that the three file names start with")
    args = parser.parse_args()

    tokenizer, bos = load_tokenizer(args.model)
    text = need(args.text).read_bytes().decode()[: 16 * args.tokens]
    ids = (bos + tokenizer.encode(text, add_special_tokens=False).ids)[: args.tokens]
    assert len(ids) == args.tokens, "the text is too short"
    Path(args.out_prefix).parent.mkdir(parents=True, exist_ok=True)
    write_json(f"{args.out_prefix}.tokens.json", ids, None)

    model = load_model(args.model)
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].float().numpy()
    numpy.save(f"{args.out_prefix}.logits.npy", logits)

    model = to_true_double(model)
    with torch.no_grad():
        exact = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    assert exact.dtype == numpy.float64
    prompt_ids = bos + tokenizer.encode(args.prompt, add_special_tokens=False).ids
    new, margins = greedy(model, prompt_ids, args.new)
    decoded = tokenizer.decode(without_special(tokenizer, prompt_ids + new))
    write_json(f"{args.out_prefix}.greedy.json", {
        "prompt": args.prompt, "prompt_ids": prompt_ids, "ids": new, "margins": margins, "text": decoded,
    }, None)

    print(f"{args.out_prefix}: logits {logits.shape} std {logits.std():.3f} min {logits.min():.3f} max {logits.max():.3f}")
    print(f"  float32 against float64: max difference {abs(logits - exact).max():.2e}")
    print(f"  greedy: {len(new)} tokens, smallest margins {sorted(margins)[:5]}, median {numpy.median(margins):.3f}")
    print(f"  {decoded!r}")


if __name__ == "__main__":
    main()
