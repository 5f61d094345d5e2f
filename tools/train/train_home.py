"""Train models/home: a Llama-style decoder of under a million parameters from household commands to JSON.

Sequence: <s> command <|json|> JSON </s>; the loss counts the JSON and </s> alone. Data: home_data.py. Writes the model
folder, its heldout.jsonl (commands whose phrasings and combinations of values were never trained on; checked here) and
home_curve.png. Hidden matrices are trained with Muon, the rest with AdamW.

example: python tools/train/train_home.py
"""

import argparse
import itertools
import json
import multiprocessing
import random
import re
import shutil
import sys
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, pre_tokenizers

import evaluate_home
import home_data
from common import HERE, MODELS, added, need, plot_curve, round_to_f16, save_folder, train_bpe, write_json
from llama import Llama
from muon import Muon

CONTEXT, VOCAB = 256, 1024
BOS, EOS, JSON = 1, 2, 3
SPECIAL = ["<unk>", "<s>", "</s>", "<|json|>"]
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 128, "intermediate_size": 384,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCAB,
    "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
    "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
    "bos_token_id": BOS, "eos_token_id": EOS, "torch_dtype": "float16",
}
# JSON falls into keys with their word, digits, and the rest; merges never cross these borders.
JSON_PARTS = re.compile(r'[{\[,]*"[a-z]+":(?:"[a-z][a-z_]*"|["\[{]+)?|[0-9]|"[a-z_]+"|.')


def bpe_merges(examples):
    """(letters, merged pieces, merges) from commands split at words, digits and signs, and from JSON in its parts."""
    gap = "\n"
    texts = []
    for text, answer, _ in examples:
        words = re.findall(r" ?[^\W\d]+| |\d|[^\w ]", " " + text)
        texts.append(gap.join(w.replace(" ", "▁") for w in words) + gap + gap.join(JSON_PARTS.findall(answer)))
    split = pre_tokenizers.Split(Regex(gap), "removed")
    letters = sorted({c for t in texts for c in t} - {gap} | set("0123456789▁") | {chr(c) for c in range(33, 127)})
    _, merged, merges = train_bpe(texts, split, VOCAB - len(SPECIAL) - 256, letters)
    return letters, merged, merges


def tokenizer_json(examples):
    """A tokenizer.json of the shape that converted SentencePiece BPE models have; its template makes the prompt.

    Ids: <unk> <s> </s> <|json|>, 256 byte pieces, merged pieces by rank, single characters.
    """
    letters, merged, merges = bpe_merges(examples)
    pieces = SPECIAL + [f"<0x{b:02X}>" for b in range(256)] + merged + letters
    assert len(set(pieces)) == VOCAB, len(set(pieces))
    sequence = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<|json|>", "type_id": 0}}]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(i, piece) for i, piece in enumerate(SPECIAL)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": sequence,
            "pair": sequence + [{"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {p: {"id": p, "ids": [i], "tokens": [p]} for i, p in ((BOS, "<s>"), (JSON, "<|json|>"))},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": {piece: id for id, piece in enumerate(pieces)}, "merges": [list(m) for m in merges],
        },
    }


def encoder(tokenizer):
    """A function from lists of (text, json) to lists of (prompt ids, answer ids with </s>)."""
    state = json.loads(tokenizer.to_str())
    state.update(normalizer=None, post_processor=None)  # JSON has no space in front
    plain = Tokenizer.from_str(json.dumps(state))

    def encode(pairs):
        prompts = tokenizer.encode_batch([p[0] for p in pairs])
        answers = plain.encode_batch([p[1] for p in pairs], add_special_tokens=False)
        return [(p.ids, a.ids + [EOS]) for p, a in zip(prompts, answers)]

    return encode


def batches(encoded, size, rng):
    """Batches of like length, in random order: (ids, labels), padded with </s> that no loss counts."""
    encoded = sorted(encoded, key=lambda e: len(e[0]) + len(e[1]))
    cuts = [encoded[i:i + size] for i in range(0, len(encoded) - size + 1, size)]
    rng.shuffle(cuts)
    for cut in cuts:
        width = max(len(p) + len(a) for p, a in cut)
        rows = [p + a + [EOS] * (width - len(p) - len(a)) for p, a in cut]
        labels = [[-100] * len(p) + a + [-100] * (width - len(p) - len(a)) for p, a in cut]
        yield torch.tensor(rows), torch.tensor(labels)


@torch.no_grad()
def held_out_loss(model, encoded):
    """Mean loss in nats per answer token, in float32."""
    total = count = 0
    for ids, labels in batches(encoded, 50, random.Random(0)):
        n = (labels >= 0).sum().item()
        total, count = total + answer_loss(model, model.model, ids, labels).item() * n, count + n
    return total / count


