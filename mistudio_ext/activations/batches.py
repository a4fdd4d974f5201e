"""Batches of rows for training: shuffled, each row once, at the disk's speed.

A shuffle of single rows reads a page for every row. Here the file is cut into
spans of neighbouring rows; spans are read whole, in a random order, into a
buffer of bounded size, and batches are drawn at random from the buffer. Half
of the buffer stays when new spans come in, so rows of distant spans meet.
A file no larger than the buffer is shuffled perfectly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations.arrays import Header, bfloat16

Rows = npt.NDArray[Any]

#: Rows that are read with one request, in bytes.
SPAN_BYTES = 1 << 20

#: Rows that are mixed with each other, in bytes.
BUFFER_BYTES = 256 << 20


@dataclass(frozen=True)
class RowSource:
    """The rows of one array file.

    Attributes
    ----------
    path, header
        The file and its header. An array of three axes is read as rows of its
        last one.
    rows
        How many rows of the file are written, padding included.
    lengths
        ``[n_samples]`` real tokens of each sample of a padded array; None
        where every row is real.
    """

    path: Path
    header: Header
    rows: int
    lengths: npt.NDArray[np.int64] | None = None

    @property
    def width(self) -> int:
        """Elements of one row."""
        return self.header.shape[-1]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return max(1, self.width * self.header.itemsize)

    @property
    def total(self) -> int:
        """How many real rows there are."""
        return self.rows if self.lengths is None else int(self.lengths.sum())

    def spans(self) -> npt.NDArray[np.int64]:
        """Return ``[n, 2]``, start and end of each span of rows that is read at once."""
        step = max(1, SPAN_BYTES // self.row_bytes)
        starts = np.arange(0, self.rows, step, dtype=np.int64)
        return np.stack([starts, np.minimum(starts + step, self.rows)], axis=1)

    def real(self, start: int, end: int) -> npt.NDArray[np.bool_] | None:
        """Return which rows of a span are real; None if all are."""
        if self.lengths is None:
            return None
        sample, position = np.divmod(np.arange(start, end), self.header.shape[1])
        mask: npt.NDArray[np.bool_] = position < self.lengths[sample]
        return mask

    def read(self, spans: Iterable[npt.NDArray[np.int64]]) -> Iterator[Rows]:
        """Yield the real rows of each span.

        What is yielded is overwritten by the next. Plain reads rather than a
        mapping, so that the process does not grow with the file.
        """
        room = np.empty((max(1, SPAN_BYTES // self.row_bytes), self.width), self.header.storage)
        with open(self.path, "rb", buffering=0) as file:
            todo = [(int(start), int(end)) for start, end in spans]
            for index, (start, end) in enumerate(todo):
                if index + 1 < len(todo):
                    self._announce(file.fileno(), *todo[index + 1])
                mask = self.real(start, end)
                if mask is not None and not mask.any():
                    continue
                rows = room[: end - start]
                file.seek(self.header.offset + start * self.row_bytes)
                view = rows.reshape(-1).view(np.uint8).data
                while len(view):
                    got = file.readinto(view)
                    if not got:
                        raise OSError(f"{self.path} ends before row {end}.")
                    view = view[got:]
                yield rows if mask is None else rows[mask]

    def _announce(self, descriptor: int, start: int, end: int) -> None:
        """Let the system fetch the next span meanwhile, where it can."""
        if hasattr(os, "posix_fadvise"):
            offset = self.header.offset + start * self.row_bytes
            length = (end - start) * self.row_bytes
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)


def iterate(
    source: RowSource,
    size: int,
    *,
    shuffle: bool,
    seed: int,
    buffer_bytes: int = BUFFER_BYTES,
    drop_last: bool = False,
) -> Iterator[Rows]:
    """Yield batches of rows, each row exactly once.

    Parameters
    ----------
    source
        The rows.
    size
        Rows of a batch.
    shuffle, seed
        Whether and how to shuffle; the same seed gives the same order.
    buffer_bytes
        Size of the buffer in which rows are mixed.
    drop_last
        Leave out the last batch if it has fewer rows.

    Yields
    ------
    np.ndarray
        ``[size, d]`` (the last one may be shorter) in the stored dtype; the
        caller's own copy.
    """
    if shuffle:
        chunks = _mixed(source, size, np.random.default_rng(seed), buffer_bytes)
    else:
        chunks = source.read(source.spans())
    batch = np.empty((size, source.width), source.header.storage)
    dtype = bfloat16() if source.header.dtype == "bfloat16" else source.header.storage
    filled = 0
    for chunk in chunks:
        while len(chunk):
            step = min(size - filled, len(chunk))
            batch[filled : filled + step] = chunk[:step]
            chunk, filled = chunk[step:], filled + step
            if filled == size:
                yield batch.view(dtype)
                batch, filled = np.empty_like(batch), 0
    if filled and not drop_last:
        yield batch[:filled].view(dtype)


def _mixed(
    source: RowSource, size: int, rng: np.random.Generator, buffer_bytes: int
) -> Iterator[Rows]:
    """Yield all rows in a mixed order, at most ``size`` at a time."""
    spans = source.spans()
    rng.shuffle(spans)
    longest = max(1, SPAN_BYTES // source.row_bytes)
    capacity = min(source.rows, max(2 * longest, buffer_bytes // source.row_bytes))
    buffer = np.empty((capacity, source.width), source.header.storage)
    used, free = np.empty(0, np.int64), np.arange(capacity)
    while len(spans) or len(used):
        # As many whole spans as surely fit, in the order in which they lie on the disk.
        fitting = int(np.searchsorted(np.cumsum(spans[:, 1] - spans[:, 0]), len(free), "right"))
        group, spans = spans[:fitting], spans[fitting:]
        taken = 0
        for rows in source.read(group[np.argsort(group[:, 0])]):
            buffer[free[taken : taken + len(rows)]] = rows
            taken += len(rows)
        used, free = np.concatenate([used, free[:taken]]), free[taken:]
        rng.shuffle(used)
        # Half of the buffer goes out; all of it when no more comes in.
        out = max(len(used) - capacity // 2, 0) if len(spans) else len(used)
        for first in range(0, out, size):
            yield buffer[used[first : min(first + size, out)]]
        used, free = used[out:], np.concatenate([free, used[:out]])
