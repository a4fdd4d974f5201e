"""What folders take of the disk; a file with several names (hard links) is counted once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: What tells one file from another: device and inode.
Inode = tuple[int, int]

_BLOCK = 512


@dataclass
class DiskUse:
    """What a folder takes.

    Attributes
    ----------
    own
        Bytes that deleting the folder would free.
    shared
        Bytes of each file that has names elsewhere too: freed with the last of them.
    """

    own: int = 0
    shared: dict[Inode, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All that lies there, freed or not."""
        return self.own + sum(self.shared.values())


def disk_use(path: Path) -> DiskUse:
    """Return what a file, or what lies below a folder, takes; nothing if it is gone."""
    use = DiskUse()
    names: dict[Inode, int] = {}
    for facts in _files(path):
        size = facts.st_blocks * _BLOCK
        if facts.st_nlink == 1:
            use.own += size
            continue
        inode = (facts.st_dev, facts.st_ino)
        use.shared[inode] = size
        names[inode] = names.get(inode, 0) + 1
        if names[inode] == facts.st_nlink:
            use.own += use.shared.pop(inode)  # All its names are in here.
    return use


def _files(path: Path) -> Iterator[os.stat_result]:
    try:
        entries = list(os.scandir(path))
    except NotADirectoryError:
        with contextlib.suppress(FileNotFoundError):
            yield path.lstat()
        return
    except OSError:
        return  # Deleted meanwhile, or not ours to look into.
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False)
