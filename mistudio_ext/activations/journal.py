"""The journal of an extraction: how much of the arrays is written.

``journal.jsonl`` gets one line per finished chunk, after the chunk's data is
on the disk. The last complete line says what may be read. Standard library
only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypedDict

#: File name inside an extraction folder.
FILE_NAME = "journal.jsonl"

_TAIL_BYTES = 64 * 1024


class Progress(TypedDict):
    """What is written so far, in all."""

    samples: int
    tokens: int


def last(folder: str | os.PathLike[str]) -> Progress | None:
    """Return what is written so far, or None if nothing is.

    Reads only the end of the file (64 kB, more where a line is longer), so it
    costs the same for any size. A last line that is not complete (no line
    feed at its end, or not JSON) is a chunk that is not finished: the line
    before it counts.

    Parameters
    ----------
    folder
        The extraction folder.
    """
    try:
        file = open(Path(folder) / FILE_NAME, "rb")  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError):
        return None
    with file:
        size = file.seek(0, os.SEEK_END)
        tail = _TAIL_BYTES
        while True:
            start = max(0, size - tail)
            file.seek(start)
            lines = file.read(size - start).split(b"\n")
            # What follows the last line feed is torn; what precedes the first may be cut.
            for line in reversed(lines[:-1] if start == 0 else lines[1:-1]):
                if (progress := _parse(line)) is not None:
                    return progress
            if start == 0:
                return None
            tail *= 8


def _parse(line: bytes) -> Progress | None:
    try:
        entry: Any = json.loads(line)
        return {"samples": int(entry["samples"]), "tokens": int(entry["tokens"])}
    except (ValueError, KeyError, TypeError):
        return None
