"""What an earlier run left: re-read, compared with its journal, and kept as far as it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from mistudio_ext.engine.arrays import ArrayFile, read_buffer
from mistudio_ext.engine.batches import Plan, batches, chunks
from mistudio_ext.engine.journal import Entry
from mistudio_ext.engine.statistics import Statistics
from mistudio_ext.engine.writer import Begun, Layout


@dataclass
class Kept:
    """What holds of an earlier run.

    ``hashes`` are the running ``xxh3_128`` per file and ``totals`` its statistics, both up to
    the end of the last finished chunk; ``begun`` is what is written of the chunk after it.
    """

    entries: list[Entry]
    hashes: list[Any]
    totals: list[Statistics]
    begun: Begun

    @property
    def samples(self) -> int:
        """Samples in finished chunks."""
        return self.entries[-1].samples if self.entries else 0


def nothing(files: Sequence[ArrayFile]) -> Kept:
    """Return the beginning: no row is written."""
    hashes = [xxhash.xxh3_128(file.header) for file in files]
    return Kept([], hashes, [Statistics() for _ in files], Begun.new(len(files)))


def verified(
    files: Sequence[ArrayFile], layout: Layout, plan: Plan, entries: Sequence[Entry]
) -> Kept:
    """Re-read what an earlier run journalled and keep the part whose checksums hold."""
    kept = nothing(files)
    buffer = read_buffer()
    for entry in entries:
        intact = (
            _begun(files, layout, plan, entry, kept, buffer)
            if entry.batches
            else _finished(files, layout, entry, kept, buffer)
        )
        if not intact:
            break
        kept.entries.append(entry)
    return kept


def _finished(
    files: Sequence[ArrayFile], layout: Layout, entry: Entry, kept: Kept, buffer: bytearray
) -> bool:
    """Take in a finished chunk, if its bytes are those of the journal."""
    first, end = layout.row(kept.samples), layout.row(entry.samples)
    grown = [running.copy() for running in kept.hashes]
    for file, running in zip(files, grown, strict=True):
        piece = xxhash.xxh3_64()
        for data in file.read(first, end, buffer):
            piece.update(data)
            running.update(data)
        if not _same(entry, file, piece):
            return False
    kept.hashes = grown
    for file, total in zip(files, kept.totals, strict=True):
        total.add(_statistics(entry, file))
    return True


def _begun(
    files: Sequence[ArrayFile],
    layout: Layout,
    plan: Plan,
    entry: Entry,
    kept: Kept,
    buffer: bytearray,
) -> bool:
    """Take in the first batches of a chunk, if their bytes are those of the journal.

    A batch that was halved for want of memory was written in another order; its chunk is
    computed again.
    """
    chunk = next(chunks(layout.offsets, plan, entry.samples), None)
    if chunk is None or entry.samples != kept.samples:
        return False
    done = batches(layout.offsets, chunk, plan)[: entry.batches]
    runs = [run for batch in done for run in layout.runs(batch)]
    hashes = []
    for file in files:
        piece = xxhash.xxh3_64()
        for first, count in runs:
            for data in file.read(first, first + count, buffer):
                piece.update(data)
        if not _same(entry, file, piece):
            return False
        hashes.append(piece)
    kept.begun = Begun([_statistics(entry, file) for file in files], hashes, entry.batches)
    return True


def _same(entry: Entry, file: ArrayFile, piece: Any) -> bool:
    known = entry.files.get(file.path.name, {})
    return bool(known.get("checksum") == piece.hexdigest())


def _statistics(entry: Entry, file: ArrayFile) -> Statistics:
    return Statistics.from_dict(entry.files[file.path.name]["stats"])
