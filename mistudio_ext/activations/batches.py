"""Batches of rows for training: shuffled, each row once, at the disk's speed.

A shuffle of single rows reads a page for every row. Here the file is cut into
spans of neighbouring rows; a random choice of spans is read whole into a
buffer of bounded size, whose rows then go out in a random order, while the
system fetches the next spans. A buffer holds hundreds of spans from all over
the file, so the rows of a batch come from hundreds of places. A file no larger
than the buffer is shuffled perfectly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations.arrays import Header, bfloat16

Rows = npt.NDArray[Any]
Spans = npt.NDArray[np.int64]

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

    @property
    def rows_per_span(self) -> int:
        """Rows that are read at once."""
        return max(1, SPAN_BYTES // self.row_bytes)

    def spans(self) -> Spans:
        """Return ``[n, 2]``, start and end of each span of rows that is read at once."""
        starts = np.arange(0, self.rows, self.rows_per_span, dtype=np.int64)
        return np.stack([starts, np.minimum(starts + self.rows_per_span, self.rows)], axis=1)

    def real(self, start: int, end: int) -> npt.NDArray[np.bool_] | None:
        """Return which rows of a span are real; None if all are."""
        if self.lengths is None:
            return None
        sample, position = np.divmod(np.arange(start, end), self.header.shape[1])
        mask: npt.NDArray[np.bool_] = position < self.lengths[sample]
        return mask

    def fill(self, file: IO[bytes], start: int, end: int, into: Rows) -> int:
        """Read the real rows of a span and return how many there are.

        Plain reads rather than a mapping, so that the process does not grow
        with the file.

        Parameters
        ----------
        file
            The file, opened without a buffer.
        start, end
            The span.
        into
            ``[end - start or more, d]``; its first rows are written.
        """
        mask = self.real(start, end)
        if mask is None:
            self._read(file, start, into[: end - start])
            return end - start
        if not mask.any():
            return 0
        rows = np.empty((end - start, self.width), self.header.storage)
        self._read(file, start, rows)
        count = int(mask.sum())
        np.compress(mask, rows, axis=0, out=into[:count])
        return count

    def _read(self, file: IO[bytes], start: int, rows: Rows) -> None:
        file.seek(self.header.offset + start * self.row_bytes)
        view = rows.reshape(-1).view(np.uint8).data
        while len(view):
            got = file.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise OSError(f"{self.path} ends before row {start + len(rows)}.")
            view = view[got:]

    def announce(self, file: IO[bytes], spans: Spans) -> None:
        """Let the system fetch spans meanwhile, where it can."""
        if not hasattr(os, "posix_fadvise"):
            return
        for start, end in spans:
            os.posix_fadvise(
                file.fileno(),
                self.header.offset + int(start) * self.row_bytes,
                int(end - start) * self.row_bytes,
                os.POSIX_FADV_WILLNEED,
            )


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
    rng = np.random.default_rng(seed) if shuffle else None
    dtype = bfloat16() if source.header.dtype == "bfloat16" else source.header.storage
    batch = np.empty((min(size, source.total), source.width), source.header.storage)
    filled = 0
    with open(source.path, "rb", buffering=0) as file:
        for rows in _buffers(source, file, rng, buffer_bytes):
            order = None if rng is None else rng.permutation(len(rows))
            first = 0
            while first < len(rows):
                last = first + min(len(batch) - filled, len(rows) - first)
                into = batch[filled : filled + last - first]
                if order is None:
                    into[:] = rows[first:last]
                else:
                    # "clip" writes straight into the batch; no index is out of range.
                    np.take(rows, order[first:last], axis=0, out=into, mode="clip")
                filled, first = filled + last - first, last
                if filled == size:
                    yield batch.view(dtype)
                    batch, filled = np.empty_like(batch), 0
    if filled and not drop_last:
        yield batch[:filled].view(dtype)


def _buffers(
    source: RowSource, file: IO[bytes], rng: np.random.Generator | None, buffer_bytes: int
) -> Iterator[Rows]:
    """Yield the real rows of one buffer after another; each overwrites the one before.

    A random choice of spans with ``rng``, else one span after the other.
    """
    spans = source.spans()
    per_buffer = 1
    if rng is not None:
        per_buffer = max(1, buffer_bytes // (source.rows_per_span * source.row_bytes))
        if source.rows * source.row_bytes <= buffer_bytes:
            per_buffer = max(1, len(spans))
        rng.shuffle(spans)
    room = min(source.rows, per_buffer * source.rows_per_span)
    # The spans of a buffer are read in the order in which they lie on the disk.
    groups = [
        np.sort(spans[first : first + per_buffer], axis=0)
        for first in range(0, len(spans), per_buffer)
    ]
    buffer = np.empty((room, source.width), source.header.storage)
    for index, group in enumerate(groups):
        filled = 0
        for start, end in group:
            filled += source.fill(file, int(start), int(end), buffer[filled:])
        if index + 1 < len(groups):
            source.announce(file, groups[index + 1])
        yield buffer[:filled]
