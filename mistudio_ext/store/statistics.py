"""Numbers about a dataset (by words) and about a tokenization (by tokens).

Both are computed over everything, once, and kept beside the data.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.store import columns as cols
from mistudio_ext.store import measures
from mistudio_ext.store.arrow import Split, open_split, split_names
from mistudio_ext.store.cells import cells as values_of
from mistudio_ext.store.duplicates import read_split
from mistudio_ext.store.fulltext import Index
from mistudio_ext.store.replacing import write_json
from mistudio_ext.store.tokens import Tokenization

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]

_NONE: Ints = np.zeros(0, np.int64)

SCHEMA_VERSION = 3

#: Most frequent and rarest words or tokens that are listed.
LISTED = 100

_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
_BINS = 48

#: Batches that are measured together.
_BATCHES = 64

_NAME = "statistics.json"


def distribution(values: npt.NDArray[np.integer[Any]]) -> dict[str, Any]:
    """Return total, mean, percentiles and a histogram of some counts.

    Returns
    -------
    dict
        ``{"total", "min", "max", "mean", "median", "std", "percentiles": {"1": …},
        "histogram": {"edges", "counts"}}``. The bins are of one width up to the
        99.5th percentile; the last bin holds the rest.
    """
    if not len(values):
        return {"total": 0, "histogram": {"edges": [], "counts": []}, "percentiles": {}}
    points = np.percentile(values, _PERCENTILES, method="nearest")
    low, high = int(values.min()), int(values.max())
    usual = int(np.percentile(values, 99.5, method="higher"))
    width = max(1, -(-(usual + 1 - low) // _BINS))
    edges = list(range(low, usual + 1 + width, width))
    if edges[-1] <= high:
        edges.append(high + 1)
    counts, _ = np.histogram(values, edges)
    return {
        "total": int(values.sum()),
        "min": low,
        "max": high,
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "std": float(values.std()),
        "percentiles": {str(p): int(v) for p, v in zip(_PERCENTILES, points, strict=True)},
        "histogram": {"edges": edges, "counts": counts.tolist()},
    }


def dataset_statistics(dataset: Path, text_column: str | None) -> dict[str, Any]:
    """Return the statistics of a dataset, by characters and words.

    Parameters
    ----------
    dataset
        ``datasets/<id>``.
    text_column
        Column with the text; None for a dataset of token ids, whose rows are
        then counted in tokens.

    Returns
    -------
    dict
        ``{"kind": "dataset", "column", "n_samples", "n_bytes", "splits": [one
        per split: {"name", "n_samples", "n_bytes", "empty", "duplicates",
        "characters", "words", "unique_words", "top_words", "rare_words",
        "near_duplicates"}]}``.
        Words are what white space separates. ``duplicates`` are rows whose
        text another row before them has;
        ``unique_words`` is None until the full-text index is made.
    """
    column = text_column or cols.IDS_NAME
    splits = [_split_statistics(dataset, name, column) for name in split_names(dataset)]
    return {
        "kind": "dataset",
        "column": column,
        "n_samples": sum(split["n_samples"] for split in splits),
        "n_bytes": sum(split["n_bytes"] for split in splits),
        "splits": splits,
    }


def _split_statistics(dataset: Path, name: str, column: str) -> dict[str, Any]:
    split = open_split(dataset, name)
    split.require(column)
    path = split.folder / f"{column.replace('/', '_')}.{_NAME}"
    facts = {"schema_version": SCHEMA_VERSION, "column": column, "n_samples": split.n_rows}
    kept = _read(path)
    if kept is None or any(kept.get(key) != value for key, value in facts.items()):
        kept = {**facts, "name": name, "n_bytes": split.n_bytes, **_measure(split, column)}
        kept |= {"unique_words": None, "top_words": [], "rare_words": []}
        _write(path, kept)
    if kept.get("unique_words") is None:
        index = Index.open(split.folder, column)
        if index is not None and index.n_rows == split.n_rows:
            kept |= index.words(LISTED) or {}
            _write(path, kept)
    near = read_split(split.folder, column)
    return {**kept, "near_duplicates": None if near is None else near["duplicates"]}


def _measure(split: Split, column: str) -> dict[str, Any]:
    """Count characters, words and duplicates of a column."""
    kind = cols.kind(split.schema.field(column).type)
    parts: list[tuple[Ints | None, Ints, measures.Hashes]] = []
    batches = split.iter_batches([column])
    while group := [batch.column(0) for _, batch in islice(batches, _BATCHES)]:
        parts.append(_measure_cells(kind, group))
    characters, words, hashes = zip(*parts, strict=True) if parts else ((), (), ())
    counted = [part for part in characters if part is not None]
    words_all = np.concatenate([_NONE, *words])
    return {
        "empty": int((words_all == 0).sum()),
        "duplicates": split.n_rows - _different(hashes),
        "characters": distribution(np.concatenate(counted)) if counted else None,
        "words": distribution(words_all),
    }


def _measure_cells(
    kind: cols.Kind, group: list[pa.Array]
) -> tuple[Ints | None, Ints, measures.Hashes]:
    """Return characters (None for ids), words and hashes of some cells."""
    import pyarrow as pa

    if kind == "ids":
        lists = pa.concat_arrays(group)
        return None, measures.list_lengths(lists), measures.list_hashes(lists)
    if kind == "text":
        cells = pa.concat_arrays([part.cast(pa.large_string()) for part in group])
    else:
        shown = (cols.as_text(cell) for part in group for cell in values_of(part))
        cells = pa.array(shown, pa.large_string())
    return (
        measures.character_counts(cells),
        measures.word_counts(cells),
        measures.text_hashes(cells),
    )


def _different(hashes: Sequence[measures.Hashes]) -> int:
    """Return how many different hashes there are; sorting is quicker than ``np.unique``."""
    if not hashes:
        return 0
    ordered = np.sort(np.concatenate(hashes))
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def tokenization_statistics(
    folder: Path, decode: Callable[[int], str] | None = None
) -> dict[str, Any]:
    """Return the statistics of a tokenization.

    Parameters
    ----------
    folder
        ``tokenizations/<id>``.
    decode
        Gives the text of a token; without it tokens have ``text`` None. The
        job that makes a tokenization calls this with its tokenizer, and what
        it finds is kept.

    Returns
    -------
    dict
        ``{"kind": "tokenization", "n_samples", "n_tokens", "n_rows", "skipped",
        "lengths", "context", "fill", "vocabulary": {"size", "used", "share",
        "once"}, "top_tokens", "rare_tokens", "special_tokens"}``; tokens are
        ``{"id", "text", "count"}``; ``fill`` is the share of all contexts'
        places that hold a token.
    """
    path = folder / _NAME
    kept = _read(path)
    if kept is not None and kept.get("schema_version") == SCHEMA_VERSION:
        return kept
    found = _measure_tokens(Tokenization(folder), decode)
    _write(path, found)
    return found


def _measure_tokens(tokens: Tokenization, decode: Callable[[int], str] | None) -> dict[str, Any]:
    counts = tokens.counts()
    used = np.flatnonzero(counts)
    by_count = used[np.argsort(-counts[used], kind="stable")]
    special = [int(i) for i in tokens.manifest["tokenizer"].get("special_ids", [])]
    size = int(tokens.manifest["tokenizer"]["vocab_size"])
    context = int(tokens.manifest["settings"]["context"])

    def described(ids: Iterable[int]) -> list[dict[str, Any]]:
        return [
            {"id": int(i), "text": decode(int(i)) if decode else None, "count": int(counts[i])}
            for i in ids
        ]

    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "tokenization",
        "n_samples": len(tokens),
        "n_tokens": tokens.n_tokens,
        "n_rows": tokens.manifest["n_rows"],
        "skipped": tokens.manifest["skipped"],
        "bytes": tokens.manifest["bytes"],
        "lengths": distribution(tokens.lengths),
        "context": context,
        "fill": tokens.n_tokens / (len(tokens) * context),
        "vocabulary": {
            "size": size,
            "used": len(used),
            "share": len(used) / size if size else None,
            "once": int((counts == 1).sum()),
        },
        "top_tokens": described(by_count[:LISTED]),
        "rare_tokens": described(by_count[::-1][:LISTED]),
        "special_tokens": described(i for i in special if i < len(counts)),
    }


def as_csv(found: dict[str, Any]) -> str:
    """Return statistics as CSV: one line per value, its path in dots, then the value."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["key", "value"])
    table.writerows(_flat(found, ""))
    return text.getvalue()


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        items = ((str(name), item) for name, item in value.items())
    elif isinstance(value, list):
        items = ((str(i), item) for i, item in enumerate(value))
    else:
        yield key, "" if value is None else value
        return
    for name, item in items:
        yield from _flat(item, f"{key}.{name}" if key else name)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Keep what was computed, if the folder can be written to."""
    with contextlib.suppress(OSError):
        write_json(path, content)
