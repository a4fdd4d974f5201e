"""Files that are there whole or not at all, also when the disk is full."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mistudio_ext.disk.full import is_full
from mistudio_ext.disk.spare import spare_of


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file beside its place, wait for the disk, and rename it there.

    On a full disk the spare room is used that :func:`make_spare` has kept, if there is any and
    the data fit into it.

    Parameters
    ----------
    path
        The file.
    data
        All that will be in it.
    mode
        Who may read it, if it is new; the umask applies.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        _write(part, data, os.O_CREAT | os.O_EXCL, mode)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if not is_full(error) or not _write_spare(path, data):
            raise
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write_spare(path: Path, data: bytes) -> bool:
    """Write into the spare room; tell whether there was enough of it."""
    spare = spare_of(path)
    try:
        if spare.stat().st_size < len(data):
            return False
        _write(spare, data)
        os.replace(spare, path)
    except FileNotFoundError:
        return False
    return True


def _write(file: Path, data: bytes, flags: int = 0, mode: int = 0) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC | flags, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.ftruncate(fd, len(data))
        os.fsync(fd)
    finally:
        os.close(fd)
