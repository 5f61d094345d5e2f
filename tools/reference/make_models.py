"""Make the fixture models and their held-out text: tiny-llama and tiny-untied, trained from scratch on tinyshakespeare.

Writes tests/fixtures/text/shakespeare.txt (the last 60,000 bytes, cut at a line end, never trained on) and the folders
tests/fixtures/models/{tiny-llama,tiny-untied} in the Hugging Face layout.

example: python tools/reference/make_models.py
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from common import FIXTURES, SHARED, need, write_json

HELD_OUT = 60_000


def split_text(source):
    """(training text, held-out text): the held-out part is the last 60,000 bytes less the line it cuts into."""
    data = source.read_bytes()
    cut = data.index(b"\n", len(data) - HELD_OUT) + 1
    return data[:cut].decode(), data[cut:].decode()


def added(id, content):
    return {
        "id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True,
    }


def train_bpe(text, pre_tokenizer, vocab_size, alphabet=()):
    """Train BPE merges; returns (alphabet pieces, merged pieces in order of merging, merges)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(m) for m in model["merges"]]
    merged = list(dict.fromkeys(a + b for a, b in merges))
    letters = [piece for piece in model["vocab"] if piece not in set(merged)]
    return letters, merged, merges


def sentencepiece_tokenizer(text, vocab_size):
    """A tokenizer.json of the shape that converted SentencePiece BPE models have (Llama 2, stories260K).

    Ids: <unk> <s> </s>, 256 byte pieces, merged pieces by rank, single characters by frequency. The merges list every
    pair of pieces that joins to a piece, as the conversion from SentencePiece does. A newline has no piece of its own.
    """
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split("\n", "removed"),
        pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never"),
    ])
    letters, merged, _ = train_bpe(text, split, vocab_size - 3 - 256)
    count = Counter(text.replace(" ", "▁"))
    letters.sort(key=lambda c: (-count[c], c))
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + merged + letters
    vocab = {piece: id for id, piece in enumerate(pieces)}
    assert len(vocab) == vocab_size, len(vocab)
    normal = set(merged) | set(letters)
    merges = []
    for piece in merged:
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        pairs = [p for p in pairs if p[0] in normal and p[1] in normal]
        merges += sorted(pairs, key=lambda p: (vocab[p[0]], vocab[p[1]]))
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, bos, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocab, "merges": [list(m) for m in merges],
        },
    }


def byte_level_tokenizer(text, vocab_size):
    """A tokenizer.json of GPT-2's shape. <|endoftext|> is in the vocabulary too (as in GPT-2's), the chat markers are not."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    letters, merged, merges = train_bpe(text, split, vocab_size - 3, alphabet)
    pieces = sorted(letters) + merged + ["<|endoftext|>"]
    assert len(letters) == 256 and len(pieces) == vocab_size - 2, (len(letters), len(pieces))
    end = len(pieces) - 1
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(end, "<|endoftext|>"), added(end + 1, "<|im_start|>"), added(end + 2, "<|im_end|>")],
        "normalizer": None,
        "pre_tokenizer": step,
        "post_processor": {**step, "trim_offsets": False},
        "decoder": step,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {piece: id for id, piece in enumerate(pieces)}, "merges": [list(m) for m in merges],
        },
    }


def train(model, ids, bos, steps, batch, context, rate, seed):
    """AdamW with a cosine rate over random windows (BOS + context-1 tokens, or context tokens); prints the loss."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    ids = torch.tensor(ids)
    length = context - len(bos)
    front = torch.tensor(bos, dtype=torch.long).expand(batch, -1)
    began, recent = time.time(), []
    model.train()
    for step in range(1, steps + 1):
        starts = torch.randint(len(ids) - length, (batch, 1), generator=generator)
        window = torch.cat([front, ids[starts + torch.arange(length)]], dim=1)
        loss = model(window, labels=window).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent = recent[-49:] + [loss.item()]
        if step % 200 == 0 or step == steps:
            print(f"  step {step:5} loss {sum(recent) / len(recent):.4f} {time.time() - began:.0f} s", flush=True)
    model.eval()


