"""Columns of numbers among values that are written as text.

A column becomes numbers only where writing each number back gives the text that was read, so
nothing is lost: ``007``, ``1e5``, ``NA`` and integers beyond 64 bits keep the column a text. An
empty cell is null among numbers and an empty text among texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

#: What a person can say about a column.
TYPES = ("text", "integer", "number")

_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
_DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-][0-9]{2,3})?$"

#: What a person writes for a number, if they say that the column has numbers.
_SAID = {
    "integer": r"^\s*[+-]?[0-9]+\s*$",
    "number": r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$",
}
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in _SAID.items()}

#: Cells that are tried before a whole column is.
_TRIED = 8


class NotNumbersError(ValueError):
    """A column that a person calls numbers holds something else."""


class ColumnTypes:
    """Turns tables of text into tables with numbers, one after the other.

    Each table is typed by the rows up to there. A column that turns out to be text later is
    widened by who writes the tables; its numbers become the very texts that they were.

    Parameters
    ----------
    said
        Column -> ``text``, ``integer`` or ``number``.
    """

    def __init__(self, said: Mapping[str, str]) -> None:
        self._said = said
        self._found: dict[str, str | None] = {}

    def typed(self, table: pa.Table) -> pa.Table:
        """Return the table with its columns of numbers as int64 and float64."""
        import pyarrow as pa

        columns = [self._column(name, table.column(i)) for i, name in enumerate(table.schema.names)]
        return pa.table(columns, names=table.schema.names)

    def _column(self, name: str, column: pa.ChunkedArray) -> Any:
        import pyarrow as pa

        said = self._said.get(name)
        if said is not None:
            return column if said == "text" else as_said(column, said)
        known = self._found.setdefault(name, None)
        if known == "text":
            return column
        for kind, convert in (("integer", _integers), ("number", _decimals)):
            if known in (None, kind) and (numbers := convert(column)) is not None:
                if numbers.null_count < len(numbers):
                    self._found[name] = kind
                elif known is None:
                    return pa.nulls(len(column))
                return numbers
        self._found[name] = "text"
        return column


def as_said(column: pa.ChunkedArray, kind: str) -> Any:
    """Return a column that a person calls ``integer`` or ``number``.

    Raises
    ------
    NotNumbersError
        If a cell is neither empty nor such a number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = _without_empty(pc.utf8_trim_whitespace(column))
    if not _all(pc.match_substring_regex(filled, _SAID[kind])):
        raise NotNumbersError
    bare = pc.replace_substring_regex(filled, r"^\+", "")
    try:
        return bare.cast(pa.int64() if kind == "integer" else pa.float64())
    except pa.ArrowInvalid as error:
        raise NotNumbersError from error


def is_said(cell: str, kind: str) -> bool:
    """Return whether :func:`as_said` takes a cell."""
    if not cell.strip():
        return True
    if not _PATTERNS[kind].match(cell):
        return False
    return kind == "number" or -(2**63) <= int(cell) < 2**63


def as_text(column: Any) -> Any:
    """Return numbers as the texts that they were read from, nulls as empty texts."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_floating(column.type):
        column = pa.array(
            [None if value is None else repr(value) for value in column.to_pylist()], pa.string()
        )
    elif not t.is_string(column.type):
        column = column.cast(pa.string())
    return pc.fill_null(column, "")


def without_null_types(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which columns that are empty throughout hold texts."""
    import pyarrow as pa
    import pyarrow.types as t

    fields = [(f.name, pa.string() if t.is_null(f.type) else f.type) for f in schema]
    return pa.schema(fields)


def _integers(column: pa.ChunkedArray) -> Any:
    """Return the column as int64 if each cell is how that number is written, else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _first_match(column, _INTEGER):
        return None
    filled = _without_empty(column)
    try:
        numbers = filled.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if _all(pc.equal(numbers.cast(pa.string()), filled)) else None


def _decimals(column: pa.ChunkedArray) -> Any:
    """Return the column as float64 if each cell is how Python writes that number, else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _first_match(column, _DECIMAL):
        return None
    filled = _without_empty(column)
    try:
        numbers = filled.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow writes the same digits as Python, without .0 and with other bounds for exponents.
    written = numbers.cast(pa.string())
    size = pc.abs(numbers)
    sure = pc.and_(
        pc.equal(written, filled), pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e15))
    )
    if _all(sure):
        return numbers if not _any_whole(filled) else None
    unsure = pc.or_(pc.invert(sure), pc.invert(pc.match_substring(filled, ".")))
    unsure = pc.fill_null(unsure, False)
    pairs = zip(filled.filter(unsure).to_pylist(), numbers.filter(unsure).to_pylist(), strict=True)
    wanted = re.compile(_DECIMAL)
    return numbers if all(repr(n) == text and wanted.match(text) for text, n in pairs) else None


def _any_whole(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return not _all(pc.match_substring(column, "."))


def _without_empty(column: pa.ChunkedArray) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.min(pc.binary_length(column)).as_py():
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _all(found: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(found, min_count=0).as_py())


def _first_match(column: pa.ChunkedArray, pattern: str) -> bool:
    """Return whether the first cells fit, which rules out most columns of text at once."""
    wanted = re.compile(pattern)
    first: Sequence[str] = column.slice(0, _TRIED).to_pylist()
    return all(not cell or wanted.match(cell) is not None for cell in first)
