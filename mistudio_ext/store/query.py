"""The language of the search box: words, "phrases", prefix*, AND, OR, NOT, parentheses.

A query is read once, and can then be put to an FTS5 index, to an Arrow column,
or to one text (to mark the matches). All three take the same things for words:
runs of letters, digits and marks, whatever the case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

Mask = npt.NDArray[np.bool_]

#: Unicode categories that words are made of, for FTS5's ``unicode61`` tokenizer.
WORD_CATEGORIES = "L* N* Mn Mc Co"

_WORD_CLASS = r"\pL\pN\p{Mn}\p{Mc}\p{Co}"
_LEXER = re.compile(r'"(?P<phrase>[^"]*)"?(?P<star>\*?)|(?P<mark>[()])|(?P<word>[^\s()"]+)')


@dataclass(frozen=True)
class Term:
    """Words that stand one after the other; the last may be only a beginning."""

    words: tuple[str, ...]
    prefix: bool = False

    def to_fts(self) -> str:
        """Return it in the language of FTS5."""
        return '"' + " ".join(self.words) + '"' + (" *" if self.prefix else "")

    def mask(self, texts: pa.ChunkedArray) -> Mask:
        """Return which texts match, bool [n_texts]."""
        import pyarrow.compute as pc

        gap = f"[^{_WORD_CLASS}]"
        pattern = f"(?:^|{gap})" + f"{gap}+".join(self.words)
        pattern += "" if self.prefix else f"(?:{gap}|$)"
        # Most texts are ruled out by their longest word, which is five times faster to look for.
        longest = max(self.words, key=len)
        near = pc.indices_nonzero(pc.match_substring(texts, longest, ignore_case=True))
        matches = pc.match_substring_regex(texts.take(near), pattern, ignore_case=True)
        mask = np.zeros(len(texts), bool)
        mask[_positions(near)[_positions(pc.indices_nonzero(matches))]] = True
        return mask

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where it stands in a text."""
        pattern, at = _pattern(self.words), 0
        while found := pattern.search(text, at):
            start, end = found.span()
            at = start + 1
            if start and _in_word(text[start - 1]):
                continue
            if self.prefix:
                while end < len(text) and _in_word(text[end]):
                    end += 1
            elif end < len(text) and _in_word(text[end]):
                continue
            yield start, end
            at = end

    def found_in(self, text: str) -> bool:
        """Return whether a text matches."""
        return next(self.spans(text), None) is not None


@dataclass(frozen=True)
class Both:
    """``left AND right``, ``left OR right`` or ``left NOT right``."""

    operator: str
    left: Node
    right: Node

    def to_fts(self) -> str:
        """Return it in the language of FTS5."""
        return f"({self.left.to_fts()} {self.operator} {self.right.to_fts()})"

    def mask(self, texts: pa.ChunkedArray) -> Mask:
        """Return which texts match, bool [n_texts]."""
        left, right = self.left.mask(texts), self.right.mask(texts)
        if self.operator == "OR":
            return left | right
        return left & (right if self.operator == "AND" else ~right)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the wanted words stand in a text."""
        yield from self.left.spans(text)
        if self.operator != "NOT":
            yield from self.right.spans(text)

    def found_in(self, text: str) -> bool:
        """Return whether a text matches."""
        left = self.left.found_in(text)
        if self.operator == "OR":
            return left or self.right.found_in(text)
        return left and self.right.found_in(text) == (self.operator == "AND")


Node = Term | Both


def highlights(query: Node, text: str) -> list[list[int]]:
    """Return ``[start, end]`` of all matches in code points, in order, without overlap."""
    return merged(query.spans(text))


def merged(spans: Iterable[Sequence[int]]) -> list[list[int]]:
    """Return spans in order, those that touch put together."""
    found: list[list[int]] = []
    for start, end in sorted(map(tuple, spans)):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found


@lru_cache(maxsize=256)
def parse(text: str) -> Node:
    """Read a query.

    Raises
    ------
    InvalidInputError
        ``bad_query``, saying what cannot be understood.
    """
    parser = _Parser(text)
    query = parser.any_of()
    if parser.peek():
        raise _bad(text, "a parenthesis is closed that was not opened")
    return query


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as the index sees them."""
    spaced = "".join(c if _in_word(c) else " " for c in text)
    return tuple(spaced.split())


def _in_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" or category in ("Mn", "Mc", "Co")


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"[\W_]+".join(map(re.escape, words)), re.IGNORECASE)


def _positions(indices: pa.Array) -> npt.NDArray[np.uint64]:
    """Return an Arrow array of indices for NumPy; pyarrow would import pandas for it."""
    return np.frombuffer(indices.buffers()[1], np.uint64, len(indices))


def _bad(text: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"'{text}' cannot be searched for: {why}.",
        code="bad_query",
        field="q",
        hint='Write words, "phrases", begin*, AND, OR, NOT and parentheses.',
    )


class _Parser:
    """Recursive descent over ``or := and (OR and)*``, ``and := item ((AND | NOT)? item)*``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_LEXER.finditer(text))
        self._at = 0

    def peek(self) -> str:
        """Return the next operator or parenthesis, ``term`` for a term, "" at the end."""
        if self._at >= len(self._tokens):
            return ""
        found = self._tokens[self._at]
        if found["mark"] or found["word"] in ("AND", "OR", "NOT"):
            return found["mark"] or found["word"]
        return "term"

    def any_of(self) -> Node:
        """Read alternatives."""
        left = self.all_of()
        while self.peek() == "OR":
            self._at += 1
            left = Both("OR", left, self.all_of())
        return left

    def all_of(self) -> Node:
        """Read what must all be there, and what must not."""
        wanted: Node | None = None
        unwanted: list[Node] = []
        while (token := self.peek()) and token not in ("OR", ")"):
            if token in ("AND", "NOT"):
                self._at += 1
                if self.peek() == "NOT" and token == "AND":
                    token = "NOT"
                    self._at += 1
            item, negative = self.item()
            if item is None:
                continue
            if negative or token == "NOT":
                unwanted.append(item)
            else:
                wanted = item if wanted is None else Both("AND", wanted, item)
        if wanted is None:
            raise _bad(self._text, "there is no word to look for")
        for item in unwanted:
            wanted = Both("NOT", wanted, item)
        return wanted

    def item(self) -> tuple[Node | None, bool]:
        """Read a term or a parenthesis; None for punctuation alone."""
        if self.peek() == "(":
            self._at += 1
            inside = self.any_of()
            if self.peek() != ")":
                raise _bad(self._text, "a parenthesis is not closed")
            self._at += 1
            return inside, False
        if self.peek() != "term":
            raise _bad(self._text, "a word is missing beside AND, OR or NOT")
        found = self._tokens[self._at]
        self._at += 1
        raw = found["word"] if found["word"] is not None else found["phrase"]
        negative = found["word"] is not None and raw.startswith("-") and len(raw) > 1
        words = words_of(raw)
        prefix = bool(found["star"]) or (found["word"] is not None and raw.endswith("*"))
        return (Term(words, prefix) if words else None), negative
