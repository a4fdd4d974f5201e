"""The bytes of a data file, plain or compressed."""

from __future__ import annotations

import lzma
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.files import open_bytes, split_extension

#: Bytes of a file's content that are looked at to find out how to read it.
HEAD_BYTES = 1 << 20

#: Bytes that are read at a time.
BLOCK_BYTES = 4 << 20

_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = re.compile(rb"^\S{0,200}/annex/objects/\S+\s*$")
_WEB_PAGE = re.compile(rb"^\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


#: First bytes of files that are no text -> what they are, and what to do with them.
_OTHER_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "Choose the format parquet, or rename the file to .parquet."),
    (b"ARROW1", "an Arrow file", "Choose the format arrow, or rename the file to .arrow."),
    (b"\x1f\x8b\x08", "compressed with gzip", "Rename it so that its name ends in .gz."),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Rename it so that its name ends in .zst."),
    (b"\xfd7zXZ\0", "compressed with xz", "Rename it so that its name ends in .xz."),
    (b"BZh91AY&SY", "compressed with bzip2", "Rename it so that its name ends in .bz2."),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "Unpack it, or save it as CSV."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a file of Excel or Word", "Save it as CSV or as text."),
    (b"SQLite format 3\0", "a database of SQLite", "Export its table as CSV."),
    (b"%PDF-", "a PDF", "Save its text as a .txt file."),
)


class EndsEarlyError(EOFError):
    """A compressed file ends before its content does."""


@dataclass(frozen=True)
class Content:
    """One data file.

    Parameters
    ----------
    path
        Where it lies.
    name
        The name that tells its compression and is used in messages; ``path`` may have another.
    limit
        Only so many bytes of its content, to look at its beginning; None for all of it.
    block_bytes
        Bytes that are read at a time.
    """

    path: Path
    name: str
    limit: int | None = None
    block_bytes: int = BLOCK_BYTES

    @property
    def is_compressed(self) -> bool:
        """Whether the name says that the file is compressed."""
        return bool(split_extension(self.name)[1])

    def head(self) -> bytes:
        """Return the first bytes of the content, at most 1 MiB."""
        found = bytearray()
        try:
            for block in replace(self, limit=HEAD_BYTES).blocks():
                found += block
        except EndsEarlyError:
            pass  # What is there tells the format; reading the file reports its end.
        return bytes(found)

    def beginning(self) -> Content:
        """Return the same file, of which only the beginning is read."""
        return replace(self, limit=HEAD_BYTES, block_bytes=2 * HEAD_BYTES)

    def is_cut(self) -> bool:
        """Return whether the content goes on beyond the limit."""
        return self.limit is not None and len(self.head()) >= self.limit

    def blocks(self) -> Iterator[bytes]:
        """Yield the content, decompressed, in blocks of at most ``block_bytes``.

        Raises
        ------
        EndsEarlyError
            If compressed data breaks off.
        InvalidInputError
            ``broken_file`` if compressed data is damaged.
        """
        left = self.limit
        with self._open() as file:
            # `read` would drop what was decompressed before the data breaks off.
            read = getattr(file, "read1", file.read)
            while left is None or left > 0:
                try:
                    block = read(self.block_bytes if left is None else min(self.block_bytes, left))
                except EOFError as error:
                    raise EndsEarlyError(self.name) from error
                except (zlib.error, lzma.LZMAError) as error:
                    raise self._damaged(error) from error
                except OSError as error:
                    if error.errno is not None:
                        raise
                    if "runcated" in str(error):
                        raise EndsEarlyError(self.name) from error
                    raise self._damaged(error) from error
                if not block:
                    return
                if left is not None:
                    left -= len(block)
                yield block

    def _open(self) -> IO[bytes]:
        return open_bytes(self.path, self.name)

    def _damaged(self, error: Exception) -> InvalidInputError:
        return InvalidInputError(
            f"{self.name} cannot be read: its compressed data is damaged ({error}).",
            code="broken_file",
            field="path",
            hint="Copy or download the file again, and check that its name tells its compression.",
        )


def refuse_stand_in(content: Content, *, may_be_html: bool) -> None:
    """Raise an error if a file only stands for another one.

    Parameters
    ----------
    content
        The file.
    may_be_html
        Whether a web page can be what is wanted, as in plain text.

    Raises
    ------
    InvalidInputError
        ``lfs_pointer`` for a pointer of Git LFS or git-annex; ``web_page`` for a page that was
        saved in place of the data.
    """
    with content.path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(_LFS) or _ANNEX.match(head):
        tool = "Git LFS" if head.startswith(_LFS) else "git-annex"
        fetch = "git lfs pull" if head.startswith(_LFS) else "git annex get"
        raise InvalidInputError(
            f"{content.name} is a {tool} pointer, not the file itself.",
            code="lfs_pointer",
            field="path",
            hint=f"Run '{fetch}' in its folder, or download the file, then import again.",
        )
    if not may_be_html and _WEB_PAGE.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise InvalidInputError(
            f"{content.name} is a web page, not data.",
            code="web_page",
            field="path",
            hint="Download the file itself; the page may ask to sign in or say what went wrong.",
        )


def refuse_other_format(content: Content, reader: str) -> None:
    """Raise an error if a file that its name calls text is in another well-known format.

    Raises
    ------
    InvalidInputError
        ``wrong_format``, naming what it is.
    """
    if reader in ("parquet", "arrow"):
        return
    head = content.head()
    for magic, what, hint in _OTHER_FORMATS:
        if head.startswith(magic):
            raise InvalidInputError(
                f"{content.name} is {what}, not {reader if reader == 'text' else reader.upper()}.",
                code="wrong_format",
                field="format",
                hint=hint,
            )
