"""The language of the search box: words, "phrases", prefix*, AND, OR, NOT, parentheses.

A query is read once, and can then be put to an FTS5 index, to an Arrow column,
or to one text (to mark the matches). All three read texts and queries as words in the
same way, that of :mod:`mistudio_ext.store.search.words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.search.words import PlacedWords, shown, spaced, words_of

if TYPE_CHECKING:
    import pyarrow as pa

Mask = npt.NDArray[np.bool_]

#: Characters and words (repeated terms aside) that a query may have, and depth of parentheses.
MAX_CHARS, MAX_WORDS, MAX_DEPTH = 10_000, 1_000, 20

_LEXER = re.compile(
    r'"(?P<phrase>[^"]*)"?(?P<star>\*?)'
    r"|(?P<mark>[()])"
    # What is written to a word belongs to it: foo_bar(), f(x).
    r'|(?P<word>(?!(?:AND|OR|NOT)\()[^\s()"]+(?:\([^\s()"]*\)[^\s()"]*)*|[^\s()"]+)'
)

#: Characters beyond ASCII that end words in any text; those of English typography.
_PUNCTUATION = r"\x{2010}-\x{2027}\x{2030}-\x{205E}\x{20A0}-\x{20C0}"


class _Query:
    """What all parts of a query can do."""

    def mask(self, texts: pa.ChunkedArray) -> Mask:
        """Return which texts match, bool [n_texts]."""
        near = np.flatnonzero(self.near(_Texts(texts)))
        mask = np.zeros(len(texts), bool)
        mask[near] = [self.matches(_canonical(t or "")) for t in _take(texts, near).to_pylist()]
        return mask

    def found_in(self, text: str) -> bool:
        """Return whether a text matches."""
        return self.matches(_canonical(text))

    def near(self, texts: _Texts) -> Mask:
        """Return which texts may match, told without reading them as words."""
        raise NotImplementedError

    def matches(self, canonical: str) -> bool:
        """Return whether a text matches, given as its words with one blank around each."""
        raise NotImplementedError


@dataclass(frozen=True)
class Term(_Query):
    """Words that stand one after the other; the last may be only a beginning."""

    words: tuple[str, ...]
    prefix: bool = False

    def to_fts(self) -> str:
        """Return it in the language of FTS5."""
        return '"' + " ".join(self.words) + '"' + (" *" if self.prefix else "")

    def read(self) -> str:
        """Return it as a person would write it."""
        text = shown(self.words)
        star = "*" if self.prefix else ""
        quoted = " " in text or text in ("and", "or", "not")
        return f'"{text}"{star}' if quoted else text + star

    def near(self, texts: _Texts) -> Mask:
        """Return the texts with its longest word, and those that may write it another way."""
        # Ruling texts out is five times faster than reading them.
        plain = [word for word in self.words if word.isascii()]
        return texts.holding(max(plain, key=len)) if plain else texts.beyond_ascii

    def matches(self, canonical: str) -> bool:
        """Return whether the words stand in a text."""
        return f" {' '.join(self.words)}{'' if self.prefix else ' '}" in canonical

    def spans(self, text: PlacedWords) -> Iterator[tuple[int, int]]:
        """Yield where it stands in a text."""
        pattern, words, at = _pattern(self.words, self.prefix), text.words, 0
        while found := pattern.search(words, at):
            start, end = found.span()
            inside = start and words[start - 1] != " "
            at = start + 1 if inside else end
            if not inside:
                yield text.span(start, end)


@dataclass(frozen=True)
class AllOf(_Query):
    """``a AND b NOT c``: all of the wanted, none of the unwanted."""

    wanted: tuple[Node, ...]
    unwanted: tuple[Node, ...] = ()

    def to_fts(self) -> str:
        """Return it in the language of FTS5."""
        wanted = "(" + " AND ".join(item.to_fts() for item in self.wanted) + ")"
        if not self.unwanted:
            return wanted
        return f"({wanted} NOT (" + " OR ".join(item.to_fts() for item in self.unwanted) + "))"

    def read(self) -> str:
        """Return it as a person would write it."""
        wanted = " AND ".join(_nested(item) for item in self.wanted)
        return wanted + "".join(f" NOT {_nested(item)}" for item in self.unwanted)

    def near(self, texts: _Texts) -> Mask:
        """Return the texts that may have all of the wanted."""
        found: Mask = np.logical_and.reduce([item.near(texts) for item in self.wanted])
        return found

    def matches(self, canonical: str) -> bool:
        """Return whether a text has all of the wanted, and none of the unwanted."""
        return all(item.matches(canonical) for item in self.wanted) and not any(
            item.matches(canonical) for item in self.unwanted
        )

    def spans(self, text: PlacedWords) -> Iterator[tuple[int, int]]:
        """Yield where the wanted words stand in a text."""
        for item in self.wanted:
            yield from item.spans(text)


@dataclass(frozen=True)
class AnyOf(_Query):
    """``a OR b``."""

    items: tuple[Node, ...]

    def to_fts(self) -> str:
        """Return it in the language of FTS5."""
        return "(" + " OR ".join(item.to_fts() for item in self.items) + ")"

    def read(self) -> str:
        """Return it as a person would write it."""
        return " OR ".join(_nested(item) for item in self.items)

    def near(self, texts: _Texts) -> Mask:
        """Return the texts that may have one of the items."""
        found: Mask = np.logical_or.reduce([item.near(texts) for item in self.items])
        return found

    def matches(self, canonical: str) -> bool:
        """Return whether a text has one of the items."""
        return any(item.matches(canonical) for item in self.items)

    def spans(self, text: PlacedWords) -> Iterator[tuple[int, int]]:
        """Yield where the items stand in a text."""
        for item in self.items:
            yield from item.spans(text)


Node = Term | AllOf | AnyOf


class _Texts:
    """An Arrow column that is looked through for several words."""

    def __init__(self, texts: pa.ChunkedArray) -> None:
        self._texts = texts
        self._beyond: Mask | None = None

    @property
    def beyond_ascii(self) -> Mask:
        """Which texts have letters that may be folded."""
        import pyarrow.compute as pc

        if self._beyond is None:
            self._beyond = ~_as_mask(pc.string_is_ascii(self._texts))
            some = np.flatnonzero(self._beyond)
            if len(some):
                pattern = f"[^\\x00-\\x7F{_PUNCTUATION}]"
                letters = pc.match_substring_regex(_take(self._texts, some), pattern)
                self._beyond[some] = _as_mask(letters)
        return self._beyond

    def holding(self, word: str) -> Mask:
        """Return which texts have a word, whatever the case, or letters that may be folded."""
        import pyarrow.compute as pc

        found = pc.match_substring(self._texts, word, ignore_case=True)
        return _as_mask(found) | self.beyond_ascii


def highlights(query: Node, text: str) -> list[list[int]]:
    """Return ``[start, end]`` of all matches in code points, in order, without overlap."""
    return merged(query.spans(PlacedWords(text)))


def merged(spans: Iterable[Sequence[int]]) -> list[list[int]]:
    """Return spans in order, those that touch put together."""
    found: list[list[int]] = []
    for start, end in sorted(map(tuple, spans)):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found


def parse(text: str) -> Node:
    """Read a query.

    Raises
    ------
    InvalidInputError
        ``bad_query``, saying what cannot be understood, or ``query_too_long``.
    """
    if len(text) > MAX_CHARS:
        raise _too_long(f"has {len(text):,} characters; at most {MAX_CHARS:,} are read")
    return _parse(text)


@lru_cache(maxsize=256)
def _parse(text: str) -> Node:
    parser = _Parser(text)
    query = parser.any_of()
    if parser.peek():
        raise _bad(text, "a parenthesis is closed that was not opened")
    return query


def _canonical(text: str) -> str:
    return f" {' '.join(spaced(text).split())} "


@lru_cache(maxsize=MAX_WORDS)
def _pattern(words: tuple[str, ...], prefix: bool) -> re.Pattern[str]:
    tail = "[^ ]*" if prefix else "(?![^ ])"
    return re.compile(" +".join(map(re.escape, words)) + tail)


def _as_mask(values: pa.ChunkedArray) -> Mask:
    """Return Arrow's true, false and null for NumPy; pyarrow would import pandas for it."""
    import pyarrow.compute as pc

    indices = pc.indices_nonzero(values)
    mask = np.zeros(len(values), bool)
    mask[np.frombuffer(indices.buffers()[1], np.uint64, len(indices))] = True
    return mask


