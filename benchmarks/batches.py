"""Shuffled training batches against reading the same file from end to end.

    python benchmarks/batches.py            # 2 GB, about a minute
    python benchmarks/batches.py --gb 0.5

Every round drops the file from the page cache before each method, where the system lets it,
so the disk is read; the table shows medians. *one row at a time* is what a shuffle over a plain
memory map does; it reads a hundredth of the rows, else it would take all day.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mistudio_ext.activations.arrays import read_header
from mistudio_ext.activations.batches import RowSource, iterate

WIDTH, BATCH = 768, 4096


def in_order(path: Path) -> int:
    """Read the file from end to end, 8 MB at a time; return the bytes."""
    buffer, total = memoryview(bytearray(8 << 20)), 0
    with open(path, "rb", buffering=0) as file:
        while got := file.readinto(buffer):
            total += got
    return total


def shuffled(path: Path) -> int:
    """Take all rows as shuffled batches; return the bytes."""
    header = read_header(path)
    source = RowSource(path, header, header.shape[0])
    return sum(batch.nbytes for batch in iterate(source, BATCH, shuffle=True, seed=0))


def row_by_row(path: Path) -> int:
    """Take batches of random rows from a memory map; return the bytes."""
    rows = np.load(path, mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(rows))[: max(BATCH, len(rows) // 100)]
    return sum(rows[order[i : i + BATCH]].nbytes for i in range(0, len(order), BATCH))


METHODS: dict[str, Callable[[Path], int]] = {
    "read in order": in_order,
    "acts.batches, shuffled": shuffled,
    "one row at a time": row_by_row,
}


def forget(path: Path) -> None:
    """Drop a file from the page cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=None, help="a folder on the disk to be measured")
    options = parser.parse_args()
    speeds: dict[str, list[float]] = {name: [] for name in METHODS}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "rows.npy"
        rows = int(options.gb * 1e9) // (WIDTH * 2)
        array = np.lib.format.open_memmap(path, "w+", np.float16, (rows, WIDTH))
        for first in range(0, rows, 1 << 16):
            array[first : first + (1 << 16)] = 1.0
        array.flush()
        del array
        for _ in range(options.rounds):
            for name, method in METHODS.items():
                forget(path)
                began = time.perf_counter()
                size = method(path)
                speeds[name].append(size / 1e6 / (time.perf_counter() - began))
    base = speeds["read in order"]
    print("| method | MB/s | of reading in order |\n|---|---:|---:|")
    for name, found in speeds.items():
        share = statistics.median(a / b for a, b in zip(found, base, strict=True))
        print(f"| {name} | {statistics.median(found):,.0f} | {share:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
