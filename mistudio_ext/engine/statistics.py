"""Statistics of an array in one pass, mergeable from chunk to chunk."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[np.float32]]

#: A value counts as sparse if its magnitude is below this.
SPARSITY_THRESHOLD = 0.01
#: Elements of a block: it stays in the L2 cache.
_BLOCK = 131072
#: Numbers that :func:`measure_on_device` gives.
VECTOR = 9
#: Elements of a piece on a GPU: large enough to fill it, small beside what a batch takes anyway.
_DEVICE_BLOCK = 1 << 24


@dataclass
class Statistics:
    """Sums over the finite values that were stored.

    ``sumsq`` is the sum of squares, ``sum_norm`` the sum of the rows' Euclidean
    norms, ``n_below`` the number of values with ``|x| < SPARSITY_THRESHOLD``,
    ``non_finite`` counts inf and nan together, ``infinite`` the infs.
    """

    n: int = 0
    rows: int = 0
    sum: float = 0.0
    sumsq: float = 0.0
    sum_norm: float = 0.0
    max_abs: float = 0.0
    n_below: int = 0
    non_finite: int = 0
    infinite: int = 0

    def add(self, other: Statistics) -> None:
        """Add what another part of the same array gave."""
        self.max_abs = max(self.max_abs, other.max_abs)
        for name in ("n", "rows", "sum", "sumsq", "sum_norm", "n_below", "non_finite", "infinite"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data for the journal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        return cls(**data)

    def summary(self) -> dict[str, Any]:
        """Return the statistics of the manifest; all None where there is no finite value."""
        known = self.n > 0
        mean = self.sum / self.n if known else None
        variance = max(0.0, self.sumsq / self.n - mean * mean) if known and mean is not None else 0
        return {
            "mean": mean,
            "std": math.sqrt(variance) if known else None,
            "mean_norm": self.sum_norm / self.rows if self.rows else None,
            "max_abs": self.max_abs if known else None,
            "sparsity": self.n_below / self.n if known else None,
            "sparsity_threshold": SPARSITY_THRESHOLD,
            "non_finite": self.non_finite,
        }


class Meter:
    """Measures rows in CPU memory, block by block, in buffers that it keeps.

    Sums are taken in float32 over a row, or over the rows of a block, and in float64 over these.

    Parameters
    ----------
    widest
        Numbers in the widest row to come.
    dtype
        The storage dtype of the rows.

    Notes
    -----
    This runs beside the forward pass and takes cores from it. So a block is read as float32
    once, while it is in the cache; sums of squares are dot products of BLAS, one a row, and sums
    are its product with a vector of ones, both too short for its threads; and magnitudes are
    compared as integers: without its sign bit, the bits of a finite number order as its
    magnitude does. The thread that calls must be one for which torch starts no others
    (:func:`mistudio_ext.engine.threads.start`), or they would get into the way of those that
    compute.
    """

    def __init__(self, widest: int, dtype: torch.dtype) -> None:
        self._bits = _Bits.of(dtype)
        size = max(_BLOCK, widest)
        self._wide = torch.empty(size, dtype=torch.float32)
        self._magnitude = np.empty(size, self._bits.numpy)
        self._below = np.empty(size, np.bool_)
        self._ones = np.ones(size, np.float32)

    def measure(self, values: Tensor) -> Statistics:
        """Return the statistics of ``values``, ``[n, d]`` in the storage dtype, contiguous."""
        total = Statistics()
        n, d = values.shape
        words = values.view(self._bits.words).numpy().reshape(-1)
        step = max(1, _BLOCK // max(1, d))
        largest = 0
        for start in range(0, n, step):
            rows = min(step, n - start)
            wide = self._wide[: rows * d].view(rows, d)
            wide.copy_(values[start : start + rows])
            x = wide.numpy()
            squares = _squares(x)
            energy = float(squares.sum())
            if not math.isfinite(energy):
                total.add(_careful(x))
                continue
            total.n += rows * d
            total.rows += rows
            total.sum += float((self._ones[:rows] @ x).sum(dtype=np.float64))
            total.sumsq += energy
            total.sum_norm += float(np.sqrt(squares, out=squares).sum())
            below, top = self._magnitudes(words[start * d : (start + rows) * d])
            total.n_below += below
            largest = max(largest, top)
        total.max_abs = max(total.max_abs, self._bits.number(largest))
        return total

    def _magnitudes(self, words: npt.NDArray[Any]) -> tuple[int, int]:
        """Return how many numbers are sparse, and the largest magnitude, as an integer."""
        magnitude, below = self._magnitude[: words.size], self._below[: words.size]
        np.bitwise_and(words, self._bits.mask, out=magnitude)
        np.less(magnitude, self._bits.threshold, out=below)
        return int(np.count_nonzero(below)), int(magnitude.max(initial=0))


def _squares(x: Array) -> npt.NDArray[np.float64]:
    """Return the squared norm of each row."""
    found: npt.NDArray[np.float64] = np.matmul(x[:, None, :], x[:, :, None]).astype(np.float64)
    return found.ravel()


@dataclass(frozen=True)
class _Bits:
    """How the numbers of a dtype are read as integers.

    ``mask`` takes the sign away; ``threshold`` is the first magnitude that is not sparse.
    """

    dtype: torch.dtype
    words: torch.dtype
    mask: int
    threshold: int

    @classmethod
    @cache
    def of(cls, dtype: torch.dtype) -> _Bits:
        """Return the reading of a storage dtype."""
        words = torch.int16 if dtype.itemsize == 2 else torch.int32
        nearest = torch.tensor(SPARSITY_THRESHOLD, dtype=dtype)
        # The threshold lies between two numbers of the dtype; the larger one is the first.
        first = int(nearest.view(words)) + (float(nearest) < SPARSITY_THRESHOLD)
        return cls(dtype, words, (1 << (8 * dtype.itemsize - 1)) - 1, first)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The integers' NumPy dtype."""
        return np.dtype(np.int16 if self.words == torch.int16 else np.int32)

    def number(self, magnitude: int) -> float:
        """Return the number with this magnitude."""
        return float(torch.tensor(magnitude, dtype=self.words).view(self.dtype))


