"""Train models/bard: a GPT-2-style decoder of under a million parameters on tinyshakespeare.

The last tenth of the text (from a line's start) is held out; the tokenizer and the model see the rest only. The weights of
the best validation loss are kept, rounded to float16 and measured once more. Writes the model folder and bard_curve.png.

example: python tools/train/train_bard.py
"""

import argparse
import copy
import math
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel

from common import HERE, MODELS, SHARED, added, need, plot_curve, rate_at, round_to_f16, save_folder, train_bpe, write_json
from muon import Muon

CONTEXT, VOCAB = 256, 1024
END = "<|endoftext|>"
CONFIG = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 128, "n_layer": 4, "n_head": 4, "n_inner": None,
    "n_positions": CONTEXT, "n_ctx": CONTEXT, "vocab_size": VOCAB, "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False, "tie_word_embeddings": True, "embd_pdrop": 0.1, "attn_pdrop": 0.0,
    "resid_pdrop": 0.1, "bos_token_id": VOCAB - 1, "eos_token_id": VOCAB - 1, "torch_dtype": "float16",
}


def split_text(source):
    """(training text, held-out text): the held-out part is the last tenth less the line it cuts into."""
    data = source.read_bytes()
    cut = data.index(b"\n", len(data) - len(data) // 10) + 1
    return data[:cut].decode(), data[cut:].decode()


def byte_level_tokenizer(text):
    """A tokenizer.json of GPT-2's shape, its merges learned from this text; <|endoftext|> is the last id."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    letters, merged, merges = train_bpe([text], split, VOCAB - 1, sorted(pre_tokenizers.ByteLevel.alphabet()))
    pieces = sorted(letters) + merged + [END]
    assert len(letters) == 256 and len(pieces) == VOCAB, (len(letters), len(pieces))
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added(VOCAB - 1, END)],
        "normalizer": None, "pre_tokenizer": step, "post_processor": {**step, "trim_offsets": False}, "decoder": step,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {piece: id for id, piece in enumerate(pieces)}, "merges": [list(m) for m in merges],
        },
    }


@torch.no_grad()
def held_out_loss(model, ids):
    """Mean loss in nats per token over the held-out ids: windows of the whole context, half of it overlap, so that
    every token but the first window's has at least half a context before it. Each token counts once."""
    model.eval()
    total = count = 0
    half = CONTEXT // 2
    for start in range(0, len(ids) - 1, half):
        window = ids[start:start + CONTEXT][None]
        losses = torch.nn.functional.cross_entropy(model(window).logits[0, :-1], window[0, 1:], reduction="none")
        new = losses if start == 0 else losses[half - 1:]
        total, count = total + new.sum().item(), count + len(new)
    model.train()
    return total / count


def optimizers_of(model, decay):
    """[(optimizer, its share of the learning rate)]: Muon for the layers' matrices, AdamW for embeddings, norms and biases."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and ".h." in n]
    rest = [p for n, p in model.named_parameters() if p.dim() < 2 or ".h." not in n]
    return [(Muon(matrices, lr=0, decay=decay), 1.0), (torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.0), 0.15)]


def train(model, ids, held_out, args):
    """Train on random windows; the model ends up with its best weights. Returns the two curves."""
    generator = torch.Generator().manual_seed(args.seed)
    optimizers = optimizers_of(model, args.decay)
    training, measured, recent, best = [], [], [], (math.inf, None)
    began = time.time()
    for step in range(1, args.steps + 1):
        starts = torch.randint(len(ids) - CONTEXT, (args.batch, 1), generator=generator)
        window = ids[starts + torch.arange(CONTEXT)]
        loss = model(window, labels=window).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, share in optimizers:
            optimizer.param_groups[0]["lr"] = share * rate_at(step, args.steps, args.rate)
            optimizer.step()
            optimizer.zero_grad()
        recent = recent[-49:] + [loss.item()]
        if step % 50 == 0 or step == args.steps:
            training.append((step, sum(recent) / len(recent)))
        if step % 150 == 0 or step == args.steps:
            measured.append((step, held_out_loss(model, held_out)))
            print(f"  step {step:5} training {training[-1][1]:.4f} held-out {measured[-1][1]:.4f} "
                  f"{time.time() - began:.0f} s", flush=True)
            if measured[-1][1] < best[0]:
                best = measured[-1][1], copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    return training, measured


def sample(model, tokenizer, prompt, tokens, seed):
    """A continuation at temperature 0.8, top-k 40."""
    torch.manual_seed(seed)
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    out = model.eval().generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=True,
                                temperature=0.8, top_k=40, pad_token_id=VOCAB - 1)
    return tokenizer.decode(out[0].tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHARED / "text" / "tinyshakespeare.txt")
    parser.add_argument("--out", type=Path, default=MODELS / "bard", help="the model folder")
    parser.add_argument("--curve", type=Path, default=HERE / "bard_curve.png")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=8, help="windows of 256 tokens in a step")
    parser.add_argument("--rate", type=float, default=0.02, help="Muon's highest learning rate; AdamW takes 0.15 of it")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay of the matrices")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    text, held_text = split_text(need(args.text))
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "tokenizer.json", byte_level_tokenizer(text))
    tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    ids, held_out = (torch.tensor(tokenizer.encode(t).ids) for t in (text, held_text))
    model = GPT2LMHeadModel(GPT2Config(**CONFIG))
    print(f"bard: {model.num_parameters():,} parameters, {len(ids):,} tokens to train on, {len(held_out):,} held out")
    training, measured = train(model, ids, held_out, args)
    round_to_f16(model)
    loss = held_out_loss(model, held_out)
    bits = loss * (len(held_out) - 1) / math.log(2) / len(held_text)
    print(f"float16 weights, held-out text: loss {loss:.4f} nats per token, perplexity {math.exp(loss):.2f}, "
          f"{bits:.3f} bits per character")
    save_folder(args.out, model, CONFIG, {
        "bos_token_id": VOCAB - 1, "eos_token_id": VOCAB - 1, "do_sample": True, "temperature": 0.8, "top_k": 40,
    }, {
        "add_prefix_space": False, "bos_token": END, "eos_token": END, "unk_token": END,
        "clean_up_tokenization_spaces": False, "model_max_length": CONTEXT, "tokenizer_class": "GPT2Tokenizer",
    })
    plot_curve(args.curve, "bard", training, measured, "held out")
    print(sample(model, tokenizer, "ROMEO:", 120, args.seed))


if __name__ == "__main__":
    main()
