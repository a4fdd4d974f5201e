"""JSON Lines: each line is an object, and a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content
from mistudio_ext.store.readers.encoding import line_blocks, split_lines, text_of
from mistudio_ext.store.readers.json_rows import Block, Document, RowTables

if TYPE_CHECKING:
    import pyarrow as pa

_SPACE = " \t\r\n"


def line_tables(
    content: Content, encoding: str, bad_rows: BadRows, text_column: str | None
) -> Iterator[pa.Table]:
    """Yield the rows of a file of lines."""
    rows = RowTables(encoding, bad_rows, text_column)
    for number, raw in line_blocks(content, encoding, bad_rows):
        yield from rows.tables(_block(number, raw))


def _block(number: int, raw: bytes) -> Block:
    def documents() -> Iterator[Document]:
        for at, line in enumerate(split_lines(text_of(raw)), number):
            if line.strip(_SPACE):
                yield at, line

    return Block(raw, None, documents)
