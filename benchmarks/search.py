"""Search in a million documents: building the index, a page of results, statistics.

``python benchmarks/search.py [--rows N]``: synthetic documents whose words follow Zipf's law
(seeded). Each query asks for its first page as the panel does (``count=quick``), with text and
highlights, and once more with all matches counted; nothing is kept from one to the next. The
baseline scans the same column with pyarrow in the same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mistudio_ext.store import fulltext, matches, samples
from mistudio_ext.store.arrow import open_split
from mistudio_ext.store.statistics import dataset_statistics

WORDS, MEDIAN, BATCH = 200_000, 30, 20_000
QUERIES = {
    "frequent word": ["wa", "wb", "wc"],
    "rare word": ["wfsre", "whghd", "wjdlc"],
    "phrase of two frequent words": ['"wa wb"', '"wb wa"', '"wa wc"'],
    "phrase of three": ['"wa wb wc"', '"wb wa wa"', '"wc wa wb"'],
    "AND, NOT, prefix": ["wa AND wbb", "wc NOT wa", "wabc*"],
}


def word(number: int) -> str:
    """Return a word for a number: ``wa``, ``wb``, …, ``wba``."""
    letters = ""
    while True:
        letters = chr(97 + number % 26) + letters
        number //= 26
        if not number:
            return "w" + letters


def documents(n_rows: int) -> Iterator[list[str]]:
    """Yield batches of documents."""
    random = np.random.default_rng(0)
    names = np.array([word(i) for i in range(WORDS)], object)
    shares = 1 / np.arange(1, WORDS + 1)
    ends = np.cumsum(shares / shares.sum())
    for first in range(0, n_rows, BATCH):
        lengths = random.lognormal(np.log(MEDIAN), 0.6, min(BATCH, n_rows - first)).astype(int) + 1
        chosen = names[np.minimum(np.searchsorted(ends, random.random(lengths.sum())), WORDS - 1)]
        yield [" ".join(part) for part in np.split(chosen, np.cumsum(lengths)[:-1])]


def percentiles(work: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return p50 and p95 of the milliseconds that some work takes."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begin) * 1e3)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 95))


def forget_counts() -> None:
    """Forget what earlier pages have counted: every page is a first one."""
    fulltext.forget_counts()
    matches.forget()


def main() -> None:
    """Build, ask, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=40)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        dataset = Path(name)
        folder = dataset / "train"
        folder.mkdir()
        schema = pa.schema([("text", pa.string())])
        with pa.ipc.new_stream(str(folder / "data.arrow"), schema) as stream:
            for texts in documents(asked.rows):
                stream.write_table(pa.table({"text": texts}, schema), max_chunksize=1_000)
        split = open_split(dataset, "train")
        begin, cpu = time.perf_counter(), time.process_time()
        builder = fulltext.IndexBuilder(folder, "text", "f")
        half: tuple[float, float] | None = None
        asked_s = 0.0
        for first in range(0, split.n_rows, BATCH):
            builder.add([row["text"] for row in split.rows(first, BATCH)])
            if half is None and builder.n_rows >= split.n_rows // 2:
                asked_at = time.perf_counter()
                half = percentiles(lambda: (forget_counts(), page(dataset, "wfsre")), 5)
                asked_s = time.perf_counter() - asked_at
        size = builder.finish()
        seconds = time.perf_counter() - begin - asked_s
        print(f"{split.n_rows:,} documents, {split.n_bytes / 1e6:.0f} MB")
        print(
            f"index: {seconds:.0f} s ({time.process_time() - cpu:.0f} CPU s), {size / 1e6:.0f} MB"
        )
        begin = time.perf_counter()
        dataset_statistics(dataset, "text")
        first_s = time.perf_counter() - begin
        again = percentiles(lambda: dataset_statistics(dataset, "text"), 20)
        print(f"statistics: {first_s:.1f} s once, then {again[1]:.1f} ms (p95)\n")
        print(
            "| first page of | p50 ms | p95 ms | all counted, p95 ms | pyarrow scan, ms |\n"
            "|---|---:|---:|---:|---:|"
        )
        for what, queries in QUERIES.items():
            row(what, dataset, queries, asked.rounds, scan(split, queries[0]))
        row("frequent word, at 50,000", dataset, ["wa"], asked.rounds, offset=50_000)
        row(
            "frequent word, 60 tokens or more",
            dataset,
            QUERIES["frequent word"],
            asked.rounds,
            min_tokens=60,
            tokenization=lengths(dataset / "tokens", split.n_rows),
        )
        if half is not None:
            print(f"| rare word, half of the index built | {half[0]:.0f} | {half[1]:.0f} | | |")


def row(
    what: str,
    dataset: Path,
    queries: list[str],
    rounds: int,
    scanned: float | None = None,
    **settings: Any,
) -> None:
    """Print the line of some queries."""
    times = []
    for quick in (True, False):
        turn = cycle(queries)

        def ask(turn: Iterator[str] = turn, quick: bool = quick) -> None:
            forget_counts()
            page(dataset, next(turn), quick=quick, **settings)

        times.append(percentiles(ask, rounds))
    (p50, p95), (_, exact) = times
    baseline = "" if scanned is None else f"{scanned:.0f}"
    print(f"| {what} | {p50:.1f} | {p95:.1f} | {exact:.1f} | {baseline} |", flush=True)


def lengths(folder: Path, n_rows: int) -> Path:
    """Write a tokenization of which only the lengths count: 1 to 100 tokens a row."""
    folder.mkdir()
    sizes = np.random.default_rng(1).integers(1, 101, n_rows)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    np.save(folder / "tokens.npy", np.zeros(int(ends[-1]), np.uint16))
    np.save(folder / "offsets.npy", ends)
    np.save(folder / "rows.npy", np.arange(n_rows))
    np.save(folder / "starts.npy", np.zeros(n_rows, np.int32))
    manifest = {"dataset": {"split": "train"}, "tokenizer": {"vocab_size": 1}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def page(dataset: Path, query: str, offset: int = 0, **settings: Any) -> dict[str, Any]:
    """Ask for a page as the samples route does."""
    return samples.page(dataset, "train", "text", offset, 50, q=query, **settings)


def scan(split: Any, query: str) -> float:
    """Return the milliseconds of a scan for the query's letters."""
    begin = time.perf_counter()
    for _, batch in split.iter_batches(["text"]):
        pc.match_substring(batch.column(0), query.strip('"').split(" AND ")[0])
    return (time.perf_counter() - begin) * 1e3


if __name__ == "__main__":
    main()
