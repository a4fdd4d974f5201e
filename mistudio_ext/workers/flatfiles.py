"""Append to ``.npy`` files whose length is not known beforehand."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt


class NpyAppender:
    """A one-dimensional ``.npy`` file that grows.

    NumPy leaves room in the header for the length to grow, so that the header
    can be written again in place when the length is known.

    Parameters
    ----------
    path
        The file.
    dtype
        Its dtype.
    keep
        Values to keep of a file that is there; what comes after them is cut off.
        Without any the file is made anew.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, keep: int = 0) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.length = keep
        self._file = path.open("r+b" if keep else "wb")
        self._write_header()
        if keep:
            self._file.truncate(self._file.tell() + self.n_bytes)
            self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    @property
    def n_bytes(self) -> int:
        """Bytes of data so far, header not counted."""
        return self.length * self.dtype.itemsize

    def append(self, values: npt.ArrayLike) -> None:
        """Add values at the end."""
        array = np.ascontiguousarray(values, self.dtype)
        self._file.write(array.tobytes())
        self.length += len(array)

    def sync(self) -> None:
        """Flush what was appended to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the final length and flush the file to the disk."""
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _write_header(self) -> None:
        header: dict[str, Any] = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.length,),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
