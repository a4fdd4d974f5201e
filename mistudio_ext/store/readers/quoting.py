r"""Records of delimited values: one definition of a row, exact and slow.

``standard``: a value that begins with a quotation mark ends at the next one that is not doubled,
and a delimiter or the end of the line follows. ``backslash``: the same, and ``\"`` is a
quotation mark of the value. ``none``: quotation marks are text.

A row whose quotation marks do not fit these rules is broken. It ends with its first line, so that
it swallows no other row.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

QUOTINGS = ("standard", "backslash", "none")

#: What is wrong with a row whose quotation marks do not fit.
UNBALANCED = "its quotation marks do not balance"

#: Bytes of one row at most; a quotation mark that is open for longer was never closed.
LONGEST_ROW = 64 << 20

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_ESCAPED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
_ESCAPED_BYTES = re.compile(rb'(?<!\\)((?:\\\\)*)\\"')


@dataclass(frozen=True)
class Row:
    """One row.

    Parameters
    ----------
    line
        Number of its first line.
    cells
        Its values. Of a broken row, the values between its delimiters.
    fault
        What is wrong with it, None if nothing is.
    """

    line: int
    cells: list[str]
    fault: str | None = None


def plain_quotes(text: str, quoting: str) -> str:
    """Return the text with doubled quotation marks in place of escaped ones."""
    return _ESCAPED.sub(r'\1""', text) if quoting == "backslash" else text


def plain_quote_bytes(block: bytes, quoting: str) -> bytes:
    """Return the same of UTF-8."""
    return _ESCAPED_BYTES.sub(rb'\1""', block) if quoting == "backslash" else block


class Records:
    """The rows of some text, and what is left of it.

    Parameters
    ----------
    text
        Whole lines; of ``backslash`` after :func:`plain_quotes`.
    first
        Number of the first line.
    delimiter, quoting
        How it is written.
    last
        Whether the text is the end of the file, so that a value still open is broken.

    Attributes
    ----------
    rest : str
        After iteration, the lines of a row that goes on beyond the text.
    """

    def __init__(self, text: str, first: int, delimiter: str, quoting: str, last: bool) -> None:
        # The limit is of the whole process; a row is bounded here by LONGEST_ROW.
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        self._text = text
        self._first = first
        self._delimiter = delimiter
        self._quoted = quoting != "none"
        self._last = last
        #: Lines and characters that were read.
        self._at = _Place(0, 0)
        self.rest = ""

    @property
    def consumed(self) -> int:
        """Lines that the rows so far are made of."""
        return self._at.line

    @property
    def rest_line(self) -> int:
        """Number of the first line of ``rest``."""
        return self._first + self._at.line

    def __iter__(self) -> Iterator[Row]:
        while self._at.character < len(self._text):
            reader = self._reader()
            begin = self._at
            try:
                for cells in reader:
                    if cells:
                        yield Row(self._first + begin.line, cells)
                    begin = self._at
            except csv.Error as error:
                self._at = begin
                if self._ends_open(error):
                    self.rest = self._text[begin.character :]
                    return
                line = next(self._feed()).rstrip("\r\n")
                yield Row(self._first + begin.line, line.split(self._delimiter), UNBALANCED)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(
            self._feed(),
            delimiter=self._delimiter,
            quoting=csv.QUOTE_MINIMAL if self._quoted else csv.QUOTE_NONE,
            strict=True,
        )

    def _feed(self) -> Iterator[str]:
        for found in _LINE.finditer(self._text, self._at.character):
            self._at = _Place(self._at.line + 1, found.end())
            yield found.group()

    def _ends_open(self, error: csv.Error) -> bool:
        """Return whether a row may only be broken because the text ends here."""
        if self._last or "unexpected end" not in str(error):
            return False
        return len(self._text) - self._at.character <= LONGEST_ROW


class _Place(NamedTuple):
    line: int
    character: int
