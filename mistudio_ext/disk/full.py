"""Full disks: recognised in any library's words, and named with what is free."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mistudio_ext.errors import MiStudioError, NoSpaceError
from mistudio_ext.room import human

#: What the system says when a disk, a quota or a limit on file sizes is reached.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: What libraries make of it that do not pass the number on (SQLite, DuckDB, Rust, C++).
_WORDS = (
    "no space left on device",
    "database or disk is full",
    "disk quota exceeded",
    "(os error 28)",
    "(os error 122)",
    "(os error 27)",
    "file too large",
)

#: Bytes that are too few to go on with.
_NOTHING = 1 << 20


def is_full(error: BaseException | None) -> bool:
    """Tell whether an exception, or what caused it, is about a full disk."""
    return any(_says_full(each) for each in _chain(error))


def is_full_now(folder: Path) -> bool:
    """Tell whether the disk of a folder has no room at this moment."""
    try:
        return free_on_disk(folder) < _NOTHING
    except OSError:
        return False


def no_space(error: BaseException, folders: Iterable[Path]) -> NoSpaceError:
    """Return the error for a write that failed on a full disk.

    Parameters
    ----------
    error
        What the write raised; the file that it names says which disk it was.
    folders
        Where the work writes. If no file is named, the fullest of these disks is meant, or the
        one for temporary files.
    """
    named = [str(e.filename) for e in _chain(error) if isinstance(e, OSError) and e.filename]
    places = [Path(name) for name in named] or [*folders, Path(tempfile.gettempdir())]
    free, folder = min((free_on_disk(place), _existing(place)) for place in places)
    if any(isinstance(e, OSError) and e.errno == errno.EDQUOT for e in _chain(error)):
        message = f"Your quota on the disk of '{folder}' is used up."
    elif free >= _NOTHING:
        # It was full a moment ago, or a limit of this process was met.
        message = f"The disk of '{folder}' had no room for a file; {human(free)} are free now."
    else:
        message = f"The disk of '{folder}' is full: {human(free)} are free."
    return NoSpaceError(
        message,
        hint="Free some space there, then retry; what is done is kept.",
        free_bytes=free,
    )


@contextmanager
def full_disk_named(*folders: Path) -> Iterator[None]:
    """Turn what a full disk makes any library raise into NoSpaceError.

    Parameters
    ----------
    folders
        Where the work writes.
    """
    try:
        yield
    except MiStudioError:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise no_space(error, folders) from error


def free_on_disk(path: Path) -> int:
    """Return the free bytes on the disk that holds a path (or would hold it)."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _says_full(error: BaseException) -> bool:
    if isinstance(error, NoSpaceError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    text = str(error).lower()
    return any(words in text for words in _WORDS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
