"""Logs that keep their end: of an overgrown one the beginning is cut away."""

from __future__ import annotations

import os
from pathlib import Path

#: Bytes beyond which a log is cut to its last quarter.
LIMIT = 4 << 20
#: The same for the worker whose log it is: it cuts what no server is there to cut.
UNWATCHED_LIMIT = 2 * LIMIT


def cut(log: Path, limit: int = LIMIT) -> None:
    """Cut an overgrown log; a process that appends to it goes on at the new end."""
    try:
        if log.stat().st_size <= limit:
            return
        with log.open("r+b") as file:
            file.seek(-limit // 4, os.SEEK_END)
            rest = file.read()
            file.seek(0)
            file.write(b"[the beginning of this log was cut]\n" + rest)
            file.truncate()
    except FileNotFoundError:
        return
