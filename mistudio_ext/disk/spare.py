"""Room on the disk that is reserved beforehand, so that an end can be written on a full disk.

Two ways: a spare file that is renamed into place (:mod:`mistudio_ext.disk.atomic`), and blocks
behind the end of a file that is appended to.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from mistudio_ext.disk.full import FULL

#: Flag of Linux's ``fallocate``: the file's size stays as it is.
_KEEP_SIZE = 1


def reserve(fd: int, n_bytes: int) -> None:
    """Keep room on the disk for what will be appended to a file, whose size does not change.

    Systems other than Linux reserve nothing.

    Parameters
    ----------
    fd
        Descriptor of the file, open for writing.
    n_bytes
        Bytes to keep behind its end.

    Raises
    ------
    OSError
        If the disk has no room for them (one of :data:`FULL`).
    """
    facts = os.fstat(fd)
    if not sys.platform.startswith("linux") or facts.st_blocks * 512 >= facts.st_size + n_bytes:
        return
    library = ctypes.CDLL(None, use_errno=True)
    sizes = (ctypes.c_longlong(facts.st_size), ctypes.c_longlong(n_bytes))
    if library.fallocate(fd, _KEEP_SIZE, *sizes):
        number = ctypes.get_errno()
        if number in FULL:
            raise OSError(number, os.strerror(number))


def spare_of(path: Path) -> Path:
    """Return where the spare room for a file is."""
    return path.with_name(f".{path.name}.spare")


def make_spare(path: Path, n_bytes: int, mode: int = 0o600) -> None:
    """Keep room for a file that is to be written whole, beside its place.

    Raises
    ------
    OSError
        If the disk has no room for it; nothing is left then.
    """
    spare = spare_of(path)
    fd = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        if os.fstat(fd).st_blocks * 512 < n_bytes:
            os.posix_fallocate(fd, 0, n_bytes)
    except OSError:
        spare.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def drop_spare(path: Path) -> None:
    """Give the spare room of a file back."""
    spare_of(path).unlink(missing_ok=True)
