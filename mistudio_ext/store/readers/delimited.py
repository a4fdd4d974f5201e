"""Delimited values (CSV, TSV): exact, and fast where that is the same.

Blocks in which every value that a quotation mark opens is closed are read by ``pyarrow.csv``, as
texts. Where a block has anything else (another number of values in a row, marks that do not
balance, bytes that are not in the encoding), ``quoting.Records`` reads that part of it row by row.
Both give the same rows; see ``docs/decisions/reading-files.md``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content
from mistudio_ext.store.readers.delimited_settings import settle
from mistudio_ext.store.readers.encoding import (
    MARK,
    count_lines,
    fix_encoding,
    line_blocks,
    not_in,
    repaired,
    text_of,
)
from mistudio_ext.store.readers.numbers import (
    ColumnTypes,
    as_said,
    is_said,
)
from mistudio_ext.store.readers.quoting import (
    LONGEST_ROW,
    Records,
    Row,
    plain_quote_bytes,
)
from mistudio_ext.store.readers.row_bounds import end_of_rows
from mistudio_ext.store.readers.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["settle", "tables"]


#: Bytes that the exact reader takes, where more are not needed.
_EXACT_BYTES = 64 << 10


def tables(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[pa.Table]:
    """Yield the rows as tables of one block each; columns of numbers are int64 or float64."""
    types = ColumnTypes(settings.types)
    for table in Blocks(content, settings, bad_rows).tables():
        if table.num_rows:
            if bad_rows.note is None and settings.quoting == "standard":
                bad_rows.note = _swallowed(table, settings.delimiter or ",")
            yield types.typed(table)


class Blocks:
    """Reads a file block by block."""

    def __init__(self, content: Content, settings: Settings, bad_rows: BadRows) -> None:
        self._content = content
        self._encoding = settings.encoding or "utf-8"
        self._delimiter = settings.delimiter or ","
        self._quoting = settings.quoting or "standard"
        self._names = list(settings.names or ())
        self._types = {k: v for k, v in settings.types.items() if v != "text"}
        self._bad_rows = bad_rows
        self._skip = settings.skip_lines
        self._in_header = bool(settings.header)
        bad_rows.hint = fix_encoding(settings.looks_like)
        bad_rows.looks_like = settings.looks_like

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows as tables of text."""
        if not self._names:
            return
        carried, begin = b"", 1
        for number, lines, last in self._line_blocks():
            begin, block = (begin, carried + lines) if carried else (number, lines)
            block = plain_quote_bytes(block, self._quoting)
            if self._skip or self._in_header:
                begin, block = self._after_header(begin, block)
            carried, begin = yield from self._read(begin, block, last)

    def _read(
        self, begin: int, block: bytes, last: bool
    ) -> Generator[pa.Table, None, tuple[bytes, int]]:
        """Yield the whole rows of a block; return what is left, if any, and its line number."""
        end = self.end_of_rows(block)
        if end is not None and not (last and end < len(block)):
            if end == len(block):
                yield from self._fast(begin, block)
                return b"", begin
            whole = block[:end]
            if whole:
                yield from self._fast(begin, whole)
            return block[end:], begin + count_lines(whole)
        half = block.rfind(b"\n", 0, len(block) // 2) + 1
        if len(block) > _EXACT_BYTES and half:
            # Only a part of the block has to be read the slow way.
            rest, at = yield from self._read(begin, block[:half], False)
            if not rest:
                at = begin + count_lines(block[:half])
            if len(rest) < half:
                return (yield from self._read(at, rest + block[half:], last))
        records = self._records(begin, block, last)
        yield self._exact(records)
        return _encoded(records.rest), records.rest_line

    def _line_blocks(self) -> Iterator[tuple[int, bytes, bool]]:
        """Yield number of the first line, whole lines, and whether the file ends with them."""
        waiting: tuple[int, bytes] | None = None
        for block in line_blocks(self._content, self._encoding, self._bad_rows):
            if waiting is not None:
                yield *waiting, False
            waiting = block
        if waiting is not None:
            yield *waiting, not self._content.is_cut()

    def _after_header(self, number: int, block: bytes) -> tuple[int, bytes]:
        """Return the block without the lines before the first row."""
        while self._skip and block:
            line = _FIRST_LINE.match(block)
            block = block[line.end() :] if line else b""
            number, self._skip = number + 1, self._skip - 1
        if not self._in_header:
            return number, block
        records = self._records(number, block, True)
        header = next(iter(records), None)
        if header is None:
            return number, b""
        self._in_header = False
        if any(MARK in cell for cell in header.cells):
            self._bad_rows.found(header.line, not_in(self._encoding))
        end = 0
        for line in islice(_LINES.finditer(block), records.consumed):
            end = line.end()
        return number + records.consumed, block[end:]

    def _records(self, number: int, block: bytes, last: bool) -> Records:
        return Records(text_of(block), number, self._delimiter, self._quoting, last)

    def end_of_rows(self, block: bytes) -> int | None:
        """Return how many bytes are whole rows; None if that takes the exact reader."""
        if not self._delimiter.isascii():
            return None
        if self._quoting == "none":
            return len(block)
        end = end_of_rows(block, self._delimiter)
        return None if end == 0 and len(block) > LONGEST_ROW else end

    def _fast(self, number: int, block: bytes) -> Iterator[pa.Table]:
        """Yield the rows of a block in which each value that is opened is closed."""
        import pyarrow as pa
        from pyarrow import csv

        if block.startswith(codecs.BOM_UTF8):
            block = codecs.BOM_UTF8 + block  # Arrow removes one, here it is the text's own.
        try:
            table = csv.read_csv(
                pa.BufferReader(block),
                csv.ReadOptions(
                    use_threads=False, block_size=len(block) + 1, column_names=self._names
                ),
                csv.ParseOptions(
                    delimiter=self._delimiter,
                    quote_char=False if self._quoting == "none" else '"',
                    newlines_in_values=b'"' in block,
                ),
                csv.ConvertOptions(
                    column_types={name: pa.string() for name in self._names},
                    strings_can_be_null=False,
                ),
            )
            for name, kind in self._types.items():
                as_said(table.column(name), kind)
        except ValueError:
            # Another number of values, or bytes that are not in the encoding.
            half = self.end_of_rows(block[: block.rfind(b"\n", 0, len(block) // 2) + 1])
            if len(block) > _EXACT_BYTES and half:
                yield from self._fast(number, block[:half])
                yield from self._fast(number + count_lines(block[:half]), block[half:])
            else:
                yield self._exact(self._records(number, block, True))
        else:
            yield table

    def _exact(self, records: Records) -> pa.Table:
        """Return the rows that the exact reader finds; broken ones as chosen."""
        import pyarrow as pa

        rows = [cells for row in records if (cells := self._checked(row)) is not None]
        columns = list(zip(*rows, strict=True)) or [()] * len(self._names)
        return pa.table([pa.array(column, pa.string()) for column in columns], names=self._names)

    def _checked(self, row: Row) -> list[str] | None:
        fault = row.fault or self._fault(row.cells)
        if fault is None:
            return row.cells
        return self._fitted(row.cells) if self._bad_rows.found(row.line, fault) else None

    def _fault(self, cells: list[str]) -> str | None:
        if any(MARK in cell for cell in cells):
            return not_in(self._encoding)
        if len(cells) != len(self._names):
            return _wrong_number(cells, len(self._names))
        for name, kind in self._types.items():
            cell = cells[self._names.index(name)]
            if not is_said(cell, kind):
                return f"{_short(cell)} in column '{name}' is not {_A_NUMBER[kind]}"
        return None

    def _fitted(self, cells: list[str]) -> list[str]:
        """Return the row with so many values as there are columns, all of them readable."""
        width = len(self._names)
        cells = [repaired(cell) for cell in cells]
        if len(cells) > width:
            cells = [*cells[: width - 1], self._delimiter.join(cells[width - 1 :])]
        cells += [""] * (width - len(cells))
        for name, kind in self._types.items():
            at = self._names.index(name)
            cells[at] = cells[at] if is_said(cells[at], kind) else ""
        return cells


def _swallowed(table: pa.Table, delimiter: str) -> str | None:
    """Return a note if a value in quotation marks has lines that look like rows.

    Commas are too common in texts to tell.
    """
    import pyarrow.compute as pc

    if delimiter == "," or table.num_columns < 2:
        return None
    for column in table.columns:
        for cell in column.filter(pc.match_substring(column, "\n")).slice(0, 100).to_pylist():
            for line in cell.split("\n")[1:]:
                if line.count(delimiter) == table.num_columns - 1:
                    return (
                        f"a value in quotation marks has lines that look like rows "
                        f"({_short(line)}); if marks are text in this file, choose quoting none"
                    )
    return None


_FIRST_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_A_NUMBER = {"integer": "a whole number", "number": "a number"}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _wrong_number(cells: Sequence[str], width: int) -> str:
    values = f"{len(cells)} value{'s' if len(cells) != 1 else ''} instead of {width}"
    if len(cells) == width + 1 and not cells[-1]:
        return f"{values}, because the line ends with a delimiter"
    return values


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:39] + "…")
