"""Flat token ids of a tokenization, memory-mapped."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store.search.token_sequences import Joints, Pieces

IntArray = npt.NDArray[np.integer[Any]]

#: Longest sequence of tokens that can be looked for.
MAX_WANTED = 10_000


class Tokenization:
    """Contexts of token ids, one after the other.

    A *sample* is one context. ``tokens[offsets[i]:offsets[i + 1]]`` are its
    token ids, ``rows[i]`` is the dataset row that its first token comes from,
    and ``starts[i]`` the index of its first content token inside that row.

    In a packed tokenization a sample holds several pieces of rows:
    ``docs[j]:docs[j + 1]`` is the span of piece ``j`` in ``tokens``,
    ``doc_rows[j]`` its row and ``doc_starts[j]`` its start in that row.

    Parameters
    ----------
    folder
        ``tokenizations/<id>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "manifest.json"
        if not path.is_file():
            raise NotFoundError(f"There is no tokenization in {folder}.", code="no_tokenization")
        #: Changes when the tokenization is made anew.
        self.created_ns = path.stat().st_mtime_ns
        self.manifest: dict[str, Any] = json.loads(path.read_text())
        self.tokens = self._open("tokens")
        self.offsets = self._open("offsets")
        self.rows = self._open("rows")
        self.starts = self._open("starts")

    def _open(self, name: str) -> IntArray:
        array: IntArray = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_tokens(self) -> int:
        """Tokens in all samples."""
        return len(self.tokens)

    @property
    def packed(self) -> bool:
        """Whether samples hold several rows."""
        return (self.folder / "docs.npy").is_file()

    @cached_property
    def docs(self) -> IntArray:
        """Boundaries of the pieces of rows in ``tokens``, int64 [n_pieces + 1]."""
        return self._open("docs") if self.packed else self.offsets

    @cached_property
    def doc_rows(self) -> IntArray:
        """Dataset row of each piece, int64 [n_pieces]."""
        return self._open("doc_rows") if self.packed else self.rows

    @cached_property
    def doc_starts(self) -> IntArray:
        """Index of each piece's first content token inside its row, int32 [n_pieces]."""
        return self._open("doc_starts") if self.packed else self.starts

    @cached_property
    def lengths(self) -> IntArray:
        """Tokens of each sample, int64 [n_samples]."""
        return np.diff(self.offsets)

    @cached_property
    def row_lengths(self) -> IntArray:
        """Tokens that each dataset row has in all, int64 [last row + 1]; 0 for a row left out."""
        weights = np.diff(self.docs)
        return np.bincount(self.doc_rows, weights=weights).astype(np.int64)

    def sample(self, i: int) -> IntArray:
        """Return the token ids of sample ``i``, without a copy."""
        if not 0 <= i < len(self):
            raise NotFoundError(f"There is no sample {i}.", code="no_such_sample")
        ids: IntArray = self.tokens[self.offsets[i] : self.offsets[i + 1]]
        return ids

    def find(self, wanted: Sequence[int]) -> IntArray:
        """Return where a sequence of token ids begins, int64, flat, in order.

        It is found in one piece of a row as it is stored, special tokens included, and also
        where it goes on in the next piece of its row, whatever special tokens and overlap
        stand between. It is never found across two rows.

        Raises
        ------
        InvalidInputError
            ``bad_query`` for no token, ``query_too_long`` for more than :data:`MAX_WANTED`.
        """
        ids = [int(token) for token in wanted]
        if not ids:
            raise InvalidInputError(
                "There is no token to look for.", code="bad_query", field="tokens"
            )
        if len(ids) > MAX_WANTED:
            raise InvalidInputError(
                f"{len(ids):,} tokens are looked for; at most {MAX_WANTED:,} can be.",
                code="query_too_long",
                field="tokens",
                hint="Look for a shorter sequence.",
            )
        step, parts = 1 << 22, [np.zeros(0, np.int64)]
        for first in range(0, self.n_tokens, step):
            tokens = self.tokens[first : first + step]
            begins = np.flatnonzero(tokens == ids[0]).astype(np.int64) + first
            parts.append(self._pieces.holding(begins, ids))
        return np.concatenate(parts)

    @cached_property
    def _pieces(self) -> Pieces:
        joints = Joints.of(self.manifest)
        return Pieces(self.tokens, self.docs, self.doc_rows, self.doc_starts, joints)

    def rows_of(self, positions: IntArray) -> npt.NDArray[np.int64]:
        """Return the dataset rows of flat token positions, int64, sorted, each once."""
        pieces = np.searchsorted(self.docs, positions, side="right") - 1
        return np.unique(np.asarray(self.doc_rows[pieces], np.int64))

    def locate(self, positions: IntArray) -> IntArray:
        """Return the sample of each flat token position, int64."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def counts(self) -> IntArray:
        """Return how often each token id occurs, int64 [vocabulary]."""
        total = np.zeros(int(self.manifest["tokenizer"]["vocab_size"]), np.int64)
        for first in range(0, self.n_tokens, 1 << 20):
            part = np.bincount(self.tokens[first : first + (1 << 20)], minlength=len(total))
            if len(part) > len(total):
                total = np.pad(total, (0, len(part) - len(total)))
            total += part
        return total


_cache: OrderedDict[tuple[str, int], Tokenization] = OrderedDict()
_lock = threading.Lock()


def open_tokenization(folder: Path) -> Tokenization:
    """Open a tokenization, or return it from the cache."""
    try:
        key = (str(folder), (folder / "manifest.json").stat().st_mtime_ns)
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no tokenization in {folder}.", code="no_tokenization"
        ) from None
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    opened = Tokenization(folder)
    with _lock:
        _cache[key] = opened
        while len(_cache) > 16:
            _cache.popitem(last=False)
    return opened
