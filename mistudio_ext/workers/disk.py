"""Room on the disk: asked for before, watched while, and named when it runs out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mistudio_ext.room import DiskLimits
from mistudio_ext.room import human as human
from mistudio_ext.store.leftovers import claimed

#: Bytes that are written at most between two looks at the free space.
_WATCH_BYTES = 16 << 20


class DiskGuard:
    """Keeps a worker within the disk's reserve and the user's quota.

    Parameters
    ----------
    folder
        A folder on that disk; the nearest parent that exists is asked.
    limits
        Reserve and quota.
    """

    def __init__(self, folder: Path, limits: DiskLimits) -> None:
        while not folder.exists():
            folder = folder.parent
        self._folder = folder
        self._limits = limits
        self._written = 0
        self._until_look = 0

    def require(self, n_bytes: int, what: str) -> None:
        """Raise NoSpaceError unless ``n_bytes`` fit into reserve and quota."""
        free = shutil.disk_usage(self._folder).free
        self._limits.check(what, n_bytes, free, self._written)

    def before(self, n_bytes: int, what: str) -> None:
        """Say that so much is written next; NoSpaceError if it does not fit.

        Looks at the free space for every large write, and now and then for small ones.
        """
        if n_bytes > self._until_look:
            self.require(n_bytes, what)
            self._until_look = _WATCH_BYTES
        self._until_look -= n_bytes
        self._written += n_bytes


@contextmanager
def making(temporary: Path, destination: Path) -> Iterator[Path]:
    """Make a folder beside its place and move it there when it is complete.

    Whatever goes wrong, nothing half-made is left at either place; what a killed
    process leaves is removed by the next one.

    Parameters
    ----------
    temporary
        Folder to make it in, on the same disk; emptied first.
    destination
        Where it belongs; what lies there is replaced.
    """
    with claimed(temporary):
        yield temporary
        if destination.exists():
            shutil.rmtree(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(destination)


def checksum(path: Path) -> str:
    """Return ``xxh3_128:<hex>`` of a file."""
    import xxhash

    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return f"xxh3_128:{digest.hexdigest()}"


def sync(path: Path) -> None:
    """Flush a file to the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