def save(state, path):
    """Write one safetensors file, readable like its neighbours (the library makes it private)."""
    save_file(state, path, {"format": "pt"})
    path.chmod(0o644)


def weights(model, dtype, drop=()):
    state = model.state_dict()
    return {name: state[name].to(dtype).contiguous() for name in sorted(state) if name not in drop}


def tiny_llama(folder, text, steps, seed):
    """Tied embeddings, grouped-query attention, an intermediate size that is no multiple of 32, float16 in one file."""
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 172,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
        "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float16",
    }
    tokenizer = sentencepiece_tokenizer(text, config["vocab_size"])
    torch.manual_seed(seed)
    write_json(folder / "tokenizer.json", tokenizer)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    model = LlamaForCausalLM(LlamaConfig(**config, initializer_range=0.05))
    print(f"tiny-llama: {model.num_parameters():,} parameters, {len(ids):,} tokens to train on")
    train(model, ids, [1], steps, batch=8, context=256, rate=6e-3, seed=seed)
    save(weights(model, torch.float16, {"lm_head.weight"}), folder / "model.safetensors")
    write_json(folder / "config.json", config, 2)
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2}, 2)
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False, "legacy": True, "model_max_length": 256,
        "tokenizer_class": "LlamaTokenizer",
    }, 2)


def tiny_untied(folder, text, steps, seed):
    """Own lm_head, head_dim that makes q wider than hidden, large rope_theta, two eos ids, bfloat16 in two shards."""
    end, start, stop = 381, 382, 383
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 80,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16, "vocab_size": 384,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "rope_scaling": None,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
        "bos_token_id": end, "eos_token_id": [stop, end], "torch_dtype": "bfloat16",
    }
    torch.manual_seed(seed)
    write_json(folder / "tokenizer.json", byte_level_tokenizer(text, config["vocab_size"]))
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    model = LlamaForCausalLM(LlamaConfig(**config, initializer_range=0.05))
    print(f"tiny-untied: {model.num_parameters():,} parameters, {len(ids):,} tokens to train on")
    train(model, ids, [], steps, batch=8, context=256, rate=8e-3, seed=seed)
    state = weights(model, torch.bfloat16)
    first = {n for n in state if n == "model.embed_tokens.weight" or n.startswith("model.layers.0.")}
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    save({n: t for n, t in state.items() if n in first}, folder / names[0])
    save({n: t for n, t in state.items() if n not in first}, folder / names[1])
    write_json(folder / "model.safetensors.index.json", {
        "metadata": {"total_size": sum(t.numel() * 2 for t in state.values())},
        "weight_map": {n: names[n not in first] for n in state},
    }, 2)
    write_json(folder / "config.json", config, 2)
    write_json(folder / "generation_config.json", {
        "bos_token_id": end, "eos_token_id": [stop, end], "pad_token_id": end, "do_sample": True, "temperature": 0.8,
        "top_k": 40, "top_p": 0.95,
    }, 2)
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "unk_token": None, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "chat_template":
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
            "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "clean_up_tokenization_spaces": False, "model_max_length": 256, "tokenizer_class": "PreTrainedTokenizerFast",
    }, 2)


MODELS = {"tiny-llama": (tiny_llama, 3000), "tiny-untied": (tiny_untied, 2000)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHARED / "text" / "tinyshakespeare.txt")
    parser.add_argument("--out", type=Path, default=FIXTURES, help="the fixtures folder")
    parser.add_argument("--only", choices=sorted(MODELS), help="make this model alone")
    parser.add_argument("--steps", type=int, help="training steps instead of each model's own number")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    text, held_out = split_text(need(args.text))
    (args.out / "text").mkdir(parents=True, exist_ok=True)
    (args.out / "text" / "shakespeare.txt").write_text(held_out, encoding="utf-8", newline="\n")
    for name, (make, steps) in MODELS.items():
        if args.only in (None, name):
            folder = args.out / "models" / name
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, text, args.steps or steps, args.seed)


if __name__ == "__main__":
    main()
