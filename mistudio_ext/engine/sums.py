"""Which tensors add up to which: the arithmetic behind the structural map.

All comparisons are against the rounding error of the model's own dtype, element
by element, so that a few huge coordinates (attention sinks) cannot hide a
wrong answer in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mistudio_ext.engine.tracing import Call, Key

#: Units in the last place by which a sum of three terms may be off: half of one for each addition
#: and each factor, of numbers no larger than all terms together.
_ROUNDINGS = 2.0
#: Inner product of error and term in units of its random size; about 0.3 of one is usual.
_DRIFT = 3.0


@dataclass(frozen=True)
class Candidate:
    """A tensor of the stream's shape that some module returned."""

    call: Call
    key: Key
    tensor: Tensor


@dataclass(frozen=True)
class Contribution:
    """What a module adds to the stream: its result ``key`` times ``scale``."""

    call: Call
    key: Key
    scale: float = 1.0

    def value(self) -> Tensor:
        """Return the traced contribution ``[batch, position, d]``."""
        tensor = self.call.outputs[self.key]
        return tensor if self.scale == 1.0 else tensor * self.scale


def close(terms: Sequence[Tensor], total: Tensor) -> bool:
    """Return whether ``sum(terms) = total`` up to the rounding of their dtype.

    Each element may be off by its own roundings. In bfloat16 those hide a factor of 0.98, so the
    error as a whole must also have nothing of a term in it: roundings point anywhere, and their
    inner product with a term grows with the root of the number of elements, that of a wrong
    factor with their number.
    """
    if any(term.shape != total.shape for term in terms):
        return False
    kinds = [t.dtype for t in (*terms, total)]
    eps = max(torch.finfo(kind).eps for kind in kinds)
    wide = [term.double() for term in terms]
    error = torch.stack(wide).sum(0) - total.double()
    size = torch.stack([w.abs() for w in (*wide, total.double())]).sum(0)
    if not bool((error.abs() <= _ROUNDINGS * eps * size + 1e-30).all()):
        return False
    return all(
        abs(float((error * term).sum())) <= _DRIFT * eps * float((size * term).norm()) + 1e-30
        for term in wide
    )


def difference(terms: Sequence[Tensor], total: Tensor) -> float:
    """Return the largest absolute error of ``sum(terms) = total``; infinite for other shapes."""
    if any(term.shape != total.shape for term in terms):
        return float("inf")
    wide = torch.stack([term.double() for term in terms]).sum(0)
    return float((wide - total.double()).abs().max())


def product_of(tensor: Tensor, total: Tensor, known: Sequence[float]) -> float | None:
    """Return the factor with ``factor * tensor = total``, or None if there is none."""
    a, b = tensor.double().flatten(), total.double().flatten()
    norm = float(a @ a)
    if norm == 0.0:
        return None
    factor = snap(float(a @ b) / norm, known)
    return factor if close([tensor.double() * factor], total) else None


def snap(factor: float, known: Sequence[float]) -> float:
    """Return the known number that a measured factor stands for, else the factor itself."""
    for number in known:
        if number and abs(factor / number - 1) < 2e-3:
            return number
    return factor


def find_sum(
    x: Tensor, y: Tensor, candidates: Sequence[Candidate], known: Sequence[float]
) -> tuple[Contribution, ...] | None:
    """Find one or two candidates that add up to ``y - x``.

    Parameters
    ----------
    x, y
        Stream before and after the block, ``[batch, position, d]``.
    candidates
        Tensors of the same shape, in the order of the calls.
    known
        Factors that the config names.

    Returns
    -------
    tuple of Contribution or None
        Two contributions if there are two, else one, else None. Plain sums are
        preferred to sums with factors. Of modules that return the same values
        the outermost is taken.
    """
    unique = _distinct(candidates)
    if not unique:
        return None
    rows = torch.stack([c.tensor.double().flatten() for c in unique])
    delta = (y.double() - x.double()).flatten()
    gram, onto, size = rows @ rows.T, rows @ delta, float(delta @ delta)
    n = len(unique)
    first, second = torch.triu_indices(n, n, offset=1).tolist()
    # |delta - a - m|^2 from inner products: all pairs at once.
    misses = [
        (float(size - 2 * (onto[i] + onto[j]) + gram[i, i] + 2 * gram[i, j] + gram[j, j]), i, j)
        for i, j in zip(first, second, strict=True)
    ]
    for _, i, j in sorted(misses)[:6]:
        a, m = unique[i], unique[j]
        if close([x, a.tensor, m.tensor], y):
            return Contribution(a.call, a.key), Contribution(m.call, m.key)
    for i in range(n):
        if close([x, unique[i].tensor], y):
            return (Contribution(unique[i].call, unique[i].key),)
    return _scaled(x, y, unique, (gram, onto), known)


def _scaled(
    x: Tensor,
    y: Tensor,
    unique: Sequence[Candidate],
    products: tuple[Tensor, Tensor],
    known: Sequence[float],
) -> tuple[Contribution, ...] | None:
    """As :func:`find_sum`, with a factor on each contribution (least squares)."""
    gram, onto = products
    fits: list[tuple[float, int, int, float, float]] = []
    for i in range(len(unique)):
        for j in range(i + 1, len(unique)):
            det = float(gram[i, i] * gram[j, j] - gram[i, j] ** 2)
            if det <= 1e-12 * float(gram[i, i] * gram[j, j]):
                continue
            alpha = float(onto[i] * gram[j, j] - onto[j] * gram[i, j]) / det
            beta = float(onto[j] * gram[i, i] - onto[i] * gram[i, j]) / det
            gain = alpha * float(onto[i]) + beta * float(onto[j])
            fits.append((-gain, i, j, alpha, beta))
    for _, i, j, alpha, beta in sorted(fits)[:6]:
        a, m = unique[i], unique[j]
        alpha, beta = snap(alpha, known), snap(beta, known)
        if close([x, a.tensor.double() * alpha, m.tensor.double() * beta], y):
            return Contribution(a.call, a.key, alpha), Contribution(m.call, m.key, beta)
    for candidate in unique:
        delta = y.double() - x.double()
        values = candidate.tensor.double().flatten()
        if float(values @ values) == 0.0:
            continue
        factor = snap(float(values @ delta.flatten()) / float(values @ values), known)
        if close([x, candidate.tensor.double() * factor], y):
            return (Contribution(candidate.call, candidate.key, factor),)
    return None


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop tensors that repeat another one; calls are in order, so the outermost stays."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if not any(torch.equal(candidate.tensor, other.tensor) for other in kept):
            kept.append(candidate)
    return kept
