"""Decoding speed against the bytes that a token reads, with what memory allows: a PNG of `cargo xtask peers`' results.

example: python tools/peers/plot.py target/peers/peers.json target/peers/peers.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402
from matplotlib.ticker import NullFormatter  # noqa: E402

MIB = 1 << 20
COLOURS = {"acorn": "tab:green", "llama.cpp": "tab:blue"}
MARKERS = ["o", "s", "^", "D", "v", "P"]


def draw(axes, threads, bandwidth, records, markers):
    """One panel: all records of that number of threads."""
    sizes = [record["bytes_per_token"] for record in records]
    ends = [min(sizes) / 1.5, max(sizes) * 1.5]
    axes.plot(
        [end / MIB for end in ends],
        [bandwidth / end for end in ends],
        color="grey",
        linestyle="--",
        label=f"memory, {bandwidth / 1e9:.1f} GB/s",
    )
    named = set()
    for record in records:
        engine, kind = record["engine"], record["kind"]
        speed = record["decode"]
        x, y = record["bytes_per_token"] / MIB, speed["median"]
        axes.errorbar(
            x,
            y,
            yerr=[[y - speed["min"]], [speed["max"] - y]],
            color=COLOURS[engine],
            marker=markers[kind],
            linestyle="none",
            label=None if (engine, kind) in named else f"{engine} {kind}",
        )
        named.add((engine, kind))
        if (engine, record["shape"]) not in named:
            named.add((engine, record["shape"]))
            axes.annotate(record["shape"], (x, y), xytext=(-4, -11), textcoords="offset points", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="MiB of weights per token", ylabel="decoded tokens per second")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter() if max(sizes) > 4 * min(sizes) else "{x:g}")
    axes.set_title(f"{threads} thread{'s' if threads > 1 else ''}")
    axes.grid(which="both", alpha=0.2)
    axes.legend(fontsize=7)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the JSON")
    parser.add_argument("out", type=Path, help="the PNG")
    args = parser.parse_args()
    results = json.loads(args.results.read_text())
    kinds = dict.fromkeys(record["kind"] for record in results["records"])
    markers = {kind: MARKERS[index % len(MARKERS)] for index, kind in enumerate(kinds)}
    panels = results["memory"]
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=(6 * len(panels), 5), squeeze=False)
    for axes, (threads, bandwidth) in zip(all_axes[0], panels.items()):
        threads = int(threads)
        draw(axes, threads, bandwidth, [r for r in results["records"] if r["threads"] == threads], markers)
    figure.tight_layout()
    figure.savefig(args.out, dpi=150)


if __name__ == "__main__":
    main()
