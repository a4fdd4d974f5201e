"""Where rows end in a block of delimited values, found without reading the values."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

_MARK = ord('"')


def end_of_rows(block: bytes, delimiter: str) -> int | None:
    """Return how many bytes of a block are whole rows.

    A quotation mark at the beginning of a value opens it; the next one that is not doubled closes
    it, and a delimiter or the end of the line must follow. Marks elsewhere are text.

    Parameters
    ----------
    block
        Whole lines that begin a row.
    delimiter
        One ASCII character.

    Returns
    -------
    int or None
        None if a value is not closed as it should be.
    """
    if b'"' not in block:
        return len(block)
    data = np.frombuffer(block, np.uint8)
    marks = np.flatnonzero(data == _MARK)
    beside = np.zeros(256, bool)
    beside[[ord(delimiter), *b"\r\n"]] = True
    opens = beside[data[marks - 1]]
    opens[0] |= marks[0] == 0
    closes = beside[data[np.minimum(marks + 1, len(data) - 1)]]
    closes[-1] |= marks[-1] == len(data) - 1
    if _every_other(marks, opens, closes):
        return len(block) if len(marks) % 2 == 0 else _before_open(block, marks)
    return _walk(block, marks, opens, closes)


def _every_other(
    marks: npt.NDArray[np.intp], opens: npt.NDArray[np.bool_], closes: npt.NDArray[np.bool_]
) -> bool:
    """Return whether marks open and close in turn, doubled ones included."""
    beside_next = np.zeros(len(marks) + 1, bool)
    beside_next[1:-1] = np.diff(marks) == 1
    opening = opens | beside_next[:-1]
    closing = closes | beside_next[1:]
    return bool(opening[::2].all() and closing[1::2].all())


def _before_open(block: bytes, marks: npt.NDArray[np.intp]) -> int:
    """Return the end of the last line outside quotation marks, of which the last one opens."""
    for at in range(len(marks) - 1, -1, -2):
        begin = int(marks[at - 1]) + 1 if at else 0
        if found := _last_line_end(block, begin, int(marks[at])):
            return found
    return 0


def _walk(
    block: bytes,
    marks: npt.NDArray[np.intp],
    opens: npt.NDArray[np.bool_],
    closes: npt.NDArray[np.bool_],
) -> int | None:
    """Follow the values in quotation marks one by one."""
    openings = np.flatnonzero(opens).tolist()
    doubled = [*(np.diff(marks) == 1).tolist(), False]
    closing = closes.tolist()
    enclosed: list[int] = []
    at, n = 0, len(marks)
    while (place := bisect_left(openings, at)) < len(openings):
        first = openings[place]
        last = first + 1
        while last < n and doubled[last]:
            last += 2
        enclosed.append(int(marks[first]))
        if last >= n:
            return _before_open(block, np.array(enclosed))
        if not closing[last]:
            return None
        enclosed.append(int(marks[last]))
        at = last + 1
    return len(block)


def _last_line_end(block: bytes, begin: int, end: int) -> int:
    return max(block.rfind(b"\n", begin, end), block.rfind(b"\r", begin, end)) + 1
