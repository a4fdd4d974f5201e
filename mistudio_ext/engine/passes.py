"""The passes through the model: batch by batch into staging buffers, then to the writer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mistudio_ext.batching import STAGING_BUFFERS
from mistudio_ext.engine import output
from mistudio_ext.engine.arrays import DTYPES
from mistudio_ext.engine.batches import Batch, batches, chunks, padded_ids
from mistudio_ext.engine.capture import Capture, Slot, make_slots
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.memory import Budget
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.request import Contexts
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
    halvings
        How often memory ran out.
    batch_tokens
        Tokens of a batch at the end.
    """

    seconds: float = 0.0
    tokens: int = 0
    halvings: int = 0
    batch_tokens: int = 0

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
    slots = make_slots(STAGING_BUFFERS, plan.batch_tokens, widths, dtype, loaded.device)
    capture = Capture(
        loaded.model,
        text_model(loaded.model),
        chosen,
        spec.positions,
        loaded.device,
        plan.padding == "mask",
    )
    budget = Budget(plan.batch_tokens)
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
    began = time.monotonic()
    done = _Done(contexts, spec.positions == "all", progress, kept.samples)
    before, skipped = done.tokens, kept.begun.batches
    try:
        for chunk in chunks(contexts.offsets, plan, kept.samples):
            planned = batches(contexts.offsets, chunk, plan)
            for batch in planned[:skipped]:
                done.add(batch)
                before += batch.tokens
            done.tell()
            for batch in planned[skipped:]:
                slot = writer.acquire()
                _one_batch(capture, budget, contexts, batch, slot)
                writer.submit(slot)
                done.add(batch)
                done.tell()
            skipped = 0
            writer.end_chunk(chunk)
            done.samples = chunk.end
    finally:
        capture.close()
        writer.close()
    writer.check()
    seconds = time.monotonic() - began
    return Passed(seconds, done.tokens - before, budget.halvings, budget.tokens)


def _one_batch(
    capture: Capture, budget: Budget, contexts: Contexts, batch: Batch, slot: Slot
) -> None:
    def forward(part: Batch) -> None:
        capture.forward(part, padded_ids(contexts.tokens, contexts.offsets, part), slot)

    budget.run(batch, forward)
    capture.finish(slot)


class _Done:
    """Samples and tokens that went through the model, in this run and before."""

    def __init__(
        self, contexts: Contexts, by_tokens: bool, progress: Progress, samples: int
    ) -> None:
        self._contexts, self._by_tokens, self._progress = contexts, by_tokens, progress
        self.samples, self.tokens = samples, int(contexts.offsets[samples])

    def add(self, batch: Batch) -> None:
        """Count one batch."""
        self.samples += len(batch.samples)
        self.tokens += batch.tokens

    def tell(self) -> None:
        """Say how far it is."""
        if self._by_tokens:
            self._progress(self.tokens, self._contexts.n_tokens, "tokens")
        else:
            self._progress(self.samples, self._contexts.n_samples, "samples")
