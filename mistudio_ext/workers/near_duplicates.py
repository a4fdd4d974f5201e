"""Job ``near-duplicates``: find rows of a dataset that are almost the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split, open_split, split_names
from mistudio_ext.store.cells import cells
from mistudio_ext.store.duplicates import write_found
from mistudio_ext.store.minhash import band_hashes, bands_of, find_groups

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

#: Characters that are hashed at once; bounds the memory.
BATCH_CHARS = 8_000_000


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Look for near duplicates within each split.

    Memory: 8 bytes per row and band, and one batch of texts.

    Parameters
    ----------
    spec
        ``{"dataset": {"id", "path", "text_column"}, "threshold"}``.
    report
        Told about rows.

    Returns
    -------
    dict
        ``{"threshold", "splits": […]}``, as :func:`~mistudio_ext.store.duplicates.write_found`.
    """
    dataset, threshold = spec["dataset"], float(spec["threshold"])
    folder, column = Path(dataset["path"]), dataset["text_column"]
    found = [
        _search(open_split(folder, name), column, threshold, report) for name in split_names(folder)
    ]
    return {"threshold": threshold, "splits": found}


def _search(split: Split, column: str, threshold: float, report: Reporter) -> dict[str, Any]:
    split.require(column)
    bands, width = bands_of(threshold)
    hashes = np.zeros((split.n_rows, bands), np.uint64)
    exact = np.zeros(split.n_rows, np.uint64)
    report.phase("hashing")
    first, waiting, size = 0, [], 0
    for _, batch in split.iter_batches([column]):
        for value in cells(batch.column(0)):
            text = cols.as_text(value)
            waiting.append(text)
            size += len(text)
            if size >= BATCH_CHARS:
                first = _hash(waiting, first, hashes, exact, width)
                waiting, size = [], 0
                report.progress(first, split.n_rows, "rows", split.folder.name)
    first = _hash(waiting, first, hashes, exact, width)
    report.progress(first, split.n_rows, "rows", split.folder.name)
    report.phase("comparing")

    def text_of(row: int) -> str:
        report.check_cancelled()
        return cols.as_text(split.rows(row, 1, [column])[0][column])

    groups = find_groups(
        hashes, exact, threshold, text_of, lambda done: report.progress(done, bands, "bands")
    )
    return write_found(split.folder, column, threshold, split.n_rows, groups.members())


def _hash(texts: list[str], first: int, hashes: Any, exact: Any, width: int) -> int:
    """Fill in the hashes of some rows; return the row after them."""
    last = first + len(texts)
    hashes[first:last] = band_hashes(texts, hashes.shape[1], width)
    digests = (xxhash.xxh3_64_intdigest(text.encode()) for text in texts)
    exact[first:last] = np.fromiter(digests, np.uint64, len(texts))
    return last