def _careful(x: Array) -> Statistics:
    """Return the statistics of a block whose float32 sums overflow or that is not all finite."""
    wide = x.astype(np.float64)
    finite = np.isfinite(wide)
    kept = np.where(finite, wide, 0.0)
    whole = finite.all(axis=1)
    return Statistics(
        n=int(finite.sum()),
        rows=int(whole.sum()),
        sum=float(kept.sum()),
        sumsq=float((kept * kept).sum()),
        sum_norm=float(np.sqrt((kept[whole] ** 2).sum(axis=1)).sum()),
        max_abs=float(np.abs(kept).max(initial=0.0)),
        n_below=int(((np.abs(kept) < SPARSITY_THRESHOLD) & finite).sum()),
        non_finite=int((~finite).sum()),
        infinite=int(np.isinf(wide).sum()),
    )


def measure_on_device(values: Tensor) -> Tensor:
    """Return the statistics of rows on a GPU, as float64 ``[9]``, without waiting for them.

    The order is that of :class:`Statistics`' fields; see :func:`from_vector`. Rows
    are taken in pieces, so that the float32 copies stay small.
    """
    step = max(1, _DEVICE_BLOCK // max(1, values.shape[1]))
    pieces = torch.stack([_vector(piece) for piece in torch.split(values, step)])
    return torch.cat([pieces[:, :5].sum(0), pieces[:, 5:6].amax(0), pieces[:, 6:].sum(0)])


def _vector(values: Tensor) -> Tensor:
    x = values.float()
    finite = torch.isfinite(x)
    kept = torch.where(finite, x, torch.zeros((), device=x.device))
    whole = finite.all(dim=1)
    norms = torch.linalg.vector_norm(kept, dim=1, dtype=torch.float64)
    size = kept.abs()
    count = finite.sum(dtype=torch.float64)
    return torch.stack(
        [
            count,
            whole.sum(dtype=torch.float64),
            kept.sum(dtype=torch.float64),
            (norms * norms).sum(),
            (norms * whole).sum(),
            size.amax().double(),
            ((size < SPARSITY_THRESHOLD) & finite).sum(dtype=torch.float64),
            float(x.numel()) - count,
            torch.isinf(x).sum(dtype=torch.float64),
        ]
    )


def from_vector(vector: Tensor) -> Statistics:
    """Read what :func:`measure_on_device` gave, once it is in CPU memory."""
    n, rows, total, sumsq, norms, top, below, bad, infinite = vector.tolist()
    return Statistics(
        int(n), int(rows), total, sumsq, norms, top, int(below), int(bad), int(infinite)
    )
