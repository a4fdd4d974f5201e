"""From staging buffers to files, in background threads that the forward pass never waits for.

Two threads, so that the disk's own slowness (``fdatasync``) does not hold up the
copying: one takes filled slots, measures them and writes them in place; the
other finishes chunks: it reads the chunk back from the page cache in order,
adds it to the checksums, waits for the disk, and only then writes the journal.
A chunk that takes long is journalled in between, batch by batch done, so that
whatever kills the process costs the work of a few seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt
import torch
import xxhash

from mistudio_ext.engine import statistics
from mistudio_ext.engine.arrays import FULL, ArrayFile, no_space, read_buffer
from mistudio_ext.engine.batches import Batch, Chunk
from mistudio_ext.engine.capture import Slot
from mistudio_ext.engine.journal import Entry, Journal
from mistudio_ext.engine.statistics import Statistics

#: A chunk that takes longer is journalled in between.
JOURNAL_SECONDS = 3.0


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


@dataclass(frozen=True)
class _Told:
    """What the writing thread tells the committing one; without a chunk it is not at its end."""

    parts: list[Statistics]
    chunk: Chunk | None = None
    batches: int = 0
    checksums: list[str] = field(default_factory=list)


class Writer:
    """Takes filled slots, writes them, and journals finished chunks.

    Parameters
    ----------
    files
        One array file per hook, open.
    hashes
        Running ``xxh3_128`` of each file, fed with the header and all rows before
        the first chunk to come.
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
        hashes: Sequence[Any],
        totals: Sequence[Statistics],
        slots: Sequence[Slot],
        samples: int = 0,
        begun: Begun | None = None,
    ) -> None:
        self._files, self._layout, self._journal = list(files), layout, journal
        self._hashes, self._totals = list(hashes), list(totals)
        self._samples, self._begun = samples, begun or Begun.new(len(self._files))
        self._error: BaseException | None = None
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._filled: queue.SimpleQueue[Slot | Chunk | None] = queue.SimpleQueue()
        # At most two lines wait for the disk: what a crash can cost is bounded.
        self._told: queue.Queue[_Told | None] = queue.Queue(2)
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for work, name in ((self._write, "mistudio-writer"), (self._commit, "mistudio-commit"))
        ]
        for thread in self._threads:
            thread.start()

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
        while (item := self._filled.get()) is not None:
            if isinstance(item, Chunk):
                self._told.put(_Told(begun.parts, item))
                begun, said = Begun.new(len(self._files)), time.monotonic()
                continue
            if item.ready is not None:
                item.ready.synchronize()
            self._write_slot(item, begun)
            self._free.put(item)
            if time.monotonic() - said >= JOURNAL_SECONDS and self._told.empty():
                self._tell(begun)
                said = time.monotonic()
        self._tell(begun)  # Cancelled in the middle of a chunk: what is done stays done.
        self._told.put(None)

    def _tell(self, begun: Begun) -> None:
        if begun.batches > 0:
            parts = [replace(part) for part in begun.parts]
            checksums = [running.hexdigest() for running in begun.hashes]
            self._told.put(_Told(parts, None, begun.batches, checksums))

    def _write_slot(self, slot: Slot, begun: Begun) -> None:
        runs = [run for batch in slot.batches for run in self._layout.runs(batch)]
        for index, (file, rows) in enumerate(zip(self._files, slot.host, strict=True)):
            filled = rows[: slot.rows]
            begun.parts[index].add(
                statistics.measure(filled)
                if slot.vectors is None
                else statistics.from_vector(slot.vectors[index])
            )
            data = memoryview(filled.view(torch.uint8).numpy().reshape(-1))  # type: ignore[arg-type]
            begun.hashes[index].update(data)
            start = 0
            for first, count in runs:
                size = count * file.row_bytes
                file.write(data[start : start + size], first)
                start += size
        begun.batches += 1

    def _commit(self) -> None:
        buffer = read_buffer()
        while (told := self._told.get()) is not None:
            if told.chunk is None:
                checksums = told.checksums
            else:
                checksums = self._take_in(told.chunk, told.parts, buffer)
                self._samples = told.chunk.end
            for file in self._files:
                file.sync()
            files = {
                file.path.name: {"checksum": checksum, "stats": part.to_dict()}
                for file, checksum, part in zip(self._files, checksums, told.parts, strict=True)
            }
            tokens = int(self._layout.offsets[self._samples])
            self._journal.append(Entry(self._samples, tokens, files, told.batches))

    def _take_in(self, chunk: Chunk, parts: Sequence[Statistics], buffer: bytearray) -> list[str]:
        """Add a finished chunk to totals and checksums; return its own checksum per file."""
        first, end = self._layout.row(chunk.first), self._layout.row(chunk.end)
        checksums = []
        for file, running, total, part in zip(
            self._files, self._hashes, self._totals, parts, strict=True
        ):
            piece = xxhash.xxh3_64()
            for data in file.read(first, end, buffer):
                piece.update(data)
                running.update(data)
            total.add(part)
            checksums.append(piece.hexdigest())
        return checksums
