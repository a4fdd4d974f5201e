"""Which samples are read together: chunks in dataset order, length buckets inside a chunk.

A chunk is a contiguous range of samples; chunks are finished one after the
other, so what is on disk is always a prefix of the dataset. Inside a chunk the
samples are sorted by length before they are cut into batches, so that ragged
data costs little padding. Both depend on nothing but the plan and the lengths:
an extraction that is resumed makes the very batches that an uninterrupted one
would have made, and so the very same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mistudio_ext import batching

IntArray = npt.NDArray[np.int64]

#: Batches in a chunk: enough for length buckets to work, few enough that rows can be read soon.
_MIN_BATCHES, _MAX_BATCHES = 16, 32
#: Seconds of work that a chunk should hold.
_CHUNK_SECONDS = 10.0
#: A batch this full ends where samples get shorter than this share of its longest.
_FULL_ENOUGH, _SIMILAR = 0.5, 0.9
#: Samples in a chunk at most, whatever their length.
_MAX_CHUNK_SAMPLES = 1 << 16


@dataclass(frozen=True)
class Plan:
    """What decides the composition of every batch, beside the lengths.

    ``padding`` is how samples may share a batch: ``plain`` (right padding), ``mask`` (right
    padding with an attention mask), ``equal`` (those of one length) or ``alone`` (not at
    all). ``lanes`` batches go through the model at a time.
    """

    batch_tokens: int
    chunk_tokens: int
    padding: str = "plain"
    lanes: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; one lane is not told, as before there could be several."""
        data = asdict(self)
        return data if self.lanes > 1 else {k: v for k, v in data.items() if k != "lanes"}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        return cls(
            int(data["batch_tokens"]),
            int(data["chunk_tokens"]),
            str(data["padding"]),
            int(data.get("lanes", 1)),
        )


def make_plan(
    *,
    device_type: str,
    batch_tokens: int | None,
    longest: int,
    row_bytes: int,
    flops_per_token: float,
    padding: str,
    room: int | None = None,
    pass_bytes: int = 0,
    lanes: int = 1,
) -> Plan:
    """Choose batch and chunk size; the same arguments always give the same plan.

    Lanes share the tokens that go through the model at once. Where a lane's part of them is
    less than the longest sample, there is one lane: memory must not depend on their number.

    Parameters
    ----------
    device_type
        ``cpu`` or ``cuda``.
    batch_tokens
        Tokens at once that the user asked for, or None.
    longest
        Tokens of the longest sample.
    row_bytes
        Bytes that one token takes in all arrays together.
    flops_per_token
        Floating-point operations of the forward pass for one token.
    room
        Bytes that the device has left for batches; None where that is not known.
    pass_bytes
        Bytes that one token of a batch takes there, staging included.
    lanes
        Batches that may go through the model at a time; see :mod:`mistudio_ext.engine.lanes`.
    """
    tokens = batching.batch_tokens(
        device_type=device_type,
        asked=batch_tokens,
        longest=longest,
        row_bytes=row_bytes,
        flops_per_token=flops_per_token,
        room=room,
        pass_bytes=pass_bytes,
    )
    wanted = int(_CHUNK_SECONDS * batching.tokens_per_second(device_type, flops_per_token))
    chunk = min(max(wanted, _MIN_BATCHES * tokens), _MAX_BATCHES * tokens)
    if tokens // lanes < longest:
        lanes = 1
    return Plan(tokens // lanes, chunk, padding, lanes)


@dataclass(frozen=True)
class Chunk:
    """A contiguous range of samples ``[first, end)``."""

    first: int
    end: int


@dataclass(frozen=True)
class Batch:
    """Samples that go through the model together.

    ``samples`` are in dataset order, ``lengths`` are their tokens, all at least 1.
    """

    samples: IntArray
    lengths: IntArray

    @property
    def width(self) -> int:
        """Tokens of the longest sample."""
        return int(self.lengths.max())

    @property
    def tokens(self) -> int:
        """Real tokens, padding not counted."""
        return int(self.lengths.sum())

    @property
    def ragged(self) -> bool:
        """Whether there is padding."""
        return int(self.lengths.min()) != self.width

    def halves(self) -> tuple[Batch, Batch]:
        """Return the shorter and the longer half of the samples."""
        order = np.argsort(self.lengths, kind="stable")
        parts = (np.sort(part) for part in (order[: len(order) // 2], order[len(order) // 2 :]))
        first, second = (Batch(self.samples[part], self.lengths[part]) for part in parts)
        return first, second


def chunks(offsets: npt.NDArray[Any], plan: Plan, first: int = 0) -> Iterator[Chunk]:
    """Yield the chunks from sample ``first`` on, which must be a chunk's start.

    Parameters
    ----------
    offsets
        Boundaries of the samples in the flat tokens, int64 ``[n_samples + 1]``.
    """
    n_samples = len(offsets) - 1
    while first < n_samples:
        target = int(offsets[first]) + plan.chunk_tokens
        end = int(np.searchsorted(offsets, target, side="right")) - 1
        end = min(max(end, first + 1), n_samples, first + _MAX_CHUNK_SAMPLES)
        yield Chunk(first, end)
        first = end


def batches(offsets: npt.NDArray[Any], chunk: Chunk, plan: Plan) -> list[Batch]:
    """Cut a chunk into batches of at most ``plan.batch_tokens`` tokens, padding included.

    Samples without a token are left out: there is nothing to run.
    """
    lengths = np.diff(offsets[chunk.first : chunk.end + 1]).astype(np.int64)
    samples = np.arange(chunk.first, chunk.end, dtype=np.int64)
    samples, lengths = samples[lengths > 0], lengths[lengths > 0]
    order = np.argsort(-lengths, kind="stable")
    found: list[Batch] = []
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        end = min(len(order), start + max(1, plan.batch_tokens // width))
        within = lengths[order[start:end]]
        if plan.padding == "alone":
            end = start + 1
        elif plan.padding == "equal":
            end = start + int((within == width).sum())
        else:
            fewest = math.ceil(_FULL_ENOUGH * plan.batch_tokens / width)
            end = start + min(len(within), max(fewest, int((within >= _SIMILAR * width).sum())))
        members = np.sort(order[start:end])
        found.append(Batch(samples[members], lengths[members]))
        start = end
    return found


def padded_ids(tokens: npt.NDArray[Any], offsets: npt.NDArray[Any], batch: Batch) -> IntArray:
    """Return token ids ``[batch, width]``, each sample right-padded with its own last token.

    The padding is a token that the model surely knows and that means nothing
    special; what it is does not matter, for nothing looks at what comes after it.
    """
    ids = np.empty((len(batch.samples), batch.width), np.int64)
    for row, (sample, length) in enumerate(zip(batch.samples, batch.lengths, strict=True)):
        start = int(offsets[sample])
        ids[row, :length] = tokens[start : start + length]
        ids[row, length:] = ids[row, length - 1]
    return ids
