"""What the training scripts share: paths, BPE training, the learning rate, model folders, the curve's PNG."""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, trainers

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
SHARED = ROOT.parent / "shared" / "data"
HERE = Path(__file__).resolve().parent


def need(path):
    """The path, or a clear exit if it is missing."""
    if not path.exists():
        sys.exit(f"missing: {path}")
    return path


def write_json(path, value, indent=1):
    """UTF-8 JSON, written the same way each time."""
    Path(path).write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def added(id, content):
    """One special token as tokenizer.json lists it."""
    return {
        "id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True,
    }


def train_bpe(texts, pre_tokenizer, vocab_size, alphabet=()):
    """Train BPE merges; returns (alphabet pieces, merged pieces in order of merging, merges)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(m) for m in model["merges"]]
    merged = list(dict.fromkeys(a + b for a, b in merges))
    letters = [piece for piece in model["vocab"] if piece not in set(merged)]
    return letters, merged, merges


def rate_at(step, steps, peak, warmup=100):
    """Learning rate of a step: linear warm-up, then a cosine down to a fiftieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    along = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * along)))


def round_to_f16(model):
    """Round every weight to float16 in place: what is measured afterwards is what the file will hold."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half().float())


def save_folder(folder, model, config, generation, tokenizer_config):
    """Write the Hugging Face folder except tokenizer.json: weights in float16, the tied head left out."""
    state = model.state_dict()
    state = {n: state[n].to(torch.float16).contiguous() for n in sorted(state) if n != "lm_head.weight"}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "config.json", config, 2)
    write_json(folder / "generation_config.json", generation, 2)
    write_json(folder / "tokenizer_config.json", tokenizer_config, 2)


def plot_curve(path, title, training, measured, label):
    """Draw the loss curves: `training` and `measured` are lists of (step, loss)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=90)
    axes.plot(*zip(*training), label="training", linewidth=1)
    axes.plot(*zip(*measured), label=label, linewidth=1.5, marker=".")
    axes.set(title=title, xlabel="step", ylabel="loss (nats per token)")
    if max(l for _, l in training) > 20 * min(l for _, l in measured):
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
