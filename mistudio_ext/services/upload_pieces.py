"""Pieces of an upload, the errors they meet, and the names that files may have."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, ClassVar

from mistudio_ext.disk.full import free_on_disk, is_full
from mistudio_ext.errors import ConflictError, InvalidInputError, NoSpaceError
from mistudio_ext.store.files import FORMATS, split_extension

#: Formats and compressions that are taken.
EXTENSIONS = tuple(name for name in FORMATS if name != ".ndjson")
COMPRESSIONS = ("", ".gz", ".zst")

_UNSAFE = re.compile(r"[^\w.+@ ()=-]+")


class TooLargeError(InvalidInputError):
    """The file is larger than the administrator allows."""

    default_code: ClassVar[str] = "too_large"
    status: ClassVar[int] = 413


class WrongOffsetError(ConflictError):
    """The piece does not start where the upload stands.

    Parameters
    ----------
    offset
        Where the next piece has to start.
    """

    default_code: ClassVar[str] = "wrong_offset"

    def __init__(self, message: str, offset: int, *, code: str | None = None) -> None:
        super().__init__(message, code=code, hint=f"Send the file from byte {offset} on.")
        self.offset = offset

    def to_dict(self) -> dict[str, Any]:
        """Return the error with ``offset``."""
        return {**super().to_dict(), "offset": self.offset}

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.offset))


class Piece:
    """A piece of an upload while it arrives; one at a time per upload.

    Parameters
    ----------
    path
        The file.
    start, end
        First byte of the piece, and the one behind its last.
    """

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._path = path
        self._file = path.open("r+b", buffering=0)
        self._file.seek(start)
        self._lock = threading.Lock()
        self._left = end - start

    def write(self, data: bytes) -> None:
        """Write what arrived; nothing after :meth:`close`.

        Raises
        ------
        InvalidInputError
            ``bad_range`` if more arrives than was announced.
        NoSpaceError
            If the disk is full.
        """
        with self._lock:
            if self._file.closed:
                return
            if len(data) > self._left:
                raise InvalidInputError(
                    "More bytes came than Content-Range says.", code="bad_range"
                )
            view = memoryview(data)
            while view:
                try:
                    written = self._file.write(view)
                except OSError as error:
                    if not is_full(error):
                        raise
                    raise NoSpaceError(
                        f"The disk of '{self._path.parent}' is full.",
                        hint="Free some space, then go on with the upload; what came is kept.",
                        needed_bytes=self._left,
                        free_bytes=free_on_disk(self._path),
                    ) from error
                self._left -= written
                view = view[written:]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def safe_name(name: Any) -> str:
    """Return the last part of a file's name without what a file system minds.

    Raises
    ------
    InvalidInputError
        ``bad_name``, or ``unknown_format`` if its extension is none that is read.
    """
    if not isinstance(name, str):
        raise InvalidInputError("name must be the file's name.", code="bad_name", field="name")
    last = _UNSAFE.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    extension, compression = split_extension(last)
    if extension not in EXTENSIONS or compression not in COMPRESSIONS:
        raise InvalidInputError(
            f"'{last or name}' is in no format that can be read.",
            code="unknown_format",
            field="name",
            hint=f"Upload {', '.join(EXTENSIONS)}, plain or with .gz or .zst.",
        )
    stem = last[: len(last) - len(extension) - len(compression)]
    return (stem.encode()[:150].decode(errors="ignore") or "upload") + extension + compression


def content_range(text: str | None) -> tuple[int, int, int]:
    """Return first byte, last byte and total of ``bytes FIRST-LAST/TOTAL``.

    Raises
    ------
    InvalidInputError
        ``bad_range``.
    """
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", (text or "").strip())
    if match is None:
        raise InvalidInputError(
            f"Content-Range is {text!r}.",
            code="bad_range",
            hint="Send Content-Range: bytes FIRST-LAST/TOTAL.",
        )
    first, last, total = map(int, match.groups())
    return first, last, total
