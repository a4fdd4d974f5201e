"""Tokenising: miStudio's job against ``datasets.map(batched=True)`` in the same run.

``python benchmarks/tokenization.py [--rows N]``: byte-level BPE trained on the bundled
stories, N rows of them (repeated, with their number), contexts of 512 tokens. CPU seconds of
the whole process, the tokenizer's loading left out of both; ids are compared.

``--growth``: the peak memory of importing and of tokenising at 100,000 and 1,000,000 rows, each
job in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

CONTEXT = 512


class Silent:
    """A reporter that nobody listens to."""

    def phase(self, name: str, message: str = "") -> None:
        """Pass over it."""

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        """Pass over it."""

    def warn(self, code: str, message: str) -> None:
        """Pass over it."""

    def check_cancelled(self) -> None:
        """Pass over it."""


def texts(n_rows: int) -> list[str]:
    """Return rows of the bundled stories; their number makes each different."""
    import pyarrow.parquet as pq

    from mistudio_ext import sample

    stories: list[str] = []
    for path in sorted(sample.DATASET_DIR.glob("*.parquet")):
        stories += pq.read_table(path, columns=["text"]).column(0).to_pylist()
    return [f"{i}. {stories[i % len(stories)]}" for i in range(n_rows)]


def make_tokenizer(folder: Path, rows: list[str]) -> None:
    """Train a byte-level BPE with GPT-2's pre-tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8_000,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(rows[:3_000], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(
        folder
    )


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of some work, threads and children included, and its result."""

    def spent() -> float:
        both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    before = spent()
    result = work()
    return spent() - before, result


#: Rows of the two runs whose memory is compared, and characters of each.
GROWTH, GROWTH_CHARS = (100_000, 1_000_000), 170


class PeakMemory:
    """The most memory that this process has beyond pages of files, which the kernel may drop."""

    def __init__(self) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            status = Path("/proc/self/status").read_text()
            self.peak = max(self.peak, int(status.split("RssAnon:")[1].split()[0]) << 10)


def measure(kind: str, spec: dict[str, Any]) -> None:
    """Run a job in this process and print its peak memory as JSON."""
    from mistudio_ext.workers import import_dataset, tokenize
    from mistudio_ext.workers.quick_encoder import QuickEncoder

    if kind == "tokenizers":
        QuickEncoder.open = lambda *_: None  # type: ignore[assignment,method-assign]
    with PeakMemory() as memory:
        (import_dataset if kind == "import" else tokenize).run(spec, Silent())
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"anonymous": memory.peak, "whole": whole}))


def measured(kind: str, spec: dict[str, Any]) -> str:
    """Return ``anonymous / whole`` peak memory of a job in a process of its own, in MB."""
    command = [sys.executable, __file__, "--measure", kind, json.dumps(spec)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    return f"{found['anonymous'] / 1e6:.0f} / {found['whole'] / 1e6:.0f}"


def growth() -> None:
    """Print the peak memory of each job for few and for many rows."""
    table: dict[str, list[str]] = {}
    for n_rows in GROWTH:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            stories = texts(3_000)
            make_tokenizer(root / "tokenizer", stories)
            with (root / "rows.jsonl").open("w") as file:
                for i in range(n_rows):
                    text = f"{i}. {stories[i % len(stories)]}"[:GROWTH_CHARS]
                    file.write(json.dumps({"text": text}) + "\n")
            common = {"data_dir": name, "disk_reserve_bytes": 0}
            dataset = {"id": "rows", "name": "rows", "path": str(root / "datasets/rows")}
            source = {"source": "path", "source_path": str(root / "rows.jsonl")}
            spec: dict[str, Any] = {**common, "dataset": {**dataset, **source}}
            table.setdefault("import", []).append(measured("import", spec))
            spec["dataset"] = {**dataset, "split": "train", "text_column": "text"}
            spec["model"] = {"path": str(root / "tokenizer")}
            for kind in ("gigatoken", "tokenizers"):
                settings = {"context": CONTEXT}
                spec["tokenization"] = {"id": "t", "path": str(root / kind), "settings": settings}
                table.setdefault(f"tokenise, {kind}", []).append(measured(kind, spec))
    few, many = GROWTH
    print(f"| peak MB, own / with pages of files | {few:,} rows | {many:,} rows |\n|---|---:|---:|")
    for what, peaks in table.items():
        print(f"| {what} | {' | '.join(peaks)} |")


def main() -> None:
    """Run what is asked for and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--growth", action="store_true")
    options.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.measure:
        measure(asked.measure[0], json.loads(asked.measure[1]))
    elif asked.growth:
        growth()
    else:
        compare(asked.rows)


def compare(n_rows: int) -> None:
    """Run all ways of tokenising and print a table."""
    from datasets import Dataset, DatasetDict, disable_progress_bars
    from transformers import AutoTokenizer

    from mistudio_ext.store.tokens import Tokenization
    from mistudio_ext.workers import tokenize
    from mistudio_ext.workers.quick_encoder import QuickEncoder

    disable_progress_bars()
    rows = texts(n_rows)
    megabytes = sum(len(row.encode()) for row in rows) / 1e6
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_tokenizer(root / "tokenizer", rows)
        DatasetDict({"train": Dataset.from_dict({"text": rows})}).save_to_disk(root / "rows")
        spec = {
            "data_dir": name,
            "disk_reserve_bytes": 0,
            "dataset": {"id": "rows", "path": str(root / "rows"), "split": "train"}
            | {"text_column": "text"},
            "model": {"path": str(root / "tokenizer")},
        }

        def job(number: int) -> Tokenization:
            target = root / f"tokens{number}"
            tokenization = {"id": "t", "path": str(target), "settings": {"context": CONTEXT}}
            tokenize.run({**spec, "tokenization": tokenization}, Silent())
            return Tokenization(target)

        def by_map() -> Any:
            tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
            loaded = DatasetDict.load_from_disk(root / "rows")["train"]
            return loaded.map(
                lambda batch: tokenizer(batch["text"], truncation=True, max_length=CONTEXT),
                batched=True,
                remove_columns=["text"],
            )

        job(0)  # Imports and threads are there for all that follow.
        table = []
        seconds, mapped = cpu_seconds(by_map)
        table.append(("datasets.map(batched=True)", seconds))
        seconds, found = cpu_seconds(lambda: job(1))
        table.append((f"miStudio, {found.manifest['tokenizer']['encoder']}", seconds))
        quick, QuickEncoder.open = QuickEncoder.open, lambda *_: None  # type: ignore[assignment,method-assign]
        seconds, plain = cpu_seconds(lambda: job(2))
        QuickEncoder.open = quick  # type: ignore[method-assign]
        table.append((f"miStudio, {plain.manifest['tokenizer']['encoder']}", seconds))
        for i in range(0, len(rows), 997):
            assert mapped[i]["input_ids"] == found.sample(i).tolist() == plain.sample(i).tolist()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n_rows:,} rows, {megabytes:.0f} MB; peak memory {peak:.0f} MB (texts included)\n")
    print("| path | CPU s | MB per CPU s | against map |\n|---|---:|---:|---:|")
    for what, seconds in table:
        share = table[0][1] / seconds
        print(f"| {what} | {seconds:.2f} | {megabytes / seconds:.1f} | {share:.1f} |")


if __name__ == "__main__":
    main()
