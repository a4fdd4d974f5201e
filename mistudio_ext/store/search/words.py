"""How a text is read as words, the same for an index, a scan, and the marks in a text.

Words are runs of letters and digits. Case, diacritics and the form of a character (composed,
full-width, ligature) make no difference. Scripts that are written without blanks (Chinese,
Japanese, Korean, Thai, …) have one word for each character, so that any part of a sentence
can be looked for. A minus before a number and the marks of ``C++`` and ``C#`` count, other
punctuation does not. An emoji is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]

#: Words that are punctuation elsewhere.
MARKS = ("-", "++", "#")

_MARK = re.compile(
    r"(?<![\w\-)\]])[-\u2212](?=\.?[0-9])"  # the sign of a number
    r"|(?<=[A-Za-z])(?:\+\+|#)(?![A-Za-z_+#])"  # C++, C#
)

#: Scripts without blanks between words, and Korean, whose particles are written to the word.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x1950, 0x19DF),
    (0x1A20, 0x1AAF), (0x1B00, 0x1B7F), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x303B),
    (0x3040, 0x318F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0xA4CF),
    (0xA960, 0xA9FF), (0xAA60, 0xAA7F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)  # fmt: skip

#: Marks that a person may leave out: accents, Hebrew and Arabic vowels, variation selectors.
_LEFT_OUT = (
    (0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670),
    (0x06D6, 0x06ED), (0x0730, 0x074A), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0xE0100, 0xE01EF),
)  # fmt: skip

#: Letters whose stroke or second half Unicode does not take apart; й is a letter of its own.
_LETTERS = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe",
    "ð": "d", "þ": "th", "й": "й", "\u0640": "",
}  # fmt: skip

#: Characters that may be put together with the one before by NFKC: marks, and halves of Korean
#: and Japanese characters.
_CONTINUES = "\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7ff\uff9e-\uffdc"


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(spaced(text).split())


def spaced(text: str) -> str:
    """Return a text's words with blanks between them, and nothing else."""
    if not text.isascii():
        text = _normal(text)
    if not _may_have_mark(text):
        return text.translate(_FOLDED)
    parts, at = [], 0
    for mark in _MARK.finditer(text):
        parts += [text[at : mark.start()].translate(_FOLDED), _mark(mark[0])]
        at = mark.end()
    parts.append(text[at:].translate(_FOLDED))
    return " ".join(parts)


class PlacedWords:
    """The words of a text with blanks between, and where each stands in the text as it is.

    Attributes
    ----------
    words
        As :func:`spaced` gives them.
    """

    def __init__(self, text: str) -> None:
        normal, self._starts, self._ends = _normal_with_places(text)
        self._pieces: list[str] = []
        self._moved = True
        if not _may_have_mark(normal):
            self.words = normal.translate(_FOLDED)
            self._moved = any(len(_FOLDED[ord(c)]) != 1 for c in set(normal))
        if self._moved:
            self._pieces = [_FOLDED[ord(c)] for c in normal]
            for mark in _MARK.finditer(normal):
                self._pieces[mark.start()] = f" {_mark(mark[0])} "
                self._pieces[mark.start() + 1 : mark.end()] = [""] * (len(mark[0]) - 1)
            self.words = "".join(self._pieces)

    @cached_property
    def _origin(self) -> Ints:
        """The character that each character of :attr:`words` comes from."""
        sizes = np.fromiter(map(len, self._pieces), np.int64, len(self._pieces))
        return np.repeat(np.arange(len(sizes)), sizes)

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Return start and end in the text, in code points, of a stretch of :attr:`words`."""
        start, last = first, end - 1
        if self._moved:
            start, last = int(self._origin[first]), int(self._origin[last])
        while last + 1 < len(self._pieces) and not self._pieces[last + 1]:
            last += 1  # an accent, or what else has no part in the word
        if self._starts:
            return self._starts[start], self._ends[last]
        return start, last + 1


def shown(words: tuple[str, ...]) -> str:
    """Return words as a person writes them."""
    written = ""
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        joined = before == "-" or word in MARKS[1:] or (is_unspaced(before) and is_unspaced(word))
        written += word if joined or not i else f" {word}"
    return written


def is_unspaced(word: str) -> bool:
    """Return whether a word is one character of a script without blanks."""
    return len(word) == 1 and _within(ord(word), _UNSPACED)


def _may_have_mark(text: str) -> bool:
    return "-" in text or "+" in text or "#" in text or "\u2212" in text


def _mark(found: str) -> str:
    return "-" if found == "\u2212" else found


def _normal(text: str) -> str:
    if unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", text)


def _normal_with_places(text: str) -> tuple[str, list[int], list[int]]:
    """Return a text in NFKC with start and end of each character; no places if nothing moved."""
    if text.isascii() or unicodedata.is_normalized("NFKC", text):
        return text, [], []
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for end in _bounds(text):
        part = unicodedata.normalize("NFKC", text[at:end])
        parts.append(part)
        starts += [at] * len(part)
        ends += [end] * len(part)
        at = end
    return "".join(parts), starts, ends


_continues = re.compile(f"[{_CONTINUES}]")


def _bounds(text: str) -> Iterator[int]:
    """Yield the ends of the shortest parts that NFKC changes independently."""
    for at in range(1, len(text)):
        c = text[at]
        if c < "\u0300" or not (unicodedata.category(c)[0] == "M" or _continues.match(c)):
            yield at
    yield len(text)


class _Folding(dict[int, str]):
    """What each character of a text in NFKC is in its words; a blank for what ends one."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _fold(chr(code))
        return found


_FOLDED = _Folding()


def _fold(character: str) -> str:
    folded = character.casefold()
    if folded not in _LETTERS:
        folded = unicodedata.normalize("NFD", folded)
        folded = "".join(c for c in folded if not _may_be_left_out(c))
        folded = unicodedata.normalize("NFC", folded)
    return "".join(map(_as_word, "".join(_LETTERS.get(c, c) for c in folded)))


def _may_be_left_out(character: str) -> bool:
    return unicodedata.category(character) == "Mn" and _within(ord(character), _LEFT_OUT)


def _as_word(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return " " if character == "\u200b" else ""
    if category == "Me":
        return ""
    if category[0] in "LN" or category in ("Mn", "Mc", "Co"):
        return f" {character} " if _within(ord(character), _UNSPACED) else character
    return f" {character} " if category == "So" else " "


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)
