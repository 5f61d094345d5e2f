#!/usr/bin/env python3
"""Cycles of the kernels' inner loops on AArch64 processors, as llvm-mca sees them.

    cargo rustc --release --target aarch64-unknown-linux-gnu -p acorn-core --features std -- \
        --emit asm -C codegen-units=1
    tools/mca.py target/aarch64-unknown-linux-gnu/release/deps/acorn_core-*.s

Per innermost loop with dot products: its function and, in it, the loop's place; multiply-accumulates
per round; and per processor cycles and multiply-accumulates per cycle. LLVM's Cortex-A72 and A76 are
both its model of the Cortex-A57; the Neoverse N1, the A76's sibling for servers, has one of its own.
MCA names the program (default llvm-mca).
"""
import os
import re
import subprocess
import sys

PROCESSORS = "cortex-a53 cortex-a72 cortex-a76 neoverse-n1".split()
ROUNDS = 200
# Products of activations and weights that an instruction adds up.
PRODUCTS = {"sdot": 16, "smmla": 32, "smlal": 8, "smlal2": 8, "smull": 8, "smull2": 8}


def functions(path):
    """Name and instructions and labels of each function."""
    name, lines = None, []
    numbered = {}  # the last label of each number: how assembler within Rust names its loops
    for line in open(path, encoding="utf-8"):
        line = line.split("//")[0].strip()
        if re.match(r"\d+:$", line):
            numbered[line[:-1]] = f".Lnumbered{sum(1 for _ in lines)}"
            line = numbered[line[:-1]] + ":"
        line = re.sub(r"\b(\d+)b$", lambda match: numbered.get(match[1], match[0]), line)
        if re.match(r"_\w+:$", line):
            name, lines = line[:-1], []
        elif line.startswith(".size") and name:
            yield name, lines
            name = None
        elif name and line and (not line.startswith(".") or re.match(r"\.L\w+:$", line)):
            lines.append(line)


def loops(lines):
    """The innermost loops: first and last instruction."""
    labels = {line[:-1]: index for index, line in enumerate(lines) if line.endswith(":")}
    found = []
    for index, line in enumerate(lines):
        target = labels.get(line.split()[-1], index + 1) if line[0] in "bct" else index + 1
        if target <= index:
            found.append((target, index))
    inner = lambda a, b: not any(a <= c and d <= b and (c, d) != (a, b) for c, d in found)
    return [loop for loop in found if inner(*loop)]


def products(lines):
    """Those of 8 bits; 16-bit ones scale sums that are counted already, but for the cache's weights."""
    words = [line.split() for line in lines]
    bytes_ = sum(PRODUCTS[word[0]] for word in words if word[0] in PRODUCTS and ".4s" not in word[1])
    dots = sum(PRODUCTS[word[0]] for word in words if word[0] in ("sdot", "smmla"))
    # What is zipped in pairs of bytes are zeros of four blocks; two SDOTs multiply them with sums of activations.
    zeros = sum(1 for word in words if word[0] in ("zip1", "zip2") and ".8h" in word[1])
    dots -= 2 * zeros * PRODUCTS["sdot"]
    wide = sum(4 for word in words if word[0] in ("smlal", "smlal2") and ".4s" in word[1])
    # What is left of 64 multiplies sub-scales and zeros.
    return dots or bytes_ // 64 * 64 or wide


def cycles(processor, lines):
    labels = {line[:-1] for line in lines if line.endswith(":")}
    # Branches out of the loop need somewhere to go.
    outside = sorted(set(re.findall(r"\.L\w+", "\n".join(lines))) - labels)
    text = "\n".join([*lines, *(f"{label}:" for label in outside)])
    command = [os.environ.get("MCA", "llvm-mca"), "-march=aarch64", f"-mcpu={processor}"]
    command += ["-mattr=+dotprod,+i8mm", f"-iterations={ROUNDS}"]
    output = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", output)[1]) / ROUNDS


def main():
    for path in sys.argv[1:]:
        for name, lines in functions(path):
            for first, last in loops(lines):
                loop = lines[first : last + 1]
                macs = products(loop)
                if macs < 64:
                    continue
                figures = []
                for processor in PROCESSORS:
                    count = cycles(processor, loop)
                    figures.append(f"{processor} {count:.1f} ({macs / count:.1f})")
                print(f"{name}+{first}: {macs} products; {', '.join(figures)}")


if __name__ == "__main__":
    main()
