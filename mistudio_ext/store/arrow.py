"""Memory-mapped rows of a dataset split, as ``datasets``' ``save_to_disk`` lays them down."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store.cells import cells

if TYPE_CHECKING:
    import pyarrow as pa

#: Opened splits that are kept; each holds a few kilobytes and some memory maps.
_CACHE_SIZE = 32


class Split:
    """The rows of one split.

    All ``*.arrow`` stream files of the folder are memory-mapped; opening reads
    the batches' headers only, and a row is read where it lies.

    Parameters
    ----------
    folder
        ``datasets/<id>/<split>``.

    Attributes
    ----------
    schema : pyarrow.Schema
    n_rows : int
    n_bytes : int
        Size of the Arrow files.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa

        self.folder = folder
        self._batches: list[pa.RecordBatch] = []
        schema: pa.Schema | None = None
        self.n_bytes = 0
        for path in data_files(folder):
            self.n_bytes += path.stat().st_size
            try:
                with pa.ipc.open_stream(pa.memory_map(str(path))) as reader:
                    schema = schema or reader.schema
                    self._batches.extend(batch for batch in reader if batch.num_rows)
            except (pa.ArrowInvalid, OSError) as error:
                raise InvalidInputError(
                    f"{path.name} in {folder} is damaged: {error}",
                    code="broken_file",
                    hint="Import the dataset again.",
                ) from error
        if schema is None:
            raise NotFoundError(f"There is no Arrow data in {folder}.", code="no_such_split")
        self.schema = schema
        lengths = np.fromiter((batch.num_rows for batch in self._batches), np.int64)
        self._ends = np.cumsum(lengths)
        self.n_rows = int(self._ends[-1]) if len(lengths) else 0

    def __len__(self) -> int:
        return self.n_rows

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    def require(self, column: str) -> str:
        """Return ``column``, or raise ``no_such_column`` naming those there are."""
        if column not in self.schema.names:
            raise InvalidInputError(
                f"The dataset has no column '{column}'.",
                code="no_such_column",
                field="column",
                hint=f"Its columns are {', '.join(self.schema.names)}.",
            )
        return column

    def iter_batches(
        self, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield ``(index of the first row, batch)`` over the rows ``start`` to ``stop``."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        number = int(np.searchsorted(self._ends, start, side="right"))
        while number < len(self._batches) and start < stop:
            batch = self._batches[number]
            first = int(self._ends[number]) - batch.num_rows
            last = min(stop, int(self._ends[number]))
            if columns is not None:
                batch = batch.select([self.require(name) for name in columns])
            yield start, batch.slice(start - first, last - start)
            start, number = last, number + 1

    def rows(
        self, offset: int = 0, limit: int = 50, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return rows as Python values; bytes, images and audio as short placeholders."""
        found: list[dict[str, Any]] = []
        for _, batch in self.iter_batches(columns, max(offset, 0), max(offset, 0) + limit):
            found.extend(_to_rows(batch))
        return found

    def take(
        self, indices: Iterable[int], columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows with these indices, in the order given."""
        found: list[dict[str, Any]] = []
        for index in indices:
            if not 0 <= index < self.n_rows:
                raise NotFoundError(f"There is no row {index}.", code="no_such_row")
            found.extend(self.rows(int(index), 1, columns))
        return found


def data_files(folder: Path) -> list[Path]:
    """Return a split's Arrow files in the order of ``state.json``, else by name."""
    state = folder / "state.json"
    if state.is_file():
        try:
            names = [item["filename"] for item in json.loads(state.read_text())["_data_files"]]
        except (ValueError, KeyError, TypeError):
            names = []
        if names and all((folder / name).is_file() for name in names):
            return [folder / name for name in names]
    return sorted(folder.glob("*.arrow"))


def split_names(dataset: Path) -> list[str]:
    """Return a dataset's splits in their own order."""
    listing = dataset / "dataset_dict.json"
    if listing.is_file():
        try:
            return [str(name) for name in json.loads(listing.read_text())["splits"]]
        except (ValueError, KeyError, TypeError):
            pass
    if not dataset.is_dir():
        return []
    names = [item.name for item in dataset.iterdir() if item.is_dir() and any(item.glob("*.arrow"))]
    return sorted(names, key=lambda name: (name != "train", name))


_cache: OrderedDict[tuple[str, int], Split] = OrderedDict()
_lock = threading.Lock()

#: Called when a dataset goes away; whoever keeps what comes from a split adds itself.
on_forget: list[Callable[[], None]] = []


def open_split(dataset: Path, split: str) -> Split:
    """Open a split of a dataset, or return it from the cache.

    Raises
    ------
    NotFoundError
        ``no_such_split``, naming those there are.
    """
    folder = dataset / split
    if split in ("", ".", "..") or "/" in split or not folder.is_dir():
        names = split_names(dataset)
        raise NotFoundError(
            f"The dataset has no split '{split}'.",
            code="no_such_split",
            field="split",
            hint=f"Its splits are {', '.join(names)}." if names else None,
        )
    key = (str(folder), folder.stat().st_mtime_ns)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    opened = Split(folder)
    with _lock:
        _cache[key] = opened
        while len(_cache) > _CACHE_SIZE:
            _cache.popitem(last=False)
    return opened


def forget(dataset: Path) -> None:
    """Close what is open of a dataset that goes away, so that its disk space comes free."""
    with _lock:
        for key in [key for key in _cache if Path(key[0]).is_relative_to(dataset)]:
            del _cache[key]
    for clear in on_forget:
        clear()


def _to_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    values = [cells(batch.column(i)) for i in range(batch.num_columns)]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*values, strict=True)]