def answer_loss(model, body, ids, labels):
    """Cross-entropy of the answers, whose positions alone go through the head; `body` is the model's, compiled or not."""
    hidden = body(ids)[:, :-1]
    wanted = labels[:, 1:]
    at = wanted >= 0
    return torch.nn.functional.cross_entropy(model.head(hidden[at]).float(), wanted[at])


class Chunks:
    """Encoded training examples, drawn by a second process ahead of time: chunk after chunk, each with its own seed."""

    def __init__(self, seed, size, tokenizer, kept_out):
        self.seed, self.size, self.number = seed, size, 0
        self.pool = multiprocessing.get_context("spawn").Pool(1, prepare_worker, (tokenizer, kept_out))
        self.ahead = [self.ask(), self.ask()]

    def ask(self):
        self.number += 1
        return self.pool.apply_async(draw_chunk, (f"{self.seed}.{self.number}", self.size))

    def next(self):
        """(examples, the same encoded)"""
        self.ahead.append(self.ask())
        return self.ahead.pop(0).get()


def prepare_worker(tokenizer, kept_out):
    """What draw_chunk needs, once for its process."""
    global worker
    worker = encoder(Tokenizer.from_file(str(tokenizer))), kept_out


def draw_chunk(seed, size):
    """This many training examples and their ids; texts that are kept out are drawn anew."""
    encode, kept_out = worker
    stream = (e for e in home_data.samples(seed, "train") if plain(e[0]) not in kept_out)
    examples = list(itertools.islice(stream, size))
    return examples, encode(examples)


def rate_at(step, args):
    """The learning rate of a step: a short rise, a plain, and a straight line down to zero in the last part."""
    return args.rate * min(1, (step + 1) / args.warmup, (args.steps - step) / (args.steps * args.cooldown))


@contextmanager
def jitter(matrices):
    """Within, weights are off by what four bits per weight would make of them (blocks of 32 with a scale), at random."""
    kept = [p.detach().clone() for p in matrices]
    with torch.no_grad():
        for p in matrices:
            blocks = p.view(-1, 32)
            blocks.add_(blocks.abs().amax(1, keepdim=True) / 7.5 * (torch.rand_like(blocks) - 0.5))
    yield
    with torch.no_grad():
        for p, old in zip(matrices, kept):
            p.copy_(old)


