"""The files that a dataset is imported from: whether they are what they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mistudio_ext.errors import CancelledError, ConflictError
from mistudio_ext.spec import fingerprint


def signature(path: Path) -> str:
    """Return what changes when the files at a path change.

    Names, sizes, times of content and of entry, and inodes: a file that is replaced by one of
    the same size and time is seen too. Hidden files do not count.
    """
    facts = []
    for file in [path] if not path.is_dir() else _files(path, frozenset()):
        try:
            found = file.stat()
        except OSError:
            continue
        name = file.name if file == path else str(file.relative_to(path))
        times = [found.st_mtime_ns, found.st_ctime_ns]
        facts.append([name, found.st_size, *times, found.st_ino])
    return fingerprint({"path": str(path), "files": sorted(facts)})


@contextmanager
def unchanged(path: Path) -> Iterator[str]:
    """Read files: they are the same before and after. Gives their :func:`signature`.

    Raises
    ------
    ConflictError
        ``dataset_changed``; also in place of what a reader says of a half-written file.
    """
    before = signature(path)
    try:
        yield before
    except CancelledError:
        raise
    except Exception as error:
        if signature(path) != before:
            raise _changed(path) from error
        raise
    if signature(path) != before:
        raise _changed(path)


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        there = os.scandir(folder)
    except OSError:
        return  # The reader says what is wrong.
    with there as entries:
        for entry in entries:
            if entry.name.startswith((".", "__")) and entry.name != ".huggingface.yaml":
                continue
            if entry.is_dir():
                yield from _files(folder / entry.name, above | {here})
            else:
                yield folder / entry.name


def _changed(path: Path) -> ConflictError:
    return ConflictError(
        f"{path.name} changed while it was read.",
        code="dataset_changed",
        field="path",
        hint="Import it again when whatever writes it has ended.",
    )
