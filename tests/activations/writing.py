"""Writes extraction folders as the engine does, for tests; also a program that writes slowly.

python writing.py FOLDER STEP_SECONDS [FAIL_AFTER]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import xxhash

from mistudio_ext.activations import manifest

D = 8
CONTEXT = 16


class Writer:
    def __init__(
        self,
        folder: Path,
        *,
        lengths=(5, 1, 16, 9, 3),
        hooks=("blocks.2.hook_resid_post", "blocks.5.hook_resid_post"),
        layout="packed",
        positions="all",
        dtype="float16",
        name="run1",
        d=D,
        **spec,
    ) -> None:
        self.folder, self.lengths, self.layout, self.positions = folder, lengths, layout, positions
        self.hooks, self.d = hooks, d
        self.storage = {"bfloat16": ml_dtypes.bfloat16}.get(dtype) or np.dtype(dtype)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.tokens = (np.arange(self.offsets[-1]) % 50).astype(np.uint16)
        self.rows = np.arange(len(lengths), dtype=np.int64) * 2
        self.facts = {
            "state": "queued",
            "id": folder.name,
            "name": name,
            "fingerprint": "0" * 16,
            "created_at": f"2026-01-01T00:00:{len(list(folder.parent.glob('*'))):02d}+00:00",
            "spec": {
                "model": "tiny",
                "dataset": "stories",
                "split": "train",
                "layout": layout,
                "positions": positions,
                "dtype": dtype,
                "context": CONTEXT,
                "hooks": list(hooks),
                **spec,
            },
            "n_samples": None,
            "n_tokens": None,
            "files": {},
            "error": None,
        }
        self.save()

    def save(self, **changes) -> None:
        self.facts.update(changes)
        manifest.write(self.folder, self.facts)

    def value(self, index: int) -> np.ndarray:
        """The row of token `index` (or sample), which tests can recompute."""
        return ((np.arange(self.d) + index * 3) % 97 + 1).astype(self.storage)

    @property
    def shape(self):
        if self.positions != "all":
            return (len(self.lengths), self.d)
        if self.layout == "padded":
            return (len(self.lengths), CONTEXT, self.d)
        return (int(self.offsets[-1]), self.d)

    def begin(self) -> None:
        for stem in ("tokens", "offsets", "rows"):
            np.save(self.folder / f"{stem}.npy", getattr(self, stem))
        self.arrays = {
            hook: np.lib.format.open_memmap(
                self.folder / f"{hook}.npy", "w+", dtype=self.storage, shape=self.shape
            )
            for hook in self.hooks
        }
        self.save(state="running", n_samples=len(self.lengths), n_tokens=int(self.offsets[-1]))

    def sample(self, i: int) -> None:
        start, end = self.offsets[i], self.offsets[i + 1]
        for array in self.arrays.values():
            if self.positions != "all":
                array[i] = self.value(i)
            else:
                rows = np.array([self.value(t) for t in range(start, end)]).reshape(-1, self.d)
                if self.layout == "padded":
                    array[i, : end - start] = rows
                else:
                    array[start:end] = rows
            array.flush()
        line = json.dumps({"samples": i + 1, "tokens": int(end), "files": {}}) + "\n"
        with open(self.folder / "journal.jsonl", "a") as journal:
            journal.write(line)
            journal.flush()
            os.fsync(journal.fileno())

    def end(self) -> Writer:
        files = {}
        for path in sorted(self.folder.glob("*.npy")):
            array = np.load(path, mmap_mode="r")
            hook = path.stem if path.stem in self.hooks else None
            files[path.name] = {
                "hook": hook,
                "shape": list(array.shape),
                "dtype": self.facts["spec"]["dtype"] if hook else array.dtype.name,
                "bytes": path.stat().st_size,
                "checksum": "xxh3_128:" + xxhash.xxh3_128(path.read_bytes()).hexdigest(),
                "statistics": {"mean": 1.0} if hook else None,
            }
        self.save(state="done", files=files)
        return self

    def all(self) -> Writer:
        self.begin()
        for i in range(len(self.lengths)):
            self.sample(i)
        return self.end()


def main() -> None:
    folder, step = Path(sys.argv[1]), float(sys.argv[2])
    fail_after = int(sys.argv[3]) if len(sys.argv) > 3 else None
    writer = Writer(folder, lengths=(5, 1, 16, 9, 3) * 4)
    print("queued", flush=True)
    sys.stdin.readline()
    writer.begin()
    for i in range(len(writer.lengths)):
        if i == fail_after:
            error = {"code": "no_space", "message": "The disk is full.", "hint": "Make room."}
            writer.save(state="failed", error=error)
            return
        writer.sample(i)
        time.sleep(step)
    writer.end()


if __name__ == "__main__":
    main()
