"""One ``.npy`` file on disk: its header, and the part of it that may be read."""

from __future__ import annotations

import math
import mmap
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations import manifest
from mistudio_ext.errors import ConflictError, InvalidInputError

Mapped = np.memmap[Any, np.dtype[Any]]

#: What NumPy stores for bfloat16, which it does not know: two raw bytes.
_RAW_BFLOAT16 = np.dtype("V2")


@dataclass(frozen=True)
class Header:
    """What the header of a ``.npy`` file says.

    Attributes
    ----------
    shape
        Full shape of the array, written or not.
    dtype
        ``float16``, ``float32``, ``int64``, … or ``bfloat16``.
    offset
        Where the data starts, in bytes.
    """

    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row, that is without the first axis."""
        return self.shape[1:]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return math.prod(self.row_shape) * self.itemsize

    @property
    def storage(self) -> np.dtype[Any]:
        """The dtype by which NumPy alone can hold the elements (uint16 for bfloat16)."""
        return np.dtype(np.uint16) if self.dtype == "bfloat16" else np.dtype(self.dtype)

    def prefix(self, rows: int) -> tuple[int, ...]:
        """Shape of the first ``rows`` rows."""
        return (min(rows, self.shape[0]), *self.row_shape)


def read_header(path: Path) -> Header:
    """Read the header of a ``.npy`` file.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ConflictError
        If it is no ``.npy`` file in C order, or shorter than its header says.
    """
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise ConflictError(f"{path} is not a NumPy file: {error}", code="bad_array") from error
        offset = file.tell()
        size = file.seek(0, os.SEEK_END)
    if fortran and len(shape) > 1:
        raise ConflictError(f"{path} is not in C order.", code="bad_array")
    header = Header(shape, "bfloat16" if dtype == _RAW_BFLOAT16 else dtype.name, offset)
    expected = offset + math.prod(shape) * header.itemsize
    if size < expected:
        raise ConflictError(
            f"{path} is cut off: {size:,} bytes instead of {expected:,}.",
            code="bad_array",
            hint="Run the extraction again, or fetch the file again.",
        )
    return header


def map_rows(path: Path, header: Header, rows: int) -> Mapped:
    """Map the first rows of a file, read-only.

    Parameters
    ----------
    path, header
        The file and its header.
    rows
        How many rows along the first axis may be read.

    Returns
    -------
    np.memmap
        Shape ``[rows, ...]``; dtype as stored, bfloat16 by ``ml_dtypes``.
    """
    shape = header.prefix(rows)
    if math.prod(shape) == 0:
        return map_nothing(path, shape, header.dtype)
    mapped: Mapped = np.memmap(path, header.storage, "r", header.offset, shape)
    return cast(Mapped, mapped.view(bfloat16())) if header.dtype == "bfloat16" else mapped


def map_nothing(path: Path, shape: tuple[int, ...], dtype: str) -> Mapped:
    """Return a read-only memmap of no elements.

    No file region can be of length zero, so one byte of a file is mapped and
    none of it taken.

    Parameters
    ----------
    path
        Any file that is not empty, or an extraction folder.
    shape
        A shape with a zero in it.
    dtype
        As in :class:`Header`.
    """
    file = path / manifest.FILE_NAME if path.is_dir() else path
    mapped: Mapped = np.memmap(file, np.uint8, "r", shape=(1,))
    elements = bfloat16() if dtype == "bfloat16" else np.dtype(dtype)
    return cast(Mapped, mapped[:0].view(elements).reshape(shape))


def map_private(path: Path, header: Header, rows: int) -> npt.NDArray[Any]:
    """Map the first rows of a file so that writing to them never reaches the file.

    A tensor over a read-only array makes torch warn, and a write to it kill
    the process. Here the pages are shared with the file until they are
    written; a page that is written becomes the process's own.

    Returns
    -------
    np.ndarray
        Shape ``[rows, ...]``, writable; bfloat16 as uint16.
    """
    shape = header.prefix(rows)
    count = math.prod(shape)
    if count == 0:
        return np.empty(shape, header.storage)
    with open(path, "rb") as file:
        length = header.offset + count * header.itemsize
        if sys.platform == "win32":
            region = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY)
        else:
            region = mmap.mmap(
                file.fileno(),
                length,
                flags=mmap.MAP_PRIVATE | _no_reserve(),
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            )
    flat = np.frombuffer(region, header.storage, count, header.offset)
    return flat.reshape(shape)


def bfloat16() -> np.dtype[Any]:
    """Return NumPy's bfloat16, which ``ml_dtypes`` defines.

    Raises
    ------
    InvalidInputError
        If ``ml_dtypes`` is not installed.
    """
    try:
        import ml_dtypes
    except ImportError:
        raise InvalidInputError(
            "NumPy needs ml_dtypes to read bfloat16.",
            code="missing_ml_dtypes",
            hint="pip install ml_dtypes, or use acts.torch(hook).",
        ) from None
    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def _no_reserve() -> int:
    """Return MAP_NORESERVE: without it the kernel refuses a mapping larger than the memory."""
    if hasattr(mmap, "MAP_NORESERVE"):
        return int(mmap.MAP_NORESERVE)
    common = platform.machine().lower() in {"x86_64", "amd64", "i686", "aarch64", "arm64", "armv7l"}
    return 0x4000 if sys.platform == "linux" and common else 0
