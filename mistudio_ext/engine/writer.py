"""From staging buffers to files, in background threads that the forward pass never waits for.

Two threads, so that the disk's own slowness (``fdatasync``) does not hold up the
copying: one takes filled slots, measures them and writes them in place; the
other finishes chunks: it adds them to the checksums, waits for the disk, and only
then writes the journal. A chunk whose rows were not written in order is read back
from the page cache for that.
A chunk that takes long is journalled in between, batch by batch done, so that
whatever kills the process costs the work of a few seconds.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy.typing as npt
import torch
import xxhash

from mistudio_ext.engine import statistics, threads
from mistudio_ext.engine.arrays import DTYPES, FULL, ArrayFile, no_space, read_buffer
from mistudio_ext.engine.batches import Batch, Chunk
from mistudio_ext.engine.capture import Slot
from mistudio_ext.engine.journal import Entry, Journal
from mistudio_ext.engine.statistics import Meter, Statistics

#: A chunk that takes longer is journalled in between.
JOURNAL_SECONDS = 3.0
#: Bytes after which the disk is told to begin, so that the end need not wait for all of them.
_SYNC_BYTES = 64 << 20


@dataclass(frozen=True)
class Layout:
    """Where a sample's rows go.

    ``positions`` other than ``all`` take one row per sample; else ``packed`` puts
    samples one after the other and ``padded`` gives each ``context`` rows.
    """

    layout: str
    positions: str
    context: int
    offsets: npt.NDArray[Any]

    def row(self, sample: int) -> int:
        """Return the first row of a sample (also of the one past the last)."""
        if self.positions != "all":
            return sample
        return int(self.offsets[sample]) if self.layout == "packed" else sample * self.context

    def runs(self, batch: Batch) -> list[tuple[int, int]]:
        """Return ``(first row in the file, rows)`` of a batch, neighbours joined."""
        runs: list[tuple[int, int]] = []
        for sample, length in zip(batch.samples.tolist(), batch.lengths.tolist(), strict=True):
            first, count = self.row(sample), length if self.positions == "all" else 1
            if runs and runs[-1][0] + runs[-1][1] == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + count)
            else:
                runs.append((first, count))
        return runs


@dataclass
class Begun:
    """A chunk that has begun.

    ``batches`` of it are written; per file there are the statistics of their rows and the
    ``xxh3_64`` of their bytes, in the order in which they were written.
    """

    parts: list[Statistics]
    hashes: list[Any]
    batches: int = 0

    @classmethod
    def new(cls, files: int) -> Begun:
        """Return a chunk of which nothing is written."""
        return cls([Statistics() for _ in range(files)], [xxhash.xxh3_64() for _ in range(files)])


class _Ahead:
    """Checksums of whole files, fed while their rows are written in the order of the file.

    Samples of one length are; samples in buckets of their lengths are not.

    Parameters
    ----------
    hashes
        Running ``xxh3_128`` of each file up to ``row``.
    row
        The next row of the file.
    """

    def __init__(self, hashes: Sequence[Any], row: int) -> None:
        self.hashes = [running.copy() for running in hashes]
        self.row = row

    def follow(self, runs: Sequence[tuple[int, int]]) -> bool:
        """Go on by ``(first row, rows)``; False if they are not the rows that come next."""
        for first, count in runs:
            if first != self.row:
                return False
            self.row += count
        return True


@dataclass(frozen=True)
class _Told:
    """What the writing thread tells the committing one.

    Without a chunk it is not at its end; with no ``parts`` there is nothing to journal.
    ``hashes`` are the running checksums after the chunk, where they are known.
    """

    parts: list[Statistics] = field(default_factory=list)
    chunk: Chunk | None = None
    batches: int = 0
    checksums: list[str] = field(default_factory=list)
    hashes: list[Any] | None = None


class Writer:
    """Takes filled slots, writes them, and journals finished chunks.

    Parameters
    ----------
    files
        One array file per hook, open.
    hashes
        Running ``xxh3_128`` of each file, fed with the header and all rows before
        the first chunk to come; kept up to date.
    totals
        Statistics of the rows before the first chunk to come; added to.
    slots
        The staging buffers; at most these are in flight.
    samples
        Samples before the first chunk to come.
    begun
        What an earlier run wrote of that chunk.
    """

    def __init__(
        self,
        files: Sequence[ArrayFile],
        layout: Layout,
        journal: Journal,
        hashes: list[Any],
        totals: Sequence[Statistics],
        slots: Sequence[Slot],
        samples: int = 0,
        begun: Begun | None = None,
    ) -> None:
        self._files, self._layout, self._journal = list(files), layout, journal
        self._hashes, self._totals = hashes, list(totals)
        self._samples, self._begun = samples, begun or Begun.new(len(self._files))
        self._ahead = None if self._begun.batches else _Ahead(hashes, layout.row(samples))
        self._unsynced = 0
        self._error: BaseException | None = None
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._filled: queue.SimpleQueue[Slot | Chunk | None] = queue.SimpleQueue()
        # At most two lines wait for the disk: what a crash can cost is bounded.
        self._told: queue.Queue[_Told | None] = queue.Queue(2)
        self._threads = [
            threads.start(partial(self._guard, work), name)
            for work, name in ((self._write, "mistudio-writer"), (self._commit, "mistudio-commit"))
        ]

    def acquire(self) -> Slot:
        """Return an empty slot; waits only if the disk is slower than the model.

        Raises
        ------
        NoSpaceError, OSError
            What went wrong in the background.
        """
        while True:
            self.check()
            try:
                slot = self._free.get(timeout=0.5)
            except queue.Empty:
                continue
            slot.clear()
            return slot

    def give_back(self, slot: Slot) -> None:
        """Return a slot that was not filled."""
        self._free.put(slot)

    def submit(self, slot: Slot) -> None:
        """Hand over a filled slot."""
        self._filled.put(slot)

    def end_chunk(self, chunk: Chunk) -> None:
        """Say that all slots of a chunk were handed over."""
        self._filled.put(chunk)

    def close(self) -> None:
        """Finish what was handed over and stop the threads; errors are raised by :meth:`check`."""
        self._filled.put(None)
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise what went wrong in the background, if anything did."""
        if self._error is None:
            return
        if isinstance(self._error, OSError) and self._error.errno in FULL:
            folder = self._files[0].path.parent
            raise no_space(folder, sum(file.size for file in self._files)) from self._error
        raise self._error

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is raised in the other thread, by check()
            self._error = self._error or error
            if work == self._write:
                self._told.put(None)
            else:
                while self._told.get() is not None:
                    pass  # Let the writing thread go on to its end; nothing is journalled.

    def _write(self) -> None:
        begun, said = self._begun, time.monotonic()
        widest = max((file.shape[-1] for file in self._files), default=1)
        meter = Meter(widest, DTYPES[self._files[0].dtype][0])
        while (item := self._filled.get()) is not None:
            if isinstance(item, Chunk):
                self._told.put(self._finished(begun, item))
                begun, said = Begun.new(len(self._files)), time.monotonic()
                continue
            if item.ready is not None:
                item.ready.synchronize()
            self._write_slot(item, begun, meter)
            self._free.put(item)
            if not self._told.empty():
                continue
            if time.monotonic() - said >= JOURNAL_SECONDS:
                self._tell(begun)
                said = time.monotonic()
            elif self._unsynced >= _SYNC_BYTES:
                self._told.put(_Told())
                self._unsynced = 0
        self._tell(begun)  # Cancelled in the middle of a chunk: what is done stays done.
        self._told.put(None)

    def _finished(self, begun: Begun, chunk: Chunk) -> _Told:
        """Return what is to be said of a chunk of which everything is written."""
        self._unsynced = 0
        if self._ahead is not None and self._ahead.row != self._layout.row(chunk.end):
            self._ahead = None  # It ends with rows that are left empty.
        if self._ahead is None:
            return _Told(begun.parts, chunk)
        checksums = [running.hexdigest() for running in begun.hashes]
        hashes = [running.copy() for running in self._ahead.hashes]
        return _Told(begun.parts, chunk, 0, checksums, hashes)

    def _tell(self, begun: Begun) -> None:
        if begun.batches > 0:
            parts = [replace(part) for part in begun.parts]
            checksums = [running.hexdigest() for running in begun.hashes]
            self._told.put(_Told(parts, None, begun.batches, checksums))
            self._unsynced = 0

    def _write_slot(self, slot: Slot, begun: Begun, meter: Meter) -> None:
        runs = [run for batch in slot.batches for run in self._layout.runs(batch)]
        if self._ahead is not None and not self._ahead.follow(runs):
            self._ahead = None
        for index, (file, rows) in enumerate(zip(self._files, slot.host, strict=True)):
            filled = rows[: slot.rows]
            begun.parts[index].add(
                statistics.from_vector(slot.vectors[index])
                if slot.vectors is not None and slot.measured
                else meter.measure(filled)
            )
            data = memoryview(filled.view(torch.uint8).numpy().reshape(-1))  # type: ignore[arg-type]
            begun.hashes[index].update(data)
            if self._ahead is not None:
                self._ahead.hashes[index].update(data)
            start = 0
            for first, count in runs:
                size = count * file.row_bytes
                file.write(data[start : start + size], first)
                start += size
            self._unsynced += start
        begun.batches += 1

    def _commit(self) -> None:
        buffer = read_buffer()
        while (told := self._told.get()) is not None:
            checksums = told.checksums
            if told.chunk is not None:
                if told.hashes is None:
                    checksums = self._read_back(told.chunk, buffer)
                else:
                    self._hashes[:] = told.hashes
                for total, part in zip(self._totals, told.parts, strict=True):
                    total.add(part)
                self._samples = told.chunk.end
            for file in self._files:
                file.sync()
            if told.parts:
                self._journal.append(self._entry(told, checksums))

    def _entry(self, told: _Told, checksums: Sequence[str]) -> Entry:
        files = {
            file.path.name: {"checksum": checksum, "stats": part.to_dict()}
            for file, checksum, part in zip(self._files, checksums, told.parts, strict=True)
        }
        tokens = int(self._layout.offsets[self._samples])
        return Entry(self._samples, tokens, files, told.batches)

    def _read_back(self, chunk: Chunk, buffer: bytearray) -> list[str]:
        """Add a finished chunk to the files' checksums; return its own checksum per file."""
        first, end = self._layout.row(chunk.first), self._layout.row(chunk.end)
        checksums = []
        for file, running in zip(self._files, self._hashes, strict=True):
            piece = xxhash.xxh3_64()
            for data in file.read(first, end, buffer):
                piece.update(data)
                running.update(data)
            checksums.append(piece.hexdigest())
        return checksums
