"""Cut rows into contexts without a Python loop over rows: ``truncate`` and ``chunk``.

Gives what :class:`mistudio_ext.store.contexts.Cutter` gives for rows that take the
tokenizer's own special tokens; a test compares the two. Packing, chats and ready ids
are left to the cutter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.integer[Any]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """How a row is cut.

    Attributes
    ----------
    first, later, suffix
        Special tokens before the first and the later contexts of a row, and after each.
    context
        Longest context, special tokens included.
    overlap
        Tokens that a context repeats from the one before; None keeps the first context only.
    min_tokens
        Contexts with fewer tokens are left out.
    """

    first: tuple[int, ...]
    later: tuple[int, ...]
    suffix: tuple[int, ...]
    context: int
    overlap: int | None
    min_tokens: int


@dataclass(frozen=True)
class Cut:
    """Finished contexts, as :class:`~mistudio_ext.store.contexts.Block` names them."""

    tokens: Ids
    lengths: Ints
    rows: Ints
    starts: Ints
    empty: int
    short: int

    def head(self, n: int) -> Cut:
        """Return the first ``n`` contexts."""
        end = int(self.lengths[:n].sum())
        return replace(
            self,
            tokens=self.tokens[:end],
            lengths=self.lengths[:n],
            rows=self.rows[:n],
            starts=self.starts[:n],
        )


def cut(plan: Plan, flat: Ids, sizes: Ints, rows: Ints) -> Cut:
    """Cut rows whose token ids lie one after the other.

    Parameters
    ----------
    plan
        How.
    flat
        Token ids of all rows.
    sizes, rows
        Token ids and dataset row of each row, [n_rows].
    """
    row, start, n_ids = _pieces(plan, sizes)
    later = start > 0
    heads = np.where(later, len(plan.later), len(plan.first))
    lengths = heads + n_ids + len(plan.suffix)
    keep = lengths >= plan.min_tokens
    short = int(len(keep) - keep.sum())
    row, start, n_ids, later = row[keep], start[keep], n_ids[keep], later[keep]
    heads, lengths = heads[keep], lengths[keep]
    begins = np.cumsum(lengths) - lengths
    tokens = np.empty(int(lengths.sum()), flat.dtype)
    source = (np.cumsum(sizes) - sizes)[row] + start
    within = np.arange(int(n_ids.sum())) - np.repeat(np.cumsum(n_ids) - n_ids, n_ids)
    tokens[np.repeat(begins + heads, n_ids) + within] = flat[np.repeat(source, n_ids) + within]
    for which, head in ((~later, plan.first), (later, plan.later)):
        for i, token in enumerate(head):
            tokens[begins[which] + i] = token
    for i, token in enumerate(plan.suffix):
        tokens[begins + heads + n_ids + i] = token
    return Cut(tokens, lengths, rows[row], start, int((sizes == 0).sum()), short)


def _pieces(plan: Plan, sizes: Ints) -> tuple[Ints, Ints, Ints]:
    """Return for each context: index of its row, its first token in the row, and its tokens."""
    room = plan.context - len(plan.first) - len(plan.suffix)
    filled = np.flatnonzero(sizes)
    if plan.overlap is None:
        n_ids = np.minimum(sizes[filled], room)
        return filled, np.zeros(len(filled), np.int64), n_ids
    room_later = plan.context - len(plan.later) - len(plan.suffix)
    second, step = room - plan.overlap, room_later - plan.overlap
    left = sizes[filled] - room_later - second
    n_later = np.where(sizes[filled] <= room, 0, 1 + np.maximum(0, -(-left // step)))
    counts = 1 + n_later
    row = np.repeat(filled, counts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.where(number == 0, 0, second + (number - 1) * step)
    n_ids = np.minimum(np.where(number == 0, room, room_later), sizes[row] - start)
    return row, start, n_ids
