"""One number per token: a dimension of a hook, or the norm, read a range of samples at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mistudio_ext.activations.arrays import Mapped
from mistudio_ext.activations.errors import OutOfRangeError
from mistudio_ext.activations.stored import StoredArrays

Floats = npt.NDArray[np.float32]

#: Bytes of an array that are read at once: what a disk gives in a fraction of a second.
PIECE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Reading:
    """Values of a range of samples, one after the other.

    Attributes
    ----------
    first
        The number of the first sample.
    values
        ``[n]`` float32, one per row that was stored of these samples.
    starts
        ``[samples + 1]`` int64: where each sample begins in ``values``, and the end.
    """

    first: int
    values: Floats
    starts: npt.NDArray[np.int64]


class Readings:
    """Reads what one dimension of a hook (or its norm) is for each token.

    Works for all layouts and positions, and while rows are still being
    written: only the samples that were complete at the start are read.

    Parameters
    ----------
    acts
        The extraction.
    hook
        Full name of the hook.
    dimension
        Which element of the vectors; None for their Euclidean norm.
    skip_first
        Leave out the first token of each sample where all tokens are stored:
        its value is not a number, and it is not gathered. Models park
        attention there, with norms that hide all others (Xiao et al. 2023,
        arXiv 2309.17453).

    Raises
    ------
    UnknownHookError, NotWrittenError
        As for ``acts[hook]``.
    OutOfRangeError
        The vectors have no such dimension.
    """

    def __init__(
        self, acts: StoredArrays, hook: str, dimension: int | None, *, skip_first: bool = False
    ) -> None:
        self._array: Mapped = acts[hook]
        self.width = int(self._array.shape[-1])
        if dimension is not None and not 0 <= dimension < self.width:
            raise OutOfRangeError(
                f"{hook} has no dimension {dimension}.",
                code="no_such_dimension",
                field="dimension",
                hint=f"It has {self.width:,}: 0 to {self.width - 1:,}.",
            )
        self._dimension = dimension
        self.n_samples = acts.samples_ready
        self.one_per_sample = acts.positions != "all"
        self.padded = self._array.ndim == 3
        self._skip_first = skip_first and not self.one_per_sample
        self.offsets: npt.NDArray[np.int64] = np.asarray(acts.offsets[: self.n_samples + 1])

    def of(self, first: int, last: int) -> Reading:
        """Read the samples ``first`` to ``last - 1``."""
        if self.one_per_sample:
            starts = np.arange(last - first + 1, dtype=np.int64)
            return Reading(first, self._measure(self._array[first:last]), starts)
        starts = self.offsets[first : last + 1] - self.offsets[first]
        values = self._values(first, last, np.diff(starts))
        if self._skip_first:
            values[starts[:-1][np.diff(starts) > 0]] = np.nan
        return Reading(first, values, starts)

    def _values(self, first: int, last: int, lengths: npt.NDArray[np.int64]) -> Floats:
        """Return a value for each token of some samples, as an array of its own."""
        if not self.padded:
            rows = self._array[self.offsets[first] : self.offsets[last]]
            return self._measure(rows)
        values = self._measure(self._array[first:last])
        return values[np.arange(values.shape[1]) < lengths[:, None]]

    def vectors(self, sample: int) -> Floats:
        """Return the vectors of a sample, ``[rows, d]`` float32."""
        if self.one_per_sample:
            rows = self._array[sample : sample + 1]
        elif self.padded:
            rows = self._array[sample, : self.offsets[sample + 1] - self.offsets[sample]]
        else:
            rows = self._array[self.offsets[sample] : self.offsets[sample + 1]]
        return np.asarray(rows, dtype=np.float32)

    def gather(self, indices: npt.NDArray[np.int64]) -> Floats:
        """Return the vectors of flat row indices, ``[n, d]`` float32.

        An index counts tokens, or samples where one row per sample is stored.
        """
        if not self.padded:
            return np.asarray(self._array[indices], dtype=np.float32)
        samples = np.searchsorted(self.offsets, indices, side="right") - 1
        return np.asarray(self._array[samples, indices - self.offsets[samples]], dtype=np.float32)

    @property
    def n_rows(self) -> int:
        """How many rows there are to choose from."""
        if self.one_per_sample:
            return self.n_samples
        return int(self.offsets[-1]) - (self.n_samples if self._skip_first else 0)

    def row(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the flat indices of the rows with these numbers, out of :attr:`n_rows`."""
        if not self._skip_first:
            return chosen
        # A sample's rows are counted without the first tokens of it and of those before it.
        before = self.offsets[:-1] - np.arange(self.n_samples)
        return chosen + np.searchsorted(before, chosen, side="right")

    def pieces(self) -> Iterator[Reading]:
        """Read all samples, a bounded piece at a time."""
        row_bytes = self.width * self._array.itemsize
        rows = max(1, PIECE_BYTES // row_bytes)
        first = 0
        while first < self.n_samples:
            last = self._end_of_piece(first, rows)
            yield self.of(first, last)
            first = last

    def _end_of_piece(self, first: int, rows: int) -> int:
        """Return the sample behind the piece; at least one sample is read."""
        if self.one_per_sample:
            last = first + rows
        elif self.padded:
            last = first + rows // self._array.shape[1]
        else:
            within = self.offsets[first] + rows
            last = int(np.searchsorted(self.offsets, within, side="right")) - 1
        return min(max(last, first + 1), self.n_samples)

    def _measure(self, rows: npt.NDArray[np.generic]) -> Floats:
        if self._dimension is not None:
            return np.array(rows[..., self._dimension], dtype=np.float32)
        vectors = np.asarray(rows, dtype=np.float32)
        return norms(vectors)


def norms(vectors: Floats) -> Floats:
    """Return the Euclidean norm along the last axis; infinite where it is too large to say."""
    squares: Floats = np.einsum("...d,...d->...", vectors, vectors)
    return np.sqrt(squares)