def _take(texts: pa.ChunkedArray, rows: npt.NDArray[np.intp]) -> pa.ChunkedArray:
    """Return some of the texts; pyarrow would import pandas for an array of NumPy."""
    import pyarrow as pa

    indices = np.asarray(rows, np.int64)
    buffers = [None, pa.py_buffer(indices)]
    return texts.take(pa.Array.from_buffers(pa.int64(), len(indices), buffers))


def _nested(item: Node) -> str:
    return item.read() if isinstance(item, Term) else f"({item.read()})"


def _different(items: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(dict.fromkeys(items))


def _bad(text: str, why: str) -> InvalidInputError:
    begin = text if len(text) <= 80 else f"{text[:80]}…"
    written = "".join(c if c.isprintable() else "\ufffd" for c in begin)
    return InvalidInputError(
        f"'{written}' cannot be searched for: {why}.",
        code="bad_query",
        field="q",
        hint='Write words, "phrases", begin*, AND, OR, NOT and parentheses.',
    )


def _too_long(what: str) -> InvalidInputError:
    return InvalidInputError(
        f"The query {what}.",
        code="query_too_long",
        field="q",
        hint="Search for a shorter part of the text; one sentence is enough to find it.",
    )


class _Parser:
    """Recursive descent over ``or := and (OR and)*``, ``and := item ((AND | NOT)? item)*``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_LEXER.finditer(text))
        self._at = self._depth = 0
        self._words: set[tuple[str, ...]] = set()

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
        items = [self.all_of()]
        while self.peek() == "OR":
            self._at += 1
            items.append(self.all_of())
        different = _different(items)
        return different[0] if len(different) == 1 else AnyOf(different)

    def all_of(self) -> Node:
        """Read what must all be there, and what must not."""
        wanted: list[Node] = []
        unwanted: list[Node] = []
        while (token := self.peek()) and token not in ("OR", ")"):
            if token in ("AND", "NOT"):
                self._at += 1
                if self.peek() == "NOT" and token == "AND":
                    token = "NOT"
                    self._at += 1
            item, negative = self.item()
            if item is not None:
                (unwanted if negative or token == "NOT" else wanted).append(item)
        if not wanted and self._depth and not self.peek():
            raise _bad(self._text, "a parenthesis is not closed")
        if not wanted:
            raise _bad(
                self._text,
                "it only says what must not be there" if unwanted else "there is no word in it",
            )
        if len(different := _different(wanted)) == 1 and not unwanted:
            return different[0]
        return AllOf(different, _different(unwanted))

    def item(self) -> tuple[Node | None, bool]:
        """Read a term or a parenthesis; None for punctuation alone."""
        if self.peek() == "(":
            return self._inside(), False
        if self.peek() != "term":
            raise _bad(self._text, "a word is missing beside AND, OR or NOT")
        found = self._tokens[self._at]
        self._at += 1
        raw = found["word"] if found["word"] is not None else found["phrase"]
        negative = found["word"] is not None and _excludes(raw)
        words = words_of(raw[1:] if negative else raw)
        prefix = bool(found["star"]) or (found["word"] is not None and raw.endswith("*"))
        self._words.add(words)
        if sum(map(len, self._words)) > MAX_WORDS:
            raise _too_long(f"has more than {MAX_WORDS:,} words")
        return (Term(words, prefix) if words else None), negative

    def _inside(self) -> Node:
        self._at += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _bad(self._text, f"its parentheses are more than {MAX_DEPTH} deep")
        inside = self.any_of()
        if self.peek() != ")":
            raise _bad(self._text, "a parenthesis is not closed")
        self._at += 1
        self._depth -= 1
        return inside


def _excludes(word: str) -> bool:
    """Return whether a word is ``-word``; ``-5`` is a number."""
    return len(word) > 1 and word[0] == "-" and words_of(word)[:1] != ("-",)
