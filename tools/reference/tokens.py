"""The token ids of the torture text for both fixture tokenizers, by the tokenizers library from tokenizer.json.

Writes tests/fixtures/reference/NAME.torture.json, each without the tokenizer's own BOS:
  ids      of the whole text (special tokens that are spelt out in it are recognised, as the library does)
  decoded  what these ids decode to, special tokens kept
  lines    the ids of each line by itself (the text split at \\n, which no line keeps)

example: python tools/reference/tokens.py
"""

import argparse
from pathlib import Path

from common import FIXTURES, load_tokenizer, need, write_json


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=FIXTURES / "text" / "torture.txt")
    parser.add_argument("--out", type=Path, default=FIXTURES / "reference")
    args = parser.parse_args()
    text = need(args.text).read_bytes().decode()
    for name in ("tiny-llama", "tiny-untied"):
        tokenizer, _ = load_tokenizer(FIXTURES / "models" / name)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        lines = [tokenizer.encode(line, add_special_tokens=False).ids for line in text.split("\n")]
        write_json(args.out / f"{name}.torture.json", {"ids": ids, "decoded": decoded, "lines": lines}, None)
        print(f"{name}: {len(ids):,} ids, {len(lines)} lines, decodes to {'the same text' if decoded == text else 'another text'}")


if __name__ == "__main__":
    main()
