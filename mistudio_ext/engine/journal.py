"""What is safely on disk: one line per finished chunk, written after the chunk's data.

The first line holds the plan, so that a resumed extraction makes the same
batches. A line that is not complete never counts. While a chunk takes long, lines
between say how many of its batches are done: its rows cannot be read yet (samples of
one chunk are finished out of order), but need not be computed again.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """Samples and tokens done in all, and per file a checksum and sums.

    With ``batches`` it is about a chunk that has begun: ``samples`` and ``tokens`` are those
    before it, and checksum and sums are over the rows of its first ``batches`` batches, in the
    order in which they were written. Without, they are over the rows of the finished chunk.
    """

    samples: int
    tokens: int
    files: dict[str, dict[str, Any]]
    batches: int = 0


def read(folder: Path) -> tuple[dict[str, Any] | None, list[Entry]]:
    """Return the header and the entries of a folder's journal; (None, []) if there is none.

    Reading ends at the first line that is torn, out of order, or no entry.
    """
    try:
        lines = (folder / FILE_NAME).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return None, []
    header: dict[str, Any] | None = None
    entries: list[Entry] = []
    for number, line in enumerate(lines):
        try:
            data = json.loads(line)
            entry = _entry(data)
        except (ValueError, KeyError, TypeError):
            break
        if number == 0:
            if "plan" not in data:
                break
            header = data
            continue
        last = entries[-1] if entries else Entry(0, 0, {})
        if (entry.samples, entry.batches) <= (last.samples, last.batches):
            break
        if last.batches:
            entries.pop()  # This one says more about the same chunk.
        entries.append(entry)
    return header, entries


def _entry(data: dict[str, Any]) -> Entry:
    return Entry(
        int(data["samples"]),
        int(data["tokens"]),
        dict(data["files"]),
        int(data.get("batches", 0)),
    )


class Journal:
    """Appends to a folder's journal.

    Parameters
    ----------
    folder
        The extraction folder.
    header
        The first line's facts (``plan`` and whatever identifies the run).
    entries
        What to keep of an earlier journal; the file is cut after them.
    """

    def __init__(self, folder: Path, header: dict[str, Any], entries: list[Entry]) -> None:
        first = {"samples": 0, "tokens": 0, "files": {}, **header}
        lines = [json.dumps(first, separators=(",", ":"))]
        lines += [_line(entry) for entry in entries]
        temporary = folder / f".{FILE_NAME}.tmp"
        try:
            temporary.write_text("\n".join(lines) + "\n")
            self._fd = os.open(temporary, os.O_WRONLY | os.O_APPEND)
            os.fsync(self._fd)
            os.replace(temporary, folder / FILE_NAME)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(folder)

    def append(self, entry: Entry) -> None:
        """Add an entry and wait until it is on the disk."""
        data = (_line(entry) + "\n").encode()
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, "No space left on device for the journal")
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _line(entry: Entry) -> str:
    body: dict[str, Any] = {
        "samples": entry.samples,
        "tokens": entry.tokens,
        "files": entry.files,
    }
    if entry.batches:
        body["batches"] = entry.batches
    return json.dumps(body, separators=(",", ":"), allow_nan=False)


def sync_folder(folder: Path) -> None:
    """Make renames and new files in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
