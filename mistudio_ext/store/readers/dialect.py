"""How delimited values are written: delimiter, quotation marks, header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.readers.names import each_once
from mistudio_ext.store.readers.quoting import Records, Row, plain_quotes

DELIMITERS = (",", "\t", ";", "|")

#: Rows that are looked at.
_ROWS = 1000

_SEP_LINE = re.compile(r'^"?sep=(.)"?(?:\r\n|\n|\r)', re.IGNORECASE)
_NUMBER = re.compile(r"^\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*$", re.ASCII)

#: Names that a header often has and a row seldom.
_KNOWN = {*cols.TEXT_NAMES, *cols.CHAT_NAMES, "id", "label", "title", "name", "index"}

_SPOKEN = {"\t": "tab", ",": "','", ";": "';'", "|": "'|'"}


@dataclass(frozen=True)
class Dialect:
    """How delimited values are written.

    Parameters
    ----------
    delimiter, quoting
        As in :class:`~mistudio_ext.store.readers.settings.Settings`.
    rows
        The first rows read so, with the header.
    share
        Share of the rows that have as many values as the first.
    """

    delimiter: str
    quoting: str
    rows: Sequence[Row]
    share: float

    @property
    def width(self) -> int:
        """Number of values in the first row."""
        return len(self.rows[0].cells) if self.rows else 0


def sep_line(text: str) -> str | None:
    """Return the delimiter that a first line ``sep=;`` names, as spreadsheets write it."""
    found = _SEP_LINE.match(text)
    return found.group(1) if found else None


def find(
    text: str,
    first: int,
    *,
    whole: bool,
    delimiters: Sequence[str],
    quotings: Sequence[str],
) -> list[Dialect]:
    """Return the dialects that fit some text, best first.

    Parameters
    ----------
    text
        The beginning of the file, whole lines.
    first
        Number of its first line.
    whole
        Whether it is all of the file.
    delimiters, quotings
        What to choose from; those before win where others are not better.
    """
    found = [_best_quoting(text, first, mark, quotings, whole) for mark in delimiters]
    return sorted(found, key=lambda each: each.width < 2 or -each.share)


def _best_quoting(
    text: str, first: int, delimiter: str, quotings: Sequence[str], whole: bool
) -> Dialect:
    best = _read(text, first, delimiter, quotings[0], whole)
    for quoting in quotings[1:]:
        if not any(row.fault for row in best.rows):
            break
        if quoting == "backslash" and '\\"' not in text:
            continue
        other = _read(text, first, delimiter, quoting, whole)
        if other.share > best.share and (quoting != "none" or _are_text(other.rows)):
            best = other
    return best


def _read(text: str, first: int, delimiter: str, quoting: str, whole: bool) -> Dialect:
    records = Records(plain_quotes(text, quoting), first, delimiter, quoting, whole)
    rows = list(islice(records, _ROWS))
    alike = sum(not row.fault and len(row.cells) == len(rows[0].cells) for row in rows[1:])
    return Dialect(delimiter, quoting, rows, alike / max(len(rows) - 1, 1))


def _are_text(rows: Iterable[Row]) -> bool:
    """Return whether quotation marks at the beginning of values seldom enclose them."""
    enclosing = opening = 0
    for row in rows:
        for cell in row.cells:
            if cell.startswith('"'):
                closed = len(cell) > 1 and cell.endswith('"')
                enclosing, opening = enclosing + closed, opening + (not closed)
    return opening >= enclosing


def doubt(found: Sequence[Dialect], name: str) -> InvalidInputError | None:
    """Return an error if two delimiters fit equally well."""
    if len(found) < 2 or min(each.width for each in found[:2]) < 2:
        return None
    first, second = found[:2]
    if first.share > second.share or len(first.rows) < 2:
        return None
    marks = " or ".join(_SPOKEN.get(each.delimiter, each.delimiter) for each in found[:2])
    return InvalidInputError(
        f"The delimiter of {name} is unclear: it looks like {marks}.",
        code="delimiter_unclear",
        field="delimiter",
        hint="Name the delimiter.",
        remedies=[
            {
                "label": f"Use {spoken_delimiter(each.delimiter)}",
                "change": {"options": {"delimiter": each.delimiter}},
            }
            for each in found[:2]
        ],
    )


def has_header(rows: Sequence[Row]) -> bool:
    """Return whether the first row names the columns: the rule, unless it is surely data.

    It is data if one of its numbers goes on in the rows below: the same number again, or the
    next one.
    """
    if len(rows) < 2:
        return True
    first = [cell.strip() for cell in rows[0].cells]
    if any(not cell or cell.lower() in _KNOWN for cell in first):
        return True
    numbers = [(i, cell) for i, cell in enumerate(first) if _NUMBER.match(cell)]
    if not numbers or _counts_up([cell for _, cell in numbers]):
        return True
    below = [row.cells for row in rows[1:] if not row.fault and len(row.cells) == len(first)]
    return not any(_goes_on(cell, [cells[i].strip() for cells in below]) for i, cell in numbers)


def _counts_up(cells: Sequence[str]) -> bool:
    """Return whether cells are 0, 1, 2 or 2019, 2020: names of columns, not values."""
    if len(cells) < 2 or not all(cell.isdecimal() for cell in cells):
        return False
    values = [int(cell) for cell in cells]
    return values == list(range(values[0], values[0] + len(values)))


def _goes_on(cell: str, below: Sequence[str]) -> bool:
    below = [each for each in below if each]
    if not below or not all(_NUMBER.match(each) for each in below):
        return False
    follows = cell.isdecimal() and below[0].isdecimal() and int(below[0]) == int(cell) + 1
    return follows or cell in below or any(mark in cell for mark in ".,")


def column_names(cells: Sequence[str]) -> tuple[list[str], bool]:
    """Return names of the columns, each once, and whether the first is an unnamed index."""
    is_index = len(cells) > 1 and not cells[0].strip() and all(c.strip() for c in cells[1:])
    names = [cell if cell.strip() else f"column_{i}" for i, cell in enumerate(cells)]
    if is_index:
        names[0] = "index"
    return each_once(names), is_index


def spoken_delimiter(mark: str) -> str:
    """Return a delimiter in words."""
    return _SPOKEN.get(mark, repr(mark))
