"""Readers of data files: what is looked at before an import and the import are the same code.

Each format is a module with two functions:

``settle(content, settings) -> ReadAs``
    Finds out, on the beginning of the file, what the user did not say.
``tables(content, settings, bad_rows) -> Iterator[pyarrow.Table]``
    Yields the rows as tables of about 1,000 rows, in bounded memory. ``settings`` are those of
    ``settle``. Each broken row goes to ``bad_rows``; nothing else decides what is broken.

``datasets/detect`` shows the first table of :meth:`Content.beginning`; the import writes all
tables of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from mistudio_ext.store.readers import columnar, delimited, json_file, plain
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content
from mistudio_ext.store.readers.settings import ReadAs, Settings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BadRows", "Content", "ReadAs", "Reader", "Settings", "reader_of"]


class Reader(Protocol):
    """What a module for a format offers."""

    def settle(self, content: Content, settings: Settings) -> ReadAs:
        """Find out what the user did not say."""

    def tables(self, content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[pa.Table]:
        """Yield the rows."""


#: Format -> the module that reads it.
_READERS: dict[str, ModuleType] = {
    "arrow": columnar,
    "csv": delimited,
    "json": json_file,
    "parquet": columnar,
    "text": plain,
}


def reader_of(form: str) -> Reader:
    """Return the reader of a format: ``csv``, ``json``, ``text``, ``parquet``, ``arrow``."""
    return cast("Reader", _READERS[form])
