"""Pages of a dataset's samples, filtered by text and length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split, on_forget, open_split, split_names
from mistudio_ext.store.fulltext import Index
from mistudio_ext.store.marks import Marks, Tokenize
from mistudio_ext.store.query import Node, parse
from mistudio_ext.store.tokens import Tokenization, open_tokenization

#: Samples that one page may have.
MAX_LIMIT = 1000

#: Batches that are scanned in one go, because a pattern is compiled anew for each.
_SCAN_BATCHES = 128

Indices = npt.NDArray[np.int64]

_NONE: Indices = np.zeros(0, np.int64)


def page(
    dataset: Path,
    split: str | None,
    text_column: str | None,
    offset: int = 0,
    limit: int = 50,
    *,
    q: str | None = None,
    min_tokens: int | None = None,
    max_tokens: int | None = None,
    tokenization: Path | None = None,
    columns: Sequence[str] = (),
    token_ids: Sequence[int] | None = None,
    tokenize: Tokenize | None = None,
) -> dict[str, Any]:
    """Return one page of samples.

    Parameters
    ----------
    dataset
        ``datasets/<id>``.
    split
        One split, or None for all of them, one after the other.
    text_column
        Column with the text; None for a dataset of token ids.
    offset, limit
        Which of the samples that pass the filters.
    q
        Only samples that match, in the language of :mod:`mistudio_ext.store.query`. The
        full-text index is used for the rows that it has, the others are scanned.
    min_tokens, max_tokens
        Only samples with so many tokens; they need ``tokenization``, or a
        dataset of token ids.
    tokenization
        Folder of a tokenization of the split that ``n_tokens`` is taken from.
    columns
        Further columns to return with each sample.
    token_ids
        Only samples in which this sequence of token ids stands, by ``tokenization``.
    tokenize
        Gives token ids and spans of a text, to mark the tokens that were looked for.

    Returns
    -------
    dict
        ``{"total", "offset", "samples": [{"index", "split", "text", "n_tokens",
        "highlights", "token_spans"?, "turns"?, "columns"?}], "searched": {"token_ids",
        "complete", "indexed", "n_rows"}}``. ``highlights`` are ``[start, end]`` in
        Unicode code points of ``text``, ``token_spans`` in tokens of the row.
        ``complete`` says whether all rows are in the full-text index; the others are read.
    """
    if offset < 0 or not 0 <= limit <= MAX_LIMIT:
        raise InvalidInputError(
            f"A page cannot start at {offset} and have {limit} samples.",
            code="bad_page",
            field="limit" if offset >= 0 else "offset",
            hint=f"offset is at least 0, limit from 0 to {MAX_LIMIT}.",
        )
    names = [split] if split is not None else split_names(dataset)
    lengths = _Lengths(dataset, text_column, tokenization)
    if (min_tokens is not None or max_tokens is not None) and not lengths.known:
        raise InvalidInputError(
            "Token counts are not known before the dataset is tokenised.",
            code="not_tokenized",
            field="min_tokens" if min_tokens is not None else "max_tokens",
            hint="Tokenise the dataset and choose that tokenization.",
        )
    total, wanted, skip = 0, limit, offset
    indexed = n_rows = 0
    samples: list[dict[str, Any]] = []
    column = cols.IDS_NAME if text_column is None else text_column
    query = parse(q) if q and q.strip() else None
    marks = Marks(query, token_ids, tokenize)
    within = None if token_ids is None else _rows_with(tokenization, token_ids)
    for name in names:
        opened = open_split(dataset, name)
        opened.require(column)
        bounds = (min_tokens, max_tokens)
        found = _Found(opened, column, query, lengths.of(name, opened), bounds, within)
        total += found.count
        indexed += found.indexed
        n_rows += opened.n_rows
        if wanted and skip < found.count:
            indices = found.page(skip, wanted)
            samples += _samples(opened, name, indices, column, columns, lengths, marks)
            wanted -= len(indices)
        skip = max(0, skip - found.count)
    searched = {
        "token_ids": None if token_ids is None else list(token_ids),
        "complete": indexed == n_rows or query is None,
        "indexed": indexed,
        "n_rows": n_rows,
    }
    return {"total": total, "offset": offset, "samples": samples, "searched": searched}


def _rows_with(tokenization: Path | None, token_ids: Sequence[int]) -> Indices:
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


class _Lengths:
    """Tokens per row of a split, where they are known."""

    def __init__(self, dataset: Path, text_column: str | None, folder: Path | None) -> None:
        self._ids = text_column is None
        self._tokens: Tokenization | None = None if folder is None else open_tokenization(folder)
        self.known = self._ids or self._tokens is not None

    def of(self, split: str, opened: Split) -> Indices | None:
        if self._tokens is not None and self._tokens.manifest["dataset"]["split"] == split:
            lengths = self._tokens.row_lengths
            padded = np.zeros(opened.n_rows, np.int64)
            padded[: len(lengths)] = lengths[: opened.n_rows]
            return padded
        return _id_lengths(opened) if self._ids else None


@lru_cache(maxsize=8)
def _id_lengths(opened: Split) -> Indices:
    import pyarrow.compute as pc

    lengths = (
        pc.list_value_length(batch.column(0)).to_pylist()
        for _, batch in opened.iter_batches([cols.IDS_NAME])
    )
    return np.fromiter((n or 0 for part in lengths for n in part), np.int64, opened.n_rows)


class _Found:
    """The rows of a split that pass the filters, fetched no further than needed."""

    def __init__(
        self,
        opened: Split,
        column: str,
        query: Node | None,
        lengths: Indices | None,
        bounds: tuple[int | None, int | None],
        within: Indices | None,
    ) -> None:
        self._rows: Indices | None = None
        self._index: Index | None = None
        self._query = query
        bounded = bounds != (None, None)
        index = None if query is None else Index.open(opened.folder, column)
        #: Rows that the full-text index has.
        self.indexed = 0 if index is None else index.n_rows
        if query is None and not bounded and within is None:
            self.count = opened.n_rows
        elif query and index and index.n_rows == opened.n_rows and not bounded and within is None:
            self._index = index
            self.count = index.count(query)
        else:
            self._rows = None if query is None else _matching(opened, column, query, index)
            if within is not None:
                rows = self._rows
                self._rows = within if rows is None else np.intersect1d(rows, within, True)
            if bounded:
                self._rows = _bounded(self._rows, opened.n_rows, lengths, *bounds)
            self.count = opened.n_rows if self._rows is None else len(self._rows)

    def page(self, offset: int, limit: int) -> list[int]:
        """Return some of the rows, in order."""
        if self._index is not None and self._query is not None:
            return self._index.page(self._query, offset, limit)
        if self._rows is not None:
            return [int(row) for row in self._rows[offset : offset + limit]]
        return list(range(offset, min(offset + limit, self.count)))


def _bounded(
    rows: Indices | None,
    n_rows: int,
    lengths: Indices | None,
    min_tokens: int | None,
    max_tokens: int | None,
) -> Indices:
    if lengths is None:
        return _NONE
    passing = np.ones(n_rows, bool)
    if min_tokens is not None:
        passing &= lengths >= min_tokens
    if max_tokens is not None:
        passing &= lengths <= max_tokens
    return np.flatnonzero(passing) if rows is None else rows[passing[rows]]


def _matching(opened: Split, column: str, query: Node, index: Index | None) -> Indices:
    """Return the rows that match: from the index as far as it goes, then by reading them."""
    indexed = 0 if index is None else index.n_rows
    scanned = _scan(opened, column, query, indexed)
    return scanned if index is None else np.concatenate([index.all(query), scanned])


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
            values = enumerate(batch.column(0).to_pylist(), first)
            matches = [i for i, value in values if query.found_in(cols.as_text(value))]
            found.append(np.array(matches, np.int64))
    return np.concatenate(found) if found else _NONE


def _samples(
    opened: Split,
    name: str,
    indices: list[int],
    column: str,
    extra: Sequence[str],
    lengths: _Lengths,
    marks: Marks,
) -> list[dict[str, Any]]:
    counts = lengths.of(name, opened)
    samples: list[dict[str, Any]] = []
    wanted = [column, *(item for item in extra if item != column)]
    for index, row in zip(indices, opened.take(indices, wanted), strict=True):
        text = cols.as_text(row[column])
        sample: dict[str, Any] = {
            "index": index,
            "split": name,
            "text": text,
            "n_tokens": None if counts is None else int(counts[index]),
            **marks.of(text, row[column]),
        }
        if not isinstance(row[column], str) and (chat := cols.turns(row[column])):
            sample["turns"] = chat
        if extra:
            sample["columns"] = {item: cols.as_json(row[item]) for item in extra}
        samples.append(sample)
    return samples


on_forget += [_scan.cache_clear, _id_lengths.cache_clear, _token_rows.cache_clear]
