"""Several passes through one model at a time, each by its share of the CPU's threads.

One pass keeps all processors busy only where torch splits the work of an operation among them;
in between they wait for each other, and for Python. Two passes at a time, with half of the
threads and half of the tokens each, fill one another's pauses. On a GPU the operations of one
pass follow each other without pauses, and there is one lane.

A model may run in two threads if a pass leaves nothing behind in it, as with nearly all. That
is tested by a pass, and what a short one cannot show is known by name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from mistudio_ext.engine import gpu, threads
from mistudio_ext.engine.batches import Batch, Chunk, Plan, padded_ids
from mistudio_ext.engine.capture import Capture, Slot
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.memory import Budget, attempt, is_out_of_memory
from mistudio_ext.engine.request import Contexts
from mistudio_ext.engine.structure import parameter_count, text_model
from mistudio_ext.engine.tracing import example_ids

#: Lanes where there can be several; measured on two processors.
_LANES = 2
#: Tokens of a short sample.
SHORT = 11
#: Operations that trying may take.
_MOST_FLOPS = 4e11
#: Formats whose layers are torch's own. Quantized ones keep state in objects that we cannot see.
_PLAIN = ("fp32", "bf16", "fp16")


def possible(loaded: LoadedModel, fmt: str, threads: int, longest: int = SHORT) -> int:
    """Return how many batches may go through a model at a time.

    Parameters
    ----------
    fmt
        The format in which the model is in memory.
    threads
        CPU threads that torch may use. A number that lanes cannot share equally gives one.
    longest
        Tokens of the run's longest sample.
    """
    model = loaded.model
    if gpu.is_gpu(loaded.device) or fmt not in _PLAIN or threads % _LANES:
        return 1
    if _is_foreign(model) or any(_changes_with_length(module) for module in model.modules()):
        return 1
    if 4.0 * longest * parameter_count(text_model(model)) > _MOST_FLOPS:
        return 1  # Such samples are longer than a lane's part of the tokens.
    try:
        return _LANES if leaves_no_trace(model, _passes(model, longest)) else 1
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return 1  # There is no memory for one such sample, so none for two.


def _passes(model: nn.Module, longest: int) -> list[Callable[[], None]]:
    """Return passes over samples of the run's longest length and of a short one, by turns.

    What grows with the longest sample changes the model in the first of them; what is made anew
    for short ones and for long ones changes it in the others, and would in every batch.
    """
    runner = text_model(model)

    def run(length: int) -> None:
        with torch.inference_mode():
            runner(input_ids=example_ids(model.config, 1, length), use_cache=False)

    short = min(SHORT, max(1, longest // 2))
    return [partial(run, length) for length in (longest, short, longest)]


def _is_foreign(model: Any) -> bool:
    """Return whether a model runs its repository's code, or another library's layers."""
    own_code = type(model).__module__.startswith("transformers_modules")
    return own_code or getattr(model, "hf_quantizer", None) is not None


def _changes_with_length(module: nn.Module) -> bool:
    """Return whether a module makes its table of positions anew where samples are longer.

    ``rope_type`` is that of transformers' rotary embeddings, or one for each type of layer;
    ``make_weights`` that of sinusoidal tables that grow.
    """
    rope_type = str(getattr(module, "rope_type", ""))
    return "dynamic" in rope_type or "longrope" in rope_type or hasattr(module, "make_weights")


def leaves_no_trace(model: nn.Module, passes: Sequence[Callable[[], None]]) -> bool:
    """Return whether each pass leaves all modules as they are: tensors, attributes, containers.

    It catches what a pass stores in a module, in a tensor of it or in a container one level
    deep. It cannot catch what is kept outside of the modules, or in an object of their own kind.
    """
    before, versions = _state(model)
    for run in passes:
        run()
        after, versions_after = _state(model)
        same = len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
        if not same or versions != versions_after:
            return False
    return True


def _state(model: nn.Module) -> tuple[list[Any], list[int]]:
    """Return what the modules hold, and how often each tensor of it was written to."""
    held: list[Any] = []
    for module in model.modules():
        for value in vars(module).values():
            held.append(value)
            if isinstance(value, dict):
                held.extend(value.values())
            elif isinstance(value, list | tuple | set):
                held.extend(value)
    tensors = (value for value in held if isinstance(value, torch.Tensor))
    return held, [t._version for t in tensors if not t.is_inference()]


@dataclass(frozen=True)
class _Begun:
    """A batch in a lane; its ``future`` gives what the failure said if memory ran out."""

    batch: Batch
    slot: Slot
    future: Future[str | None] | None = None


class Lanes:
    """Runs batches through the model, in one lane or in several, and keeps their order.

    Which thread runs a batch decides nothing that is stored. If memory runs out in one of several
    lanes, there is one from then on, in which batches are halved as :class:`Budget` says.

    Parameters
    ----------
    lanes
        How many there are. The plan's, but for what was begun on a CPU and goes on on a GPU, or
        with another number of threads.
    acquire
        Gives an empty slot; may wait for one.
    slots
        How many slots there are.
    """

    def __init__(
        self,
        capture: Capture,
        contexts: Contexts,
        plan: Plan,
        lanes: int,
        acquire: Callable[[], Slot],
        slots: int,
    ) -> None:
        self._capture, self._contexts, self._acquire = capture, contexts, acquire
        self._budget = Budget(plan.batch_tokens)
        self._pool = threads.Pool(lanes) if lanes > 1 else None
        # One more than there are lanes, so that none waits for us; and a slot for the writer.
        self._ahead = min(lanes + 1, slots - 1) if self._pool else 0
        self._lanes = lanes
        self._lost = 0

    @property
    def reductions(self) -> int:
        """How often memory ran out, so that less went through the model at a time."""
        return self._lost + self._budget.halvings

    @property
    def tokens_planned(self) -> int:
        """Tokens that should go through the model at a time."""
        return self._budget.planned * self._lanes

    @property
    def tokens_at_once(self) -> int:
        """Those that memory allows by now."""
        return self._budget.tokens * (1 if self._lost else self._lanes)

    def run(self, todo: Iterable[Batch | Chunk]) -> Iterator[Slot | Chunk]:
        """Yield a filled slot for each batch, in their order, and each chunk in its place.

        Raises
        ------
        OutOfMemoryError
            If even one sample by itself does not fit.
        """
        waiting: deque[_Begun | Chunk] = deque()
        for item in todo:
            waiting.append(item if isinstance(item, Chunk) else self._begin(item))
            while len(waiting) > self._ahead:
                yield self._end(waiting)
        while waiting:
            yield self._end(waiting)

    def close(self) -> None:
        """End the passes that run at their next hook point; the others never begin."""
        self._capture.stop()
        if self._pool is not None:
            self._pool.close()

    def _begin(self, batch: Batch) -> _Begun:
        slot = self._acquire()
        if self._pool is None:
            self._budget.run(batch, partial(self._forward, slot))
            return _Begun(batch, slot)
        work = partial(self._forward, slot, batch)
        return _Begun(batch, slot, self._pool.submit(partial(attempt, work)))

    def _end(self, waiting: deque[_Begun | Chunk]) -> Slot | Chunk:
        item = waiting.popleft()
        if isinstance(item, Chunk):
            return item
        if item.future is not None and _failed(item.future):
            self._stay_alone([each.future for each in waiting if isinstance(each, _Begun)])
            self._budget.run(item.batch, partial(self._forward, item.slot))
        self._capture.finish(item.slot)
        return item.slot

    def _stay_alone(self, others: list[Future[str | None] | None]) -> None:
        """Let the passes that run end, and use their lanes no more."""
        wait([future for future in others if future is not None and not future.cancel()])
        if self._pool is not None:
            self._pool.close()
            self._pool, self._ahead, self._lost = None, 0, 1

    def _forward(self, slot: Slot, batch: Batch) -> None:
        ids = padded_ids(self._contexts.tokens, self._contexts.offsets, batch)
        self._capture.forward(batch, ids, slot)


def _failed(future: Future[str | None]) -> bool:
    """Return whether a batch is still to be run: memory ran out in it, or before it began."""
    return future.cancelled() or future.result() is not None
