"""A plane through a sample of activations: their first two principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations.readings import Floats, Readings

#: Memory for the rows that are projected.
BUDGET_BYTES = 128 * 2**20

#: Directions carried beyond the two that are wanted, and rounds of refining them.
_SPARE, _ROUNDS = 8, 4


@dataclass(frozen=True)
class Projection:
    """Rows of an array on their first two principal components.

    Attributes
    ----------
    indices
        ``[n]`` int64, ascending: which rows (tokens, or samples where one row
        per sample is stored).
    points
        ``[n, 2]`` float32 coordinates around the mean.
    explained
        Share of the rows' variance along each component, two numbers.
    """

    indices: npt.NDArray[np.int64]
    points: Floats
    explained: tuple[float, float]


def project(readings: Readings, count: int, seed: int = 0) -> Projection:
    """Project a random choice of rows; rows that are not finite are left out.

    Parameters
    ----------
    readings
        The rows to choose from.
    count
        How many at most; fewer if they would take more than BUDGET_BYTES.
    seed
        The same seed chooses the same rows.
    """
    rng = np.random.default_rng(seed)
    most = max(2, BUDGET_BYTES // (4 * readings.width))
    size = min(count, readings.n_rows, most)
    chosen = np.sort(rng.choice(readings.n_rows, size, replace=False)).astype(np.int64)
    indices = readings.row(chosen)
    rows = readings.gather(indices)
    finite = np.isfinite(rows).all(axis=1)
    indices, rows = indices[finite], rows[finite]
    points, explained = principal_plane(rows, rng)
    return Projection(indices, points, explained)


def principal_plane(rows: Floats, rng: np.random.Generator) -> tuple[Floats, tuple[float, float]]:
    """Return coordinates on the first two principal components and their shares of variance.

    By subspace iteration from random directions (Halko, Martinsson & Tropp
    2011, algorithm 4.4), which never forms a ``[d, d]`` matrix. The sign of a
    component is chosen so that its largest loading is positive.

    Parameters
    ----------
    rows
        ``[n, d]`` float32, finite; overwritten.
    rng
        Where the first directions come from.
    """
    n, width = rows.shape
    if n < 2:
        return np.zeros((n, 2), np.float32), (0.0, 0.0)
    rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    # Activations may be of any size; squares of large ones would overflow.
    scale = float(np.abs(rows).max()) or 1.0
    rows /= scale
    basis = rng.standard_normal((width, min(2 + _SPARE, n, width))).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    projected = rows @ basis
    _, strengths, turns = np.linalg.svd(projected.astype(np.float64), full_matrices=False)
    components = (basis @ turns.T.astype(np.float32))[:, :2]
    largest = np.abs(components).argmax(axis=0)
    components *= np.where(components[largest, range(components.shape[1])] < 0, -1, 1)
    total = float(np.square(rows, dtype=np.float64).sum()) or 1.0
    points = np.zeros((n, 2), np.float32)
    points[:, : components.shape[1]] = (rows @ components) * scale
    shares = [*(strengths**2 / total).tolist(), 0.0, 0.0]
    return points, (shares[0], shares[1])
