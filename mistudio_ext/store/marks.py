"""Where a text matches what was looked for: words, and tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mistudio_ext.store.query import Node, highlights, merged

Span = tuple[int, int]

#: Gives the token ids of a text, and the span of each in code points.
Tokenize = Callable[[str], tuple[Sequence[int], Sequence[Span]]]


class Marks:
    """What is marked in a sample.

    Parameters
    ----------
    query
        Words that were looked for.
    token_ids
        Sequence of token ids that was looked for.
    tokenize
        Needed to find the tokens in a text; without it they are not marked.
    """

    def __init__(
        self, query: Node | None, token_ids: Sequence[int] | None, tokenize: Tokenize | None
    ) -> None:
        self._query = query
        self._ids = list(token_ids) if token_ids is not None else None
        self._tokenize = tokenize

    def of(self, text: str, value: Any) -> dict[str, Any]:
        """Return ``{"highlights", "token_spans"?}`` of one sample.

        Parameters
        ----------
        text
            As it is shown.
        value
            The cell: text, turns, or token ids.
        """
        spans = [] if self._query is None else [tuple(s) for s in highlights(self._query, text)]
        if self._ids is None:
            return {"highlights": merged(spans)}
        found, places = self._tokens(text, value)
        first_last = [(at, at + len(self._ids)) for at in _places(found, self._ids)]
        if places:
            spans += [(places[a][0], places[b - 1][1]) for a, b in first_last]
        return {"highlights": merged(spans), "token_spans": [list(pair) for pair in first_last]}

    def _tokens(self, text: str, value: Any) -> tuple[Sequence[int], Sequence[Span]]:
        if isinstance(value, list) and all(isinstance(item, int) for item in value):
            return value, _spans_of_numbers(value)
        return ((), ()) if self._tokenize is None else self._tokenize(text)


def _places(ids: Sequence[int], wanted: Sequence[int]) -> Iterator[int]:
    """Yield where a sequence of ids begins."""
    first, size = wanted[0], len(wanted)
    for at in range(len(ids) - size + 1):
        if ids[at] == first and list(ids[at : at + size]) == wanted:
            yield at


def _spans_of_numbers(ids: Sequence[int]) -> list[Span]:
    """Return where each id stands in the text of ids with a blank between."""
    spans, at = [], 0
    for token in ids:
        end = at + len(str(token))
        spans.append((at, end))
        at = end + 1
    return spans
