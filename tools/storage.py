#!/usr/bin/env python3
"""How much of a disk's sequential rate `acorn --max-memory` uses for weights.

    sudo tools/storage.py FILE.acorn --max-memory 32M --memory 44M --rates 400M,90M

The disk is held to each rate by a control group (0: to none), and acorn to `--memory` by another, so that it cannot
read from the page cache. In turn, five times: the file read in order past the page cache in blocks of 1 MiB, and
`acorn bench` decoding. Their rates are in decimal GB/s. Needs root and control groups, version 1 or 2; leaves none behind.
"""
import argparse
import json
import mmap
import os
import pathlib
import statistics
import subprocess
import sys
import time

BLOCK = 1 << 20
ROUNDS = 5
SECONDS = 2  # of reading and of decoding per round, where the rate is known


def number(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(float(text[:-1]) * units[text[-1].upper()]) if text[-1].isalpha() else int(text)


class Group:
    """A control group with a limit of memory or of a disk's rate."""

    def __init__(self, controller):
        root = pathlib.Path("/sys/fs/cgroup")
        self.version = 2 if (root / "cgroup.controllers").exists() else 1
        if self.version == 2:
            names = {"blkio": "io", "memory": "memory"}
            (root / "cgroup.subtree_control").write_text(f"+{names[controller]}")
        else:
            root = root / controller
        self.path = root / f"acorn-storage-{controller}"
        self.path.mkdir(exist_ok=True)

    def limit_memory(self, size):
        name = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
        (self.path / name).write_text(str(size))

    def limit_reads(self, device, rate):
        if self.version == 2:
            (self.path / "io.max").write_text(f"{device} rbps={rate or 'max'}")
        else:
            (self.path / "blkio.throttle.read_bps_device").write_text(f"{device} {rate}")

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        self.path.rmdir()


def read(path, size):
    """Bytes per second of reading `size` bytes of a file in order, round and round."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    end = os.path.getsize(path) // BLOCK * BLOCK
    buffer, at, start = mmap.mmap(-1, BLOCK), 0, time.monotonic()
    for _ in range(size // BLOCK):
        os.preadv(file, [buffer], at)
        at = (at + BLOCK) % end
    return size // BLOCK * BLOCK / (time.monotonic() - start)


def inside(groups, arguments):
    """What a program in these control groups prints."""
    enter = lambda: [group.enter() for group in groups]
    return subprocess.run(arguments, preexec_fn=enter, check=True, capture_output=True, text=True).stdout


def device_of(path):
    """The disk (not the partition) that a file lies on, as major:minor."""
    number = os.stat(path).st_dev
    folder = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if (folder / "partition").exists():
        folder = folder.parent
    return (folder / "dev").read_text().strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--max-memory", default="32M", help="acorn's own limit")
    parser.add_argument("--memory", default="44M", type=number, help="the control group's")
    parser.add_argument("--rates", default="0", help="of the disk, bytes per second: 400M,90M; 0 for no limit")
    parser.add_argument("--acorn", default="target/release/acorn")
    parser.add_argument("--read", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(read(arguments.file, arguments.read))
        return
    limit = ["--max-memory", arguments.max_memory]
    plan = json.loads(inside([], [arguments.acorn, "plan", arguments.file, "--context", "256", "--json", *limit]))
    if plan["weights"] != "streamed":
        sys.exit(f"{arguments.file}: fits {arguments.max_memory}: nothing would be streamed")
    per_token = plan["weight_bytes_per_token"] - plan["kept_bytes"]
    print(f"{per_token} bytes of weights streamed per token")
    memory, disk = Group("memory"), Group("blkio")
    try:
        memory.limit_memory(arguments.memory)
        for rate in map(number, arguments.rates.split(",")):
            disk.limit_reads(device_of(arguments.file), rate)
            compare(arguments, limit, per_token, rate, memory, disk)
    finally:
        memory.remove()
        disk.remove()


def compare(arguments, limit, per_token, rate, memory, disk):
    """Reads in order and decodes, in turn; prints the medians."""
    size = (rate or 10**9) * SECONDS
    tokens = str(max(4, size // per_token))
    again = [sys.executable, __file__, arguments.file, "--read", str(size)]
    bench = [arguments.acorn, "bench", arguments.file, *limit, "-p", "8", "-n", tokens, "-t", "1", "-r", "1", "--json"]
    rates = []
    for _ in range(ROUNDS):
        sequential = float(inside([disk], again))
        decode = json.loads(inside([memory, disk], bench))[0]["decode_tps"]
        rates.append((sequential, decode * per_token))
    shares = [streamed / sequential for sequential, streamed in rates]
    sequential, streamed = (statistics.median(column) / 1e9 for column in zip(*rates))
    print(
        f"limit {rate / 1e6:5.0f} MB/s: in order {sequential:.3f} GB/s, streamed {streamed:.3f} GB/s, "
        f"share {statistics.median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})",
        flush=True,
    )


if __name__ == "__main__":
    main()
