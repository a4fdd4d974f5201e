"""Guess how plain text was written: its encoding, its delimiter, its header."""

from __future__ import annotations

import codecs
import csv

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = (",", "\t", ";", "|")


def decode(head: bytes) -> tuple[str, str]:
    """Return the text and its encoding."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return codecs.getincrementaldecoder(encoding)("replace").decode(head), encoding
    for encoding in ("utf-8", "cp1252"):
        try:
            return codecs.getincrementaldecoder(encoding)().decode(head), encoding
        except UnicodeDecodeError:
            continue
    return head.decode("latin-1"), "latin-1"


def text_encoding(name: str) -> str:
    """Return Python's name of an encoding.

    Raises
    ------
    InvalidInputError
        ``bad_option`` if there is none, or what has the name does not encode text.
    """
    try:
        "".encode(name)
        # Some encode text but cannot be read piece by piece, or not past a mistake (idna).
        codecs.getincrementaldecoder(name)("replace").decode(b"a")
        return codecs.lookup(name).name
    except (LookupError, TypeError, ValueError):
        raise InvalidInputError(
            f"There is no encoding called '{name}'.",
            code="bad_option",
            field="encoding",
            hint="Choose utf-8, utf-16, cp1252, latin-1 or another that Python knows.",
        ) from None


def one_delimiter(mark: str) -> str:
    """Return a delimiter as it is.

    Raises
    ------
    InvalidInputError
        ``bad_option`` if it cannot be one.
    """
    if not isinstance(mark, str) or len(mark) != 1 or mark in '\r\n"':
        raise InvalidInputError(
            f"{mark!r} cannot be a delimiter.",
            code="bad_option",
            field="delimiter",
            hint="A delimiter is one character, no quotation mark and no end of a line.",
        )
    return mark


def find_delimiter(text: str) -> tuple[str, int]:
    """Return the delimiter that cuts the first lines alike, and the number of columns."""
    best = (",", 1, 0.0)
    lines = whole_lines(text)
    for mark in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines[:200], delimiter=mark) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows]
        if not widths:
            continue
        width = max(set(widths), key=widths.count)
        alike = widths.count(width) / len(widths)
        if width > 1 and (alike, width) > (best[2], best[1]):
            best = (mark, width, alike)
    return best[0], best[1]


def whole_lines(text: str) -> list[str]:
    """Return the lines of a text that may end in the middle of one."""
    lines = text.splitlines(keepends=True)
    return lines[:-1] if len(lines) > 1 and not lines[-1].endswith(("\n", "\r")) else lines


def is_header(first: list[str], rest: list[list[str]]) -> bool:
    """Return whether the first row looks like names: short, different, no numbers, not repeated."""
    if any(not cell.strip() or is_number(cell) or len(cell) > 80 for cell in first):
        return False
    if len(set(first)) < len(first):
        return False
    longest = max((len(cell) for row in rest for cell in row), default=0)
    return any(cell.strip().lower() in _KNOWN for cell in first) or longest > 2 * max(
        map(len, first)
    )


_KNOWN = {*cols.TEXT_NAMES, *cols.CHAT_NAMES, "id", "label", "title", "name", "n", "index"}


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
