"""The rows of a split that pass the filters, fetched and counted no further than needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from time import monotonic

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split, on_forget
from mistudio_ext.store.cells import cells
from mistudio_ext.store.fulltext import Index
from mistudio_ext.store.query import Node
from mistudio_ext.store.tokens import open_tokenization

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Batches that are scanned in one go, because a pattern is compiled anew for each.
_SCAN_BATCHES = 128

_NONE: Indices = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Filters:
    """What rows have to be like; None lets everything through.

    Attributes
    ----------
    query
        Words.
    min_tokens, max_tokens
        Bounds of the length in tokens.
    within
        The rows in which a sequence of tokens stands.
    where
        ``(column, value)``: rows whose cells have these values.
    """

    query: Node | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    within: Indices | None = None
    where: tuple[tuple[str, str], ...] = ()

    def mask(self, opened: Split, lengths: Indices | None) -> Mask | None:
        """Return which rows pass all filters but the words, bool [n_rows]; None if all do."""
        n_rows = opened.n_rows
        bounded = (self.min_tokens, self.max_tokens) != (None, None)
        if not bounded and self.within is None and not self.where:
            return None
        passing = np.ones(n_rows, bool)
        if bounded and lengths is None:
            passing[:] = False
        elif lengths is not None:
            if self.min_tokens is not None:
                passing &= lengths >= self.min_tokens
            if self.max_tokens is not None:
                passing &= lengths <= self.max_tokens
        if self.within is not None:
            holds = np.zeros(n_rows, bool)
            holds[self.within[self.within < n_rows]] = True
            passing &= holds
        for column, value in self.where:
            passing &= _equal(opened, column, value)
        return passing


@dataclass(frozen=True)
class Found:
    """Some of the rows, in order, and how many there are; at least so many if not ``exact``."""

    rows: list[int]
    total: int
    exact: bool = True


class Matches:
    """The rows of one split that pass the filters.

    Attributes
    ----------
    indexed
        Rows that the full-text index has; the others are read.
    """

    def __init__(
        self, opened: Split, column: str, filters: Filters, lengths: Indices | None
    ) -> None:
        self._opened = opened
        self._column = column
        self._query = filters.query
        self._mask = filters.mask(opened, lengths)
        self._index = None if filters.query is None else Index.open(opened.folder, column)
        self.indexed = 0 if self._index is None else self._index.n_rows

    def page(self, offset: int, limit: int, deadline: float) -> Found:
        """Return rows of the page, counting the others until the deadline.

        Parameters
        ----------
        offset, limit
            Which of the rows.
        deadline
            When to be content with a lower bound, in seconds of :func:`time.monotonic`. It
            is never waited for, and does not shorten the page.
        """
        if self._query is None and self._mask is None:
            n_rows = self._opened.n_rows
            return Found(list(range(min(offset, n_rows), min(offset + limit, n_rows))), n_rows)
        whole = self._mask is None and self.indexed == self._opened.n_rows
        if whole and self._query is not None and self._index is not None:
            return self._from_index(self._index, self._query, offset, limit, deadline)
        return self._from_parts(offset, limit, deadline)

    def _from_index(
        self, index: Index, query: Node, offset: int, limit: int, deadline: float
    ) -> Found:
        rows = index.page(query, offset, limit) if limit else []
        if len(rows) < limit and (rows or not offset):
            return Found(rows, offset + len(rows))
        if limit and not rows:
            # The next split's page begins where this one's rows end.
            return Found(rows, *index.count(query))
        total, exact = index.count(query, deadline)
        return Found(rows, max(total, offset + len(rows)), exact)

    def _from_parts(self, offset: int, limit: int, deadline: float) -> Found:
        found: list[Indices] = []
        total, needed, exact = 0, offset + limit, True
        for rows in self._parts():
            if total >= needed and monotonic() > deadline:
                exact = False
                break
            passing = rows if self._mask is None else rows[self._mask[rows]]
            found.append(passing)
            total += len(passing)
        every = np.concatenate([_NONE, *found])
        return Found([int(row) for row in every[offset:needed]], total, exact)

    def _parts(self) -> Iterator[Indices]:
        """Yield the rows with the words: from the index as far as it goes, then by reading."""
        if self._query is None:
            yield np.arange(self._opened.n_rows)
            return
        if self._index is not None:
            yield from self._index.parts(self._query)
        if self.indexed < self._opened.n_rows:
            yield _scan(self._opened, self._column, self._query, self.indexed)


@lru_cache(maxsize=32)
def _scan(opened: Split, column: str, query: Node, start: int) -> Indices:
    import pyarrow as pa

    found: list[Indices] = []
    batches = opened.iter_batches([column], start)
    if cols.kind(opened.schema.field(column).type) == "text":
        while group := list(islice(batches, _SCAN_BATCHES)):
            texts = pa.chunked_array([batch.column(0) for _, batch in group])
            found.append(np.flatnonzero(query.mask(texts)) + group[0][0])
    else:
        for first, batch in batches:
            values = enumerate(cells(batch.column(0)), first)
            matches = [i for i, value in values if query.found_in(cols.as_text(value))]
            found.append(np.array(matches, np.int64))
    return np.concatenate(found) if found else _NONE


@lru_cache(maxsize=16)
def _equal(opened: Split, column: str, value: str) -> Mask:
    """Return which cells of a column have a value, bool [n_rows]."""
    import pyarrow as pa
    import pyarrow.compute as pc

    dtype = opened.schema.field(opened.require(column)).type
    parts = [np.zeros(0, bool)]
    try:
        wanted = pa.scalar(value).cast(dtype)
        for _, batch in opened.iter_batches([column]):
            hits = pc.fill_null(pc.equal(batch.column(0), wanted), False).cast(pa.uint8())
            parts.append(np.frombuffer(hits.buffers()[1], bool, len(hits)))
    except (ValueError, OverflowError, pa.ArrowNotImplementedError) as error:
        raise InvalidInputError(
            f"The column '{column}' cannot be compared with '{value}': it holds {dtype}.",
            code="bad_filter",
            field="where",
            hint="Filter columns of texts, numbers, dates or true and false.",
        ) from error
    return np.concatenate(parts)


def rows_with(tokenization: Path | None, token_ids: Sequence[int]) -> Indices:
    """Return the dataset rows in which a sequence of token ids stands."""
    if tokenization is None:
        raise InvalidInputError(
            "Tokens are looked for in a tokenization.",
            code="not_tokenized",
            field="tokenization",
            hint="Tokenise the dataset and choose that tokenization.",
        )
    opened = open_tokenization(tokenization)
    return _token_rows(tokenization, opened.created_ns, tuple(token_ids))


@lru_cache(maxsize=32)
def _token_rows(folder: Path, created_ns: int, token_ids: tuple[int, ...]) -> Indices:
    """Look a sequence up; kept, because each further page needs it again."""
    opened = open_tokenization(folder)
    assert opened.created_ns == created_ns
    return opened.rows_of(opened.find(token_ids))


def forget() -> None:
    """Forget what was found by reading."""
    _scan.cache_clear()
    _equal.cache_clear()
    _token_rows.cache_clear()


on_forget.append(forget)