def train(model, chunks, measured_on, probe, args, seen):
    """Train on fresh examples throughout; returns the two curves. `seen` keeps what the checks at the end need.

    A step takes two batches of different lengths. In bfloat16 where that is safe (autocast); the weights are float32.
    """
    matrices = [p for p in model.parameters() if p.dim() == 2]
    hidden = [p for p in matrices if p is not model.model.embed_tokens.weight]
    rest = [p for p in model.parameters() if p.dim() < 2] + [model.model.embed_tokens.weight]
    muon = Muon(hidden, args.rate, args.decay)
    adam = torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.0)
    body = torch.compile(model.model, dynamic=True)
    rng = random.Random(args.seed)
    training, measured, recent = [], [], []
    began, step = time.time(), 0
    while step < args.steps:
        examples, encoded = chunks.next()
        seen.update(examples)
        pieces = batches(encoded, args.batch // 2, rng)
        for pair in zip(pieces, pieces):
            muon.param_groups[0]["lr"] = rate_at(step, args)
            adam.param_groups[0]["lr"] = 0.3 * rate_at(step, args)
            with jitter(matrices) if step > args.steps * (1 - args.jitter) else nullcontext():
                for ids, labels in pair:
                    with torch.autocast("cpu", torch.bfloat16):
                        loss = answer_loss(model, body, ids, labels)
                    (loss / 2).backward()
                    recent = recent[-99:] + [loss.item()]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in (muon, adam):
                optimizer.step()
                optimizer.zero_grad()
            step += 1
            if step % 50 == 0:
                training.append((step, sum(recent) / len(recent)))
            if step % 500 == 0 or step == args.steps:
                save(args.out, model)
                measured.append((step, held_out_loss(model, measured_on)))
                print(f"  step {step:5} training {training[-1][1]:.4f} held-out {measured[-1][1]:.4f} exact "
                      f"{probe(args.out):.1f} % {time.time() - began:.0f} s", flush=True)
    return training, measured


def prober(held_out):
    """A function from a folder to the percentage of exact answers to the first 300 held-out commands."""
    def probe(folder):
        given = evaluate_home.answers(*evaluate_home.load(folder), [text for text, _, _ in held_out[:300]])
        return sum(g == answer for g, (_, answer, _) in zip(given, held_out)) / 3

    return probe


def save(folder, model):
    """Write the model folder (train also calls it on the way, so that a half-trained model can be looked at)."""
    save_folder(folder, model, CONFIG, {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": EOS, "do_sample": False}, {
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>",
        "additional_special_tokens": ["<|json|>"], "clean_up_tokenization_spaces": False, "model_max_length": CONTEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
    })


class Seen:
    """Phrasings, combinations and texts that training used."""

    def __init__(self):
        self.phrasings, self.answers, self.texts, self.examples = Counter(), set(), set(), 0

    def update(self, examples):
        for text, answer, phrasing in examples:
            self.phrasings[phrasing] += 1
            self.texts.add(plain(text))
            value = json.loads(answer)
            self.answers.update(json.dumps(a) for a in value.get("do", [value]) if home_data.combination(a))
            self.examples += 1

    def check(self, held_out, handwritten):
        """Exit unless held-out phrasings and combinations, and hand-written texts, are new."""
        for text, answer, phrasing in held_out:
            value = json.loads(answer)
            old = [a for a in value.get("do", [value]) if json.dumps(a) in self.answers]
            if phrasing in self.phrasings or old or plain(text) in self.texts:
                sys.exit(f"held out, yet trained on: {text} {answer}")
        if self.texts & handwritten:
            sys.exit(f"hand-written, yet trained on: {self.texts & handwritten}")
        print(f"{self.examples:,} examples of {len(self.phrasings):,} phrasings; none of the {len(held_out):,} held-out "
              f"phrasings and combinations and none of the {len(handwritten):,} hand-written sentences among them")


def plain(text):
    """A text without case and signs at its end, for comparing."""
    return text.lower().rstrip(".!?").strip()


def write_held_out(path, count):
    """Draw held-out examples with distinct texts, the same ones always, and write them; returns them."""
    examples, texts, phrasings = [], set(), Counter()
    for text, answer, phrasing in home_data.samples(1, "held"):
        if plain(text) not in texts and phrasings[phrasing] < 3:
            texts.add(plain(text))
            phrasings[phrasing] += 1
            examples.append((text, answer, phrasing))
        if len(examples) == count:
            break
    lines = [json.dumps({"text": t, "json": a}, ensure_ascii=False, separators=(",", ":")) for t, a, _ in examples]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return examples


def handwritten_texts(folder):
    """The hand-written sentences, plain; training leaves out what happens to equal one ("good night")."""
    lines = need(folder / "handwritten.jsonl").read_text(encoding="utf-8").splitlines()
    return {plain(json.loads(line)["text"]) for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=MODELS / "home", help="the model folder")
    parser.add_argument("--start", type=Path, help="go on from this folder's weights (give another --seed, --out and --curve)")
    parser.add_argument("--curve", type=Path, default=HERE / "home_curve.png")
    parser.add_argument("--steps", type=int, default=7800, help="a multiple of 100")
    parser.add_argument("--batch", type=int, default=128, help="examples in a step")
    parser.add_argument("--rate", type=float, default=0.02, help="Muon's highest learning rate; AdamW takes 0.3 of it")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay of the matrices")
    parser.add_argument("--warmup", type=int, default=100, help="steps")
    parser.add_argument("--cooldown", type=float, default=0.4, help="the last part of the steps, with a falling learning rate")
    parser.add_argument("--jitter", type=float, default=0.15, help="the last part of the steps, with noise on the weights")
    parser.add_argument("--held-out", type=int, default=2500, help="number of held-out commands")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    held_out = write_held_out(args.out / "heldout.jsonl", args.held_out)
    handwritten = handwritten_texts(MODELS / "home")
    kept_out = handwritten | {plain(text) for text, _, _ in held_out}
    path = args.out / "tokenizer.json"
    model = Llama(CONFIG)
    if args.start:
        shutil.copyfile(need(args.start / "tokenizer.json"), path)
        model.load_state_dict(load_file(args.start / "model.safetensors"))
    else:
        write_json(path, tokenizer_json(itertools.islice(home_data.samples(args.seed, "train"), 20_000)), None)
    encode = encoder(Tokenizer.from_file(str(path)))
    measured_on = encode(held_out)
    lengths = [(len(p), len(a)) for p, a in measured_on]
    print(f"home: {sum(p.numel() for p in model.parameters()):,} parameters; {sum(p for p, _ in lengths) / len(lengths):.1f} tokens a "
          f"prompt, {sum(a for _, a in lengths) / len(lengths):.1f} an answer, at most {max(p + a for p, a in lengths)} together", flush=True)
    seen = Seen()
    chunks = Chunks(args.seed, 100 * args.batch, path, kept_out)
    training, measured = train(model, chunks, measured_on, prober(held_out), args, seen)
    seen.check(held_out, handwritten)
    round_to_f16(model)
    print(f"float16 weights, held-out answers: loss {held_out_loss(model, measured_on):.4f} nats per token")
    save(args.out, model)
    plot_curve(args.curve, "home", training, measured, "held out")


if __name__ == "__main__":
    main()
