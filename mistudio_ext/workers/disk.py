"""Room on the disk: asked for before, watched while, and named when it runs out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mistudio_ext.disk.scratch import keep_scratch_in
from mistudio_ext.paths import DataFolder
from mistudio_ext.room import DiskLimits
from mistudio_ext.room import human as human
from mistudio_ext.store.leftovers import claimed

#: Bytes that are written at most between two looks at the free space, which others use as well.
_WATCH_BYTES = 1 << 20


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

        Looks at the free space for every large write, and now and then for small ones: never
        more is written without a look than there was room for at the last one.
        """
        if n_bytes > self._until_look:
            free = shutil.disk_usage(self._folder).free
            self._limits.check(what, n_bytes, free, self._written)
            room = free - self._limits.reserve_bytes
            self._until_look = max(n_bytes, min(_WATCH_BYTES, room))
        self._until_look -= n_bytes
        self._written += n_bytes


def bound_scratch(spec: Mapping[str, Any]) -> None:
    """Keep this process's temporary files on the disk of the data, within its reserve and quota.

    Parameters
    ----------
    spec
        The spec of its job.
    """
    if "data_dir" not in spec:
        return
    folder = DataFolder(Path(spec["data_dir"])).temporary
    guard = DiskGuard(folder, DiskLimits.of(spec))
    keep_scratch_in(folder, lambda n_bytes: guard.before(n_bytes, "Unpacking"))


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
