"""The passes through the model: batch by batch into staging buffers, then to the writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mistudio_ext.batching import STAGING_BUFFERS
from mistudio_ext.engine import gpu, output
from mistudio_ext.engine.arrays import DTYPES
from mistudio_ext.engine.batches import Batch, Chunk, Plan, batches, chunks
from mistudio_ext.engine.capture import Capture, make_slots
from mistudio_ext.engine.lanes import Lanes
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.request import Contexts
from mistudio_ext.engine.resume import Kept
from mistudio_ext.engine.structure import text_model
from mistudio_ext.engine.writer import Writer
from mistudio_ext.spec import ExtractionSpec

#: Told how far it is: done, in all, and of what.
Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Passed:
    """What the passes of this run came to.

    Attributes
    ----------
    seconds, tokens
        Time that they took, and the tokens that went through the model.
    reductions
        How often memory ran out.
    tokens_at_once, tokens_planned
        Tokens that went through the model at a time at the end, and that should have.
    """

    seconds: float = 0.0
    tokens: int = 0
    reductions: int = 0
    tokens_at_once: int = 0
    tokens_planned: int = 0

    @property
    def tokens_per_s(self) -> float:
        """Tokens in a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def run(
    loaded: LoadedModel,
    spec: ExtractionSpec,
    contexts: Contexts,
    chosen: Sequence[Point],
    started: output.Started,
    progress: Progress,
) -> Passed:
    """Run what is left of the contexts, and write what the hook points see.

    Parameters
    ----------
    loaded
        The model.
    spec
        Positions and storage dtype.
    contexts
        What it reads.
    chosen
        Hook points, in the order of the arrays.
    started
        The folder: its arrays, its plan, and what an earlier run left.
    progress
        Told about tokens, or about samples where each has one row.

    Raises
    ------
    OutOfMemoryError
        If one single sample does not fit.
    NoSpaceError, OSError
        What the writer met.
    """
    plan, kept = started.plan, started.kept
    dtype = DTYPES[spec.dtype][0]
    widths = [point.d for point in chosen]
    # What was begun in several lanes may go on on a GPU, or with fewer threads.
    alone = gpu.is_gpu(loaded.device) or torch.get_num_threads() % plan.lanes
    count = 1 if alone else plan.lanes
    # Each lane fills one and one waits for a lane, beside those that a single lane has.
    buffers = STAGING_BUFFERS + (count if count > 1 else 0)
    slots = make_slots(buffers, plan.batch_tokens, widths, dtype, loaded.device)
    capture = Capture(
        loaded.model,
        text_model(loaded.model),
        chosen,
        spec.positions,
        loaded.device,
        plan.padding == "mask",
    )
    writer = Writer(
        started.files,
        started.layout,
        started.journal,
        kept.hashes,
        kept.totals,
        slots,
        kept.samples,
        kept.begun,
    )
    lanes = Lanes(capture, contexts, plan, count, writer.acquire, len(slots))
    began = time.monotonic()
    done = _Done(contexts, spec.positions == "all", progress, kept.samples)
    try:
        done.add(_written(contexts, plan, kept))
        before = done.tokens
        done.tell()
        for item in lanes.run(_todo(contexts, plan, kept)):
            if isinstance(item, Chunk):
                writer.end_chunk(item)
                done.samples = item.end
            else:
                done.add(item.batches)
                writer.submit(item)
            done.tell()
    finally:
        lanes.close()
        capture.close()
        writer.close()
    writer.check()
    seconds = time.monotonic() - began
    return Passed(
        seconds,
        done.tokens - before,
        lanes.reductions,
        lanes.tokens_at_once,
        lanes.tokens_planned,
    )


def _written(contexts: Contexts, plan: Plan, kept: Kept) -> list[Batch]:
    """Return the batches of the chunk to come that an earlier run wrote."""
    chunk = next(chunks(contexts.offsets, plan, kept.samples), None)
    return batches(contexts.offsets, chunk, plan)[: kept.begun.batches] if chunk else []


def _todo(contexts: Contexts, plan: Plan, kept: Kept) -> Iterator[Batch | Chunk]:
    """Yield the batches that are left, and after those of a chunk the chunk."""
    skipped = kept.begun.batches
    for chunk in chunks(contexts.offsets, plan, kept.samples):
        yield from batches(contexts.offsets, chunk, plan)[skipped:]
        yield chunk
        skipped = 0


class _Done:
    """Samples and tokens that went through the model, in this run and before."""

    def __init__(
        self, contexts: Contexts, by_tokens: bool, progress: Progress, samples: int
    ) -> None:
        self._contexts, self._by_tokens, self._progress = contexts, by_tokens, progress
        self.samples, self.tokens = samples, int(contexts.offsets[samples])

    def add(self, batches: Sequence[Batch]) -> None:
        """Count what went through."""
        self.samples += sum(len(batch.samples) for batch in batches)
        self.tokens += sum(batch.tokens for batch in batches)

    def tell(self) -> None:
        """Say how far it is."""
        if self._by_tokens:
            self._progress(self.tokens, self._contexts.n_tokens, "tokens")
        else:
            self._progress(self.samples, self._contexts.n_samples, "samples")
