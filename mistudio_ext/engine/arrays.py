"""Array files: plain ``.npy``, reserved at full size before the work begins."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
import xxhash

from mistudio_ext.errors import NoSpaceError

#: Storage dtype -> (torch dtype, NumPy dtype).
DTYPES: dict[str, tuple[torch.dtype, np.dtype[Any]]] = {
    "float16": (torch.float16, np.dtype(np.float16)),
    "bfloat16": (torch.bfloat16, np.dtype(ml_dtypes.bfloat16)),
    "float32": (torch.float32, np.dtype(np.float32)),
}
#: Bytes read at once when a file is read back.
_PIECE = 4 << 20
#: What the system says when a disk, a quota or a limit is full.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def file_name(hook: str) -> str:
    """Return the file name of a hook's array."""
    return hook.replace(":", "_").replace("/", "_") + ".npy"


@dataclass
class ArrayFile:
    """One hook's array on disk.

    ``shape`` is the array's; a *row* is what one token (or one sample, where
    positions are reduced) takes: the last axis.
    """

    path: Path
    hook: str
    shape: tuple[int, ...]
    dtype: str
    fd: int = -1

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.shape[-1] * DTYPES[self.dtype][1].itemsize

    @property
    def header(self) -> bytes:
        """The ``.npy`` header; its length is a multiple of 64."""
        buffer = io.BytesIO()
        facts = {
            "descr": np.lib.format.dtype_to_descr(DTYPES[self.dtype][1]),
            "fortran_order": False,
            "shape": self.shape,
        }
        np.lib.format.write_array_header_1_0(buffer, facts)
        return buffer.getvalue()

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + prod(self.shape[:-1]) * self.row_bytes

    def matches(self) -> bool:
        """Return whether the file on disk has this header and size."""
        try:
            with open(self.path, "rb") as file:
                same = file.read(len(self.header)) == self.header
            return same and self.path.stat().st_size == self.size
        except FileNotFoundError:
            return False

    def create(self) -> None:
        """Make the file at its full size, so that a full disk is met now and not in the middle.

        Raises
        ------
        NoSpaceError
            If the disk has no room for it.
        """
        # A new file, never the old one made empty: another extraction may have a link to it.
        self.path.unlink(missing_ok=True)
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.posix_fallocate(self.fd, 0, self.size)
            # No fsync: the first line of the journal waits for the disk, and until then
            # nothing in the file counts.
            os.pwrite(self.fd, self.header, 0)
        except OSError as error:
            if error.errno in FULL:
                raise no_space(self.path.parent, self.size) from error
            raise

    def open(self) -> None:
        """Open the file to go on writing."""
        self.fd = os.open(self.path, os.O_RDWR)

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def write(self, data: memoryview, first_row: int) -> None:
        """Write whole rows at their place."""
        position = len(self.header) + first_row * self.row_bytes
        while len(data):
            written = os.pwrite(self.fd, data, position)
            data, position = data[written:], position + written

    def read(self, first_row: int, end_row: int, buffer: bytearray) -> Iterator[memoryview]:
        """Yield the bytes of rows ``[first_row, end_row)`` piece by piece, through ``buffer``."""
        start = len(self.header)
        position, end = start + first_row * self.row_bytes, start + end_row * self.row_bytes
        view = memoryview(buffer)
        while position < end:
            count = os.preadv(self.fd, [view[: min(len(view), end - position)]], position)
            if not count:
                raise OSError(errno.EIO, f"{self.path} is shorter than it should be")
            yield view[:count]
            position += count

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fdatasync(self.fd)


def named(running: Any) -> str:
    """Return a running ``xxh3_128`` as the manifest names it; ``xxhsum -H2`` prints the same."""
    return f"xxh3_128:{running.hexdigest()}"


def checksum_of(path: Path) -> str:
    """Return the checksum of a whole file."""
    running = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            running.update(piece)
    return named(running)


def read_buffer() -> bytearray:
    """Return a buffer for :meth:`ArrayFile.read`."""
    return bytearray(_PIECE)


def no_space(folder: Path, wanted: int | None = None) -> NoSpaceError:
    """Return the error for a disk that is too full for ``wanted`` bytes (None: for any)."""
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    room = _size(disk.f_bavail * disk.f_frsize)
    message = f"The disk is full: {room} are free."
    if wanted is not None:
        message = f"The activations need {_size(wanted)}, but only {room} are free on the disk."
    return NoSpaceError(
        message,
        hint="Free some space, or choose fewer layers, fewer samples, or float16. "
        "What is written stays; a retry goes on from there.",
    )


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.1f} kB"
