"""Fixtures for the scalar functions: inputs as float32 bits, expected values in float64 from mpmath (60 digits).

Writes tests/fixtures/reference/maths.json: a name to a list of [bits, expected] pairs. The bits are
those of a finite float32 (subnormals among them); those of sin_turns and cos_turns are a u32 u, the angle 2*pi*u / 2**32.
Expected values are exact before they are rounded to float64; JSON keeps every float64 (shortest form that reads back).

example: python tools/reference/maths.py
"""

import argparse
import random
import struct
from pathlib import Path

import mpmath

from common import FIXTURES

POINTS = 400


def bits(x):
    """The bits of x rounded to float32."""
    return struct.unpack("<I", struct.pack("<f", x))[0]


def value(b):
    return struct.unpack("<f", struct.pack("<I", b))[0]


def neighbours(x):
    """The bits of x and of the float32 on either side of it (in the order of bits)."""
    b = bits(x)
    return [b - 1, b, b + 1] if b & 0x7FFFFFFF else [b, b + 1]


def exp_inputs(rng):
    ln2 = 0.6931471805599453
    edges = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-10, -1e-10, 1e-38, -1e-45, 88.0, 89.0, -87.0, -88.0, -103.0, -104.0]
    edges = [bits(x) for x in edges]
    # The largest result that is finite, the smallest normal, the smallest subnormal, the last that is not 0.
    for x in [88.72283905206835, -87.33654475055310, -103.2789299019278, -103.97207708399179]:
        edges += neighbours(x)
    # Where range reduction by ln 2 changes its multiple.
    for k in [-150, -126, -64, -8, -2, -1, 0, 1, 2, 8, 64, 127]:
        edges += neighbours(k * ln2) + neighbours((k + 0.5) * ln2)
    edges = [b for b in edges if -104 <= value(b) <= 89]
    return edges, lambda: bits(rng.choice([rng.uniform(-104, 89), rng.uniform(-20, 0), rng.gauss(0, 1)]))


def silu_inputs(rng):
    edges = [0.0, -0.0, 1.0, -1.0, 1e-10, -1e-10, 1e-38, -1e-38, 1e-45, -1e-45, 20.0, -20.0, 87.0, -87.0, 88.0, -88.0,
             89.0, -89.0, 103.0, -103.0, 104.0, -104.0, 110.0, -110.0, 1000.0, -1000.0, 3e38, -3e38]
    edges = [bits(x) for x in edges] + neighbours(-1.2784645427610738)
    return edges, lambda: bits(rng.choice([rng.uniform(-30, 30), rng.gauss(0, 1), rng.gauss(0, 0.01)]))


def gelu_inputs(rng):
    """For tanh, erf and both GELUs: around 0, where polynomials meet, and far out."""
    edges = [bits(x) for x in [0.0, -0.0, 1e-10, -1e-10, 1e-38, 3.5, -3.5, 5.5, -5.5, 9.0, -9.0, 13.0, -13.0, 20.0, -20.0,
                               100.0, -100.0, 1e10, -1e10]]
    for x in [0.625, 1.0, 2.0, 2.0**0.5, 8.0**0.5]:
        edges += neighbours(x) + neighbours(-x)
    return edges, lambda: bits(rng.choice([rng.uniform(-12, 12), rng.gauss(0, 1), rng.gauss(0, 2), rng.gauss(0, 0.01)]))


def sqrt_inputs(rng):
    edges = [0, 1, 2, 0x007FFFFF, 0x00800000, 0x00800001, 0x7F7FFFFF, 0x7F7FFFFE]
    for x in [0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 9.0, 16777216.0, 1e-5, 1e-6, 1e-12]:
        edges += neighbours(x)
    return edges, lambda: rng.choice([rng.randrange(0x7F800000), bits(10 ** rng.uniform(-7, 5)), rng.randrange(1 << 23)])


def turn_inputs(rng):
    edges = []
    for eighth in range(8):
        edges += [(eighth * 2**29 + d) % 2**32 for d in (-2, -1, 0, 1, 2)]
    for sixteenth in range(1, 16, 2):
        edges += [sixteenth * 2**28 + d for d in (-1, 0, 1)]
    edges += [2**k for k in range(32)] + [2**32 - 2**k for k in range(31)]
    return edges, lambda: rng.randrange(2**32)


def exp(b):
    return mpmath.exp(value(b))


def silu(b):
    x = mpmath.mpf(value(b))
    if x == 0:
        return value(b)  # mpmath has no -0
    return x / (1 + mpmath.exp(-x))


def tanh(b):
    return mpmath.tanh(value(b)) if value(b) else value(b)


def erf(b):
    return mpmath.erf(value(b)) if value(b) else value(b)


def gelu_erf(b):
    x = mpmath.mpf(value(b))
    return x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2 if x else value(b)


def gelu_tanh(b):
    x = mpmath.mpf(value(b))
    u = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)
    return x / (1 + mpmath.exp(-2 * u)) if x else value(b)


def sqrt(b):
    return mpmath.sqrt(value(b))


def sin_turns(b):
    return mpmath.sinpi(mpmath.mpf(b) / 2**31)


def cos_turns(b):
    return mpmath.cospi(mpmath.mpf(b) / 2**31)


FUNCTIONS = [
    (exp, exp_inputs), (silu, silu_inputs), (sqrt, sqrt_inputs), (sin_turns, turn_inputs), (cos_turns, turn_inputs),
    (tanh, gelu_inputs), (erf, gelu_inputs), (gelu_erf, gelu_inputs), (gelu_tanh, gelu_inputs),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXTURES / "reference" / "maths.json")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    mpmath.mp.dps = 60
    lines = []
    for function, inputs in FUNCTIONS:
        rng = random.Random(args.seed)
        edges, draw = inputs(rng)
        chosen = dict.fromkeys(edges)
        while len(chosen) < POINTS:
            chosen.setdefault(draw())
        pairs = [f"[{b}, {float(function(b))!r}]" for b in chosen]
        lines.append(f' "{function.__name__}": [\n  ' + ",\n  ".join(pairs) + "\n ]")
        print(f"{function.__name__}: {len(edges)} edges, {len(pairs)} points")
    args.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
