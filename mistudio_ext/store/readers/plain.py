"""Plain text: a line is a row, or a paragraph or the whole file where a dataset card says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content
from mistudio_ext.store.readers.encoding import (
    MARK,
    find_encoding,
    fix_encoding,
    line_blocks,
    not_in,
    repaired,
    split_lines,
    spoken,
    text_of,
)
from mistudio_ext.store.readers.settings import ReadAs, Settings

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a table.
BATCH_ROWS = 1000


def settle(content: Content, settings: Settings) -> ReadAs:
    """Find the encoding, if it is not said."""
    found = find_encoding(content.head())
    encoding = settings.encoding or found.name
    return ReadAs(
        replace(
            settings,
            encoding=encoding,
            looks_like=found.looks_like if settings.encoding is None else None,
        ),
        options={"format": "text", "encoding": encoding},
        said=("text", spoken(encoding)),
        warnings=("it is not UTF-8 and was read as windows-1252",)
        if settings.encoding is None and encoding == "cp1252"
        else (),
    )


def tables(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[pa.Table]:
    """Yield the lines as tables with one column, ``text``."""
    import pyarrow as pa

    for rows in _rows(content, settings, bad_rows):
        for first in range(0, len(rows), BATCH_ROWS):
            yield pa.table({"text": pa.array(rows[first : first + BATCH_ROWS], pa.string())})


def _rows(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[list[str]]:
    sample_by = settings.extra.get("sample_by", "line")
    blocks = _lines(content, settings, bad_rows)
    if sample_by == "line":
        yield from blocks
    elif sample_by == "paragraph":
        yield from _paragraphs(blocks)
    else:
        yield ["\n".join(line for block in blocks for line in block)]


def _paragraphs(blocks: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield lines joined up to each empty line."""
    open_lines: list[str] = []
    for block in blocks:
        found = []
        for line in block:
            if line:
                open_lines.append(line)
            elif open_lines:
                found.append("\n".join(open_lines))
                open_lines = []
        yield found
    if open_lines:
        yield ["\n".join(open_lines)]


def _lines(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[list[str]]:
    encoding = settings.encoding or "utf-8"
    bad_rows.hint = fix_encoding(settings.looks_like)
    bad_rows.looks_like = settings.looks_like
    for number, block in line_blocks(content, encoding, bad_rows):
        text = text_of(block)
        rows = split_lines(text)
        if MARK in text:
            rows = [
                repaired(row)
                for at, row in enumerate(rows, number)
                if MARK not in row or bad_rows.found(at, not_in(encoding))
            ]
        yield rows
