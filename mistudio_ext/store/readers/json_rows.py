"""Rows of JSON as Arrow tables, in which every value is what the file says.

Each block of documents is read by Arrow's reader where that is certain to give the same, and by
Python's ``json`` otherwise, as is each block in which something is broken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.encoding import MARK, not_in, repaired
from mistudio_ext.store.readers.json_quick import read_quickly
from mistudio_ext.store.readers.json_shapes import Shape, column_of, joined, shape_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a table.
BATCH_ROWS = 1000

#: Deepest nesting of a row. Python reads some more, but what is shown or written of it needs
#: several calls a level, and has other calls below it.
_DEEPEST = 200

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")

#: ``(line where it begins, source of one document)``
Document = tuple[int, str]


@dataclass(frozen=True)
class Block:
    """Some whole documents of JSON.

    Parameters
    ----------
    raw
        Their source in UTF-8, as far as it is UTF-8; None if Arrow's reader cannot take it.
    count
        How many there are, None if a line may hold any number of them.
    documents
        Gives them one by one, with :data:`MARK` for bytes that are not in the encoding.
    """

    raw: bytes | None
    count: int | None
    documents: Callable[[], Iterator[Document]]


class RowTables:
    """Makes tables of blocks of documents, each an object that is a row.

    Parameters
    ----------
    encoding
        Of the file, for messages.
    bad_rows
        Told about each broken row.
    text_column
        Where the source of a document goes that is kept although it is no object.
    """

    def __init__(self, encoding: str, bad_rows: BadRows, text_column: str | None = None) -> None:
        self._encoding = encoding
        self._bad_rows = bad_rows
        self._text_column = text_column
        self._shapes: dict[str, Shape] = {}
        self._repeated: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=_finite, parse_int=_whole
        )

    def tables(self, block: Block) -> Iterator[pa.Table]:
        """Yield the rows of a block in tables of at most 1,000."""
        table = None
        if block.raw is not None:
            quick = read_quickly(block.raw, block.count, self._shapes)
            if quick is not None:
                table, self._shapes = quick
        if table is None:
            table = self._exact(block)
        for first in range(0, table.num_rows, BATCH_ROWS):
            yield table.slice(first, BATCH_ROWS)

    def _exact(self, block: Block) -> pa.Table:
        import pyarrow as pa

        rows = [row for document in block.documents() for row in self._rows(*document)]
        names = dict.fromkeys([*self._shapes, *(name for row in rows for name in row)])
        columns = {name: [row.get(name) for row in rows] for name in names}
        for name, values in columns.items():
            self._shapes[name] = joined(self._shapes.get(name, "null"), shape_of(values))
        return pa.table({name: column_of(v, self._shapes[name]) for name, v in columns.items()})

    def _rows(self, line: int, source: str) -> list[dict[str, Any]]:
        """Return the row of a document, or of each if several stand in one line."""
        sources = _cut(source) if "}{" in source or "} {" in source else [source]
        rows = [self._row(line, each) for each in sources]
        return [row for row in rows if row is not None]

    def _row(self, line: int, source: str) -> dict[str, Any] | None:
        """Return the row of a document; None if it is broken and left out."""
        whole = repaired(source)
        reason = not_in(self._encoding) if MARK in source else None
        row = None
        try:
            self._repeated.clear()
            value = self._decoder.decode(whole)
        except RecursionError:
            reason = "its values are nested too deeply"
        except ValueError as error:
            reason = reason or _said(error)
        else:
            if not isinstance(value, dict):
                reason = "it is no JSON object"
            elif _is_deep(whole, value):
                reason = "its values are nested too deeply"
            else:
                row = value
        if row is not None and self._repeated:
            reason = reason or f"the key '{self._repeated[0]}' stands in it twice"
        if row is not None and _HALF_PAIR.search(whole) and _has_half(row):
            reason = reason or "it has half of a surrogate pair, which is no character"
            row = _without_halves(row)
        if reason is not None and not self._bad_rows.found(line, reason):
            return None
        return {self._column(): whole} if row is None else dict(row)

    def _column(self) -> str:
        """Return the column that takes documents that are no objects."""
        if self._text_column is None:
            texts = (name for name, shape in self._shapes.items() if shape in ("str", "text"))
            self._text_column = next(texts, "text")
        return self._text_column

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self._repeated.append(next(name for name in names if names.count(name) > 1))
        return found


#: Finds where a document ends. Numbers stay text, as Python refuses to read very long ones.
FIND_END = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def _cut(line: str) -> list[str]:
    """Return the documents of a line, if it has several and nothing else; else the line."""
    found = []
    at = 0
    try:
        while at < len(line):
            _, end = FIND_END(line, at)
            found.append(line[at:end])
            at = len(line) - len(line[end:].lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        return [line]
    return found


def _is_deep(source: str, value: Any) -> bool:
    """Return whether a document is nested too deeply to be shown and written."""
    if source.count("[") + source.count("{") <= _DEEPEST:
        return False
    level = [value]
    for _ in range(_DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _whole(text: str) -> int:
    if len(text) > 4000:
        raise ValueError(f"the number {text[:40]}… is too large")
    return int(text)


def _said(error: ValueError) -> str:
    """Return what is wrong with a document."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos + 1}"
    return str(error)


def _has_half(value: Any) -> bool:
    """Return whether a text has half of a surrogate pair."""
    if isinstance(value, str):
        return _HALF.search(value) is not None
    if isinstance(value, dict):
        return any(_has_half(key) or _has_half(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_half, value))


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list) else value


def rows_of(documents: Sequence[Document]) -> Block:
    """Return documents that were cut out of a larger one as a block."""
    sources = [source for _, source in documents]
    joined_up = "\n".join(sources)
    raw = None if MARK in joined_up else joined_up.encode()
    return Block(raw, len(documents), lambda: iter(documents))
