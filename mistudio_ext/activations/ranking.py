"""The samples in which one dimension is strongest, found while the array is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations.readings import Floats, Reading, Readings

#: Which values come first: the largest, the smallest, or the largest by size.
Order = Literal["max", "min", "abs"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True)
class Found:
    """The strongest token of a sample.

    Attributes
    ----------
    sample
        Number of the sample.
    position
        Position of the token in it (0 where one row per sample is stored).
    value
        What the dimension, or the norm, is there.
    """

    sample: int
    position: int
    value: float


@dataclass(frozen=True)
class Ranking:
    """The best samples among those read so far, best first."""

    read: int
    total: int
    found: tuple[Found, ...]


def top_samples(readings: Readings, count: int, order: Order = "max") -> Iterator[Ranking]:
    """Find the samples with the strongest values, telling after each piece what is known.

    Values that are not finite are left out.

    Parameters
    ----------
    readings
        What to rank by.
    count
        How many samples to keep.
    order
        Which values come first.

    Yields
    ------
    Ranking
        One after each piece that was read; the last one is final. Closing
        the generator ends the search.
    """
    best: tuple[Found, ...] = ()
    for piece in readings.pieces():
        best = _best([*best, *_candidates(piece, count, order)], count, order)
        yield Ranking(piece.first + len(piece.starts) - 1, readings.n_samples, best)
    if not readings.n_samples:
        yield Ranking(0, 0, ())


def _candidates(piece: Reading, count: int, order: Order) -> list[Found]:
    """Return the strongest token of each of the best samples of a piece."""
    scores = _scores(piece.values, order)
    filled = np.flatnonzero(np.diff(piece.starts))
    if not len(filled):
        return []
    peaks = np.maximum.reduceat(scores, piece.starts[filled])
    chosen = _largest(peaks, count)
    found = []
    for index in chosen[np.isfinite(peaks[chosen])]:
        sample = int(filled[index])
        start, end = piece.starts[sample], piece.starts[sample + 1]
        position = int(np.argmax(scores[start:end]))
        found.append(Found(piece.first + sample, position, float(piece.values[start + position])))
    return found


def _scores(values: Floats, order: Order) -> Floats:
    """Return what is larger for what comes first; minus infinity for what is left out."""
    signed = {"max": values, "min": -values, "abs": np.abs(values)}[order]
    return np.where(np.isfinite(values), signed, np.float32(-np.inf))


def _largest(scores: Floats, count: int) -> npt.NDArray[np.intp]:
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.argpartition(scores, -count)[-count:]


def _best(found: list[Found], count: int, order: Order) -> tuple[Found, ...]:
    def rank(each: Found) -> tuple[float, int]:
        score = {"max": each.value, "min": -each.value, "abs": abs(each.value)}[order]
        return -score, each.sample

    return tuple(sorted(found, key=rank)[:count])
