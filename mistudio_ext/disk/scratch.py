"""Large temporary files: where they lie, and that they ask before they grow.

A worker says once where they belong and what they may take. Elsewhere they lie where the system
keeps temporary files, and may take all that is free.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

Ask = Callable[[int], None]


class _Place:
    folder: Path | None = None
    ask: Ask | None = None


def keep_scratch_in(folder: Path, ask: Ask) -> None:
    """Say where this process's temporary files belong; those of SQLite, too.

    Parameters
    ----------
    folder
        Made if it is not there.
    ask
        Called with the bytes that are written next; raises where they do not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _Place.folder, _Place.ask = folder, ask
    # SQLite looks at it when it is first imported.
    os.environ["SQLITE_TMPDIR"] = str(folder)


@contextmanager
def scratch_file() -> Iterator[tuple[IO[bytes], Ask]]:
    """Give a file without a name, and what must be asked before so many bytes are written to it."""
    with tempfile.TemporaryFile(dir=_Place.folder) as file:
        yield file, _Place.ask or _anything


def _anything(_n_bytes: int) -> None:
    """Let the disk itself say when it is full."""
