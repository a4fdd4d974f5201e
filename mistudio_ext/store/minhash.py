"""Near duplicates by MinHash and banding, in NumPy.

A row is the set of its runs of three words. Words are those of the search
(:mod:`mistudio_ext.store.search.words`): each character is one where a script has no blanks
between words. A row without any word is the set of its runs of three characters.
``PERMUTATIONS`` minima of hashes stand for it; rows that agree in a whole band of them are
candidates, and candidates are compared by their true Jaccard similarity, so that what is
reported is exact.

Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from mistudio_ext.store.search.words import spaced

Hashes = npt.NDArray[np.uint64]

#: Minima that stand for a row.
PERMUTATIONS = 64

#: Words of a row that count; bounds the cost of very long rows.
MAX_WORDS = 2_000

#: Words of a run.
_RUN = 3

#: Rows of one bucket that a row is compared with before it begins a group of its own.
_MAX_COMPARED = 4

_random = np.random.default_rng(20_251_125)
_FACTORS = _random.integers(1, 1 << 63, PERMUTATIONS, np.uint64) | np.uint64(1)
_SHIFTS = _random.integers(0, 1 << 63, PERMUTATIONS, np.uint64)
_MIX = tuple(np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def bands_of(threshold: float) -> tuple[int, int]:
    """Return ``(bands, minima of a band)`` that let pairs above a similarity through.

    Two rows of similarity ``s`` share a band with the probability
    ``1 - (1 - s**r)**b``; its steepest point is kept below the threshold.
    """
    pairs = [(PERMUTATIONS // r, r) for r in (1, 2, 4, 8, 16)]
    below = [pair for pair in pairs if (1 / pair[0]) ** (1 / pair[1]) <= threshold]
    return max(below, key=lambda pair: pair[1])


def words_of(text: str) -> list[str]:
    """Return the words of a text that count; its characters if it has no words."""
    return (spaced(text).split() or list("".join(text.split())))[:MAX_WORDS]


def runs_of(text: str) -> frozenset[tuple[str, ...]]:
    """Return a text's runs of three words; a shorter text is one run."""
    words = words_of(text)
    if len(words) <= _RUN:
        return frozenset([tuple(words)]) if words else frozenset()
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def similarity(left: str, right: str) -> float:
    """Return the Jaccard similarity of two texts' runs, 0 to 1."""
    one, other = runs_of(left), runs_of(right)
    if not one or not other:
        return float(one == other)
    return len(one & other) / len(one | other)


def band_hashes(texts: Sequence[str], bands: int, width: int) -> Hashes:
    """Return a hash per text and band, uint64 [n_texts, bands]; texts without words give 0."""
    found = np.zeros((len(texts), bands), np.uint64)
    known: dict[str, int] = {}
    flat: list[int] = []
    lengths = np.zeros(len(texts), np.int64)
    for row, text in enumerate(texts):
        words = words_of(text)
        lengths[row] = len(words)
        for word in words:
            value = known.get(word)
            if value is None:
                value = known[word] = xxhash.xxh3_64_intdigest(word.encode())
            flat.append(value)
    runs, starts = _runs(np.array(flat, np.uint64), lengths)
    filled = np.flatnonzero(lengths)
    if not len(filled):
        return found
    minima = np.empty((len(filled), PERMUTATIONS), np.uint32)
    for i in range(PERMUTATIONS):
        mixed = runs * _FACTORS[i] + _SHIFTS[i]
        minima[:, i] = np.minimum.reduceat((mixed >> np.uint64(32)).astype(np.uint32), starts)
    parts = np.ascontiguousarray(minima).reshape(len(filled), bands, width)
    found[filled] = _hash_rows(parts)
    return found


def _runs(words: Hashes, lengths: npt.NDArray[np.int64]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Return the hashes of all runs of three words, and where each filled row's begin."""
    padded = np.concatenate([words, np.zeros(_RUN - 1, np.uint64)])
    ends = np.cumsum(lengths)
    # Words before the end of their row; a run takes no words of the next one.
    left = np.repeat(ends, lengths) - np.arange(len(words))
    runs = padded[: len(words)] * _MIX[0]
    for i in range(1, _RUN):
        runs += np.where(left > i, padded[i : len(words) + i] * _MIX[i], np.uint64(0))
    runs ^= runs >> np.uint64(29)
    per_row = np.maximum(1, lengths - (_RUN - 1)) * (lengths > 0)
    keep = np.arange(len(words)) - np.repeat(ends - lengths, lengths) < np.repeat(per_row, lengths)
    starts = np.concatenate([[0], np.cumsum(per_row[lengths > 0])[:-1]]).astype(np.int64)
    return runs[keep], starts


def _hash_rows(parts: npt.NDArray[np.uint32]) -> Hashes:
    """Return one hash for the last axis, uint64 [n, bands]."""
    total = np.zeros(parts.shape[:2], np.uint64)
    for i in range(parts.shape[2]):
        total = (total ^ parts[:, :, i].astype(np.uint64)) * _MIX[1]
        total ^= total >> np.uint64(31)
    return np.maximum(total, np.uint64(1))


class Groups:
    """Rows that belong together (union by the smaller index, path halving)."""

    def __init__(self, n_rows: int) -> None:
        self._parent = np.arange(n_rows, dtype=np.int64)

    def root(self, row: int) -> int:
        """Return the first row of a row's group."""
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    def join(self, left: int, right: int) -> None:
        """Put two rows' groups together."""
        one, other = sorted((self.root(left), self.root(right)))
        self._parent[other] = one

    def members(self) -> list[list[int]]:
        """Return all groups of two rows or more, the largest first."""
        found: dict[int, list[int]] = {}
        for row in np.flatnonzero(self._parent != np.arange(len(self._parent))):
            first = self.root(int(row))
            found.setdefault(first, [first]).append(int(row))
        return sorted(found.values(), key=lambda rows: (-len(rows), rows[0]))


def find_groups(
    hashes: Hashes,
    exact: Hashes,
    threshold: float,
    text_of: Callable[[int], str],
    step: Callable[[int], None] = lambda _band: None,
) -> Groups:
    """Group rows that are alike.

    Parameters
    ----------
    hashes
        From :func:`band_hashes`, [n_rows, bands].
    exact
        A hash of each row's whole text, [n_rows]; equal ones are not read again.
    threshold
        Least Jaccard similarity.
    text_of
        Gives the text of a row.
    step
        Called after each band with the number of bands done.
    """
    groups = Groups(len(hashes))
    for band in range(hashes.shape[1]):
        for bucket in _buckets(hashes[:, band]):
            _join_alike(bucket, exact, threshold, text_of, groups)
        step(band + 1)
    return groups


def _buckets(hashes: Hashes) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the rows that share a hash, two or more, in order; 0 is none."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    bounds = np.flatnonzero(np.diff(ordered)) + 1
    starts = np.concatenate([[0], bounds])
    ends = np.concatenate([bounds, [len(ordered)]])
    for i in np.flatnonzero(ends - starts > 1):
        if ordered[starts[i]]:
            yield order[starts[i] : ends[i]]


def _join_alike(
    rows: npt.NDArray[np.int64],
    exact: Hashes,
    threshold: float,
    text_of: Callable[[int], str],
    groups: Groups,
) -> None:
    kept: list[int] = []
    for row in map(int, rows):
        for other in kept:
            if (
                groups.root(row) == groups.root(other)
                or exact[row] == exact[other]
                or similarity(text_of(row), text_of(other)) >= threshold
            ):
                groups.join(row, other)
                break
        else:
            if len(kept) < _MAX_COMPARED:
                kept.append(row)
