"""Half-made things: who works on them, and what a killed process left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SUFFIX = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Give an empty folder that is this process's own, and is gone afterwards.

    A lock file beside it says that somebody works on it. The lock falls with
    the process, however it ends.
    """
    sweep(folder.parent)
    fd = _lock(folder)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _lock_path(folder).unlink(missing_ok=True)
        os.close(fd)


def sweep(temporary: Path) -> list[str]:
    """Remove what killed processes left; return the names of what was removed.

    Safe at any time: what a living process works on is locked.
    """
    removed: list[str] = []
    for lock in temporary.glob(f"*{_SUFFIX}"):
        try:
            fd = os.open(lock, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = lock.with_name(lock.name.removesuffix(_SUFFIX))
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            removed.append(folder.name)
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
    return sorted(removed)


def in_use(folder: Path) -> bool:
    """Tell whether a living process works on a half-made folder."""
    try:
        fd = os.open(_lock_path(folder), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + _SUFFIX)


def _lock(folder: Path) -> int:
    """Lock a folder's lock file, waiting for a process that is just sweeping it."""
    path = _lock_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)
