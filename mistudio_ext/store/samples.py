"""Pages of a dataset's samples, filtered by text and length."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split, on_forget, open_split, split_names
from mistudio_ext.store.marks import Marks, Tokenize
from mistudio_ext.store.matches import Filters, Matches, rows_with
from mistudio_ext.store.measures import list_lengths
from mistudio_ext.store.query import parse
from mistudio_ext.store.tokens import Tokenization, open_tokenization
from mistudio_ext.store.turns import shown_turns

#: Samples that one page may have.
MAX_LIMIT = 1000

#: Seconds after which a quick page no longer waits for its matches to be counted.
QUICK_S = 0.02

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
    where: Sequence[tuple[str, str]] = (),
    quick: bool = False,
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
    where
        Only samples whose cells have these values: ``(column, value)``.
    quick
        Do not wait until all matches are counted: after :data:`QUICK_S` ``total`` is what
        was counted by then, and ``total_exact`` is false.

    Returns
    -------
    dict
        ``{"total", "total_exact", "offset", "samples": [{"index", "split", "text", "n_tokens",
        "highlights", "token_spans"?, "turns"?, "columns"?}], "searched": {"read_as",
        "token_ids", "complete", "indexed", "n_rows"}}``. ``highlights`` are ``[start, end]`` in
        Unicode code points of ``text``, ``token_spans`` in tokens of the row.
        ``read_as`` is the query as it was understood, None without one.
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
    column = cols.IDS_NAME if text_column is None else text_column
    query = parse(q) if q and q.strip() else None
    marks = Marks(query, token_ids, tokenize)
    filters = Filters(
        query,
        min_tokens,
        max_tokens,
        None if token_ids is None else rows_with(tokenization, token_ids),
        tuple(where),
    )
    deadline = time.monotonic() + QUICK_S if quick else math.inf
    total, exact, wanted, skip = 0, True, limit, offset
    indexed = n_rows = 0
    samples: list[dict[str, Any]] = []
    for name in names:
        opened = open_split(dataset, name)
        opened.require(column)
        counts = lengths.of(name, opened)
        matches = Matches(opened, column, filters, counts)
        found = matches.page(skip, wanted, deadline)
        total += found.total
        exact &= found.exact
        indexed += matches.indexed
        n_rows += opened.n_rows
        samples += _samples(opened, name, found.rows, column, columns, counts, marks)
        wanted -= len(found.rows)
        skip = max(0, skip - found.total) if wanted else 0
    searched = {
        "read_as": None if query is None else query.read(),
        "token_ids": None if token_ids is None else list(token_ids),
        "complete": indexed == n_rows or query is None,
        "indexed": indexed,
        "n_rows": n_rows,
    }
    return {
        "total": total,
        "total_exact": exact,
        "offset": offset,
        "samples": samples,
        "searched": searched,
    }


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
    batches = opened.iter_batches([cols.IDS_NAME])
    return np.concatenate([_NONE, *(list_lengths(batch.column(0)) for _, batch in batches)])


def _samples(
    opened: Split,
    name: str,
    indices: list[int],
    column: str,
    extra: Sequence[str],
    counts: Indices | None,
    marks: Marks,
) -> list[dict[str, Any]]:
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
        if not isinstance(row[column], str) and (chat := shown_turns(row[column])):
            sample["turns"] = cols.as_json(chat)
        if extra:
            sample["columns"] = {item: cols.as_json(row[item]) for item in extra}
        samples.append(sample)
    return samples


on_forget.append(_id_lengths.cache_clear)
