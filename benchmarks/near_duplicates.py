"""Near duplicates in a million documents: time and memory of the job.

``python benchmarks/near_duplicates.py [--rows N]``: the documents of ``search.py``; of every
twentieth one word is replaced and the rest put into the place of another document. What is found
is compared with what was planted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from search import documents
from tokenization import PeakMemory, Silent

from mistudio_ext.workers import near_duplicates

#: One row in so many has a twin, so many rows further on.
EVERY, FURTHER = 20, 7


class Phases(Silent):
    """Notes when each phase began, in CPU seconds."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}

    def phase(self, name: str, message: str = "") -> None:
        """Note it."""
        self.began[name] = time.process_time()


def with_twins(texts: list[str]) -> tuple[list[str], int]:
    """Put twins that differ in one word into some places; return how many long ones there are."""
    planted = 0
    for i in range(0, len(texts) - FURTHER, EVERY):
        words = texts[i].split()
        words[-1] = "changed"
        texts[i + FURTHER] = " ".join(words)
        # A word more or less of 20 leaves a similarity of 0.9 and more.
        planted += len(words) > 20
    return texts, planted


def main() -> None:
    """Search, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    n_rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "train")
        folder.mkdir()
        schema, planted = pa.schema([("text", pa.string())]), 0
        with pa.ipc.new_stream(str(folder / "data.arrow"), schema) as stream:
            for texts in documents(n_rows):
                mixed, twins = with_twins(texts)
                planted += twins
                stream.write_table(pa.table({"text": mixed}, schema), max_chunksize=1_000)
        spec: dict[str, Any] = {"threshold": 0.8, "dataset": {"path": name, "text_column": "text"}}
        phases, begin, cpu = Phases(), time.perf_counter(), time.process_time()
        with PeakMemory() as memory:
            (found,) = near_duplicates.run(spec, phases)["splits"]
        seconds, spent = time.perf_counter() - begin, time.process_time() - cpu
    hashing = phases.began["comparing"] - phases.began["hashing"]
    print("| rows | seconds | CPU s | of them hashing | peak MB | found | long twins planted |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {n_rows:,} | {seconds:.0f} | {spent:.0f} | {hashing:.0f} | {memory.peak / 1e6:.0f} "
        f"| {found['duplicates']:,} | {planted:,} |"
    )


if __name__ == "__main__":
    main()
