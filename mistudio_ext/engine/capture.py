"""Forward hooks that copy what is asked for into staging buffers, and end the pass early.

A hook copies at once: some models change the tensor in place right after it
(Falcon), and the copy is the conversion to the storage dtype anyway. On a GPU
the copy stays on the device; a side stream then carries it to pinned memory
while the next batch is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mistudio_ext.engine import gpu, statistics
from mistudio_ext.engine.batches import Batch
from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.tracing import StopForward, hidden, pick


@dataclass
class Slot:
    """Staging buffers for one batch: per hook ``[capacity, d]`` in the storage dtype.

    ``host`` is CPU memory (pinned where there is a GPU), ``device`` the buffers on
    the GPU or None. ``rows`` says how many rows of them are filled, ``batches`` with
    which samples, in order. Until the GPU is past ``ready``, ``host`` is not filled;
    ``measured`` tells whether ``vectors`` then hold the statistics.
    """

    host: list[Tensor]
    device: list[Tensor] | None = None
    vectors: Tensor | None = None
    rows: int = 0
    batches: list[Batch] = field(default_factory=list)
    ready: gpu.Event | None = None
    measured: bool = False

    def clear(self) -> None:
        """Make the slot empty again."""
        self.rows = 0
        self.batches.clear()
        self.ready, self.measured = None, False


def make_slots(
    count: int, capacity: int, widths: Sequence[int], dtype: torch.dtype, device: torch.device
) -> list[Slot]:
    """Allocate staging buffers; memory that is never written is never resident.

    Where memory ends there are fewer than ``count`` of them: one will do, if not as fast.
    """
    slots: list[Slot] = []
    while len(slots) < count:
        try:
            slots.append(_make_slot(capacity, widths, dtype, device))
        except (RuntimeError, MemoryError) as error:
            if not slots or not is_out_of_memory(error):
                raise
            break
    return slots


def _make_slot(
    capacity: int, widths: Sequence[int], dtype: torch.dtype, device: torch.device
) -> Slot:
    shapes = [(capacity, d) for d in widths]
    if not gpu.is_gpu(device):
        return Slot([torch.empty(shape, dtype=dtype) for shape in shapes])
    return Slot(
        host=[gpu.pinned(shape, dtype) for shape in shapes],
        device=[torch.empty(shape, dtype=dtype, device=device) for shape in shapes],
        vectors=gpu.pinned((len(widths), statistics.VECTOR), torch.float64),
    )


@dataclass
class _Pass:
    """A batch on its way through the model, and the slot that it fills.

    ``shape`` is ``(batch, position)``, ``gather`` the rows that are no padding (on a GPU), and
    ``pending`` how many hook points were not reached yet.
    """

    batch: Batch
    slot: Slot
    shape: tuple[int, int]
    pending: int
    gather: Tensor | None = None


class _Now(threading.local):
    """The pass of the thread that asks: each thread sees its own."""

    running: _Pass | None = None


class Capture:
    """Runs the model on batches and fills slots; several threads may, each its own.

    Parameters
    ----------
    model
        The whole model; the points' module paths count from it.
    runner
        What is called: the model without its LM head.
    points
        The hook points, in the order of the arrays.
    positions
        ``all``, ``last`` or ``mean``.
    device
        Where the model is.
    use_mask
        Whether ragged batches get an attention mask.
    """

    def __init__(
        self,
        model: nn.Module,
        runner: nn.Module,
        points: Sequence[Point],
        positions: str,
        device: torch.device,
        use_mask: bool = False,
    ) -> None:
        self._runner = runner
        self._points = list(points)
        self._positions = positions
        self._device = device
        self._use_mask = use_mask
        self._side = gpu.SideStream(device) if gpu.is_gpu(device) else None
        self._now = _Now()
        self._stopping = False
        self._handles = [self._hook(model, i, point) for i, point in enumerate(self._points)]

    def stop(self) -> None:
        """End the passes that run, in whatever thread, at their next hook point; they fail."""
        self._stopping = True

    def close(self) -> None:
        """Take the hooks off the model."""
        for handle in self._handles:
            handle.remove()

    def forward(self, batch: Batch, ids: npt.NDArray[np.int64], slot: Slot) -> None:
        """Run one batch and put what the hooks see behind what the slot already holds.

        If the pass fails the slot is as it was before.

        Parameters
        ----------
        ids
            Token ids ``[batch, width]``, right-padded.
        """
        now = _Pass(batch, slot, (ids.shape[0], ids.shape[1]), len(self._points))
        inputs: dict[str, Any] = {"input_ids": gpu.to_device(ids, self._device)}
        if batch.ragged and self._use_mask:
            inputs["attention_mask"] = gpu.to_device(_real(batch), self._device).long()
        if batch.ragged and self._side is not None and self._positions == "all":
            now.gather = gpu.to_device(np.flatnonzero(_real(batch)), self._device)
        self._now.running = now
        try:
            with torch.inference_mode():
                self._runner(**inputs, use_cache=False)
        except StopForward:
            pass
        finally:
            self._now.running = None
        if now.pending:
            of = len(self._points)
            raise RuntimeError(f"{now.pending} of {of} hook points were not reached")
        slot.rows += self._count(batch)
        slot.batches.append(batch)

    def finish(self, slot: Slot) -> None:
        """Start carrying a filled slot from the GPU to the host; a CPU has nothing to do here."""
        if self._side is not None:
            slot.ready = self._side.run(partial(_carry, slot))

    def _count(self, batch: Batch) -> int:
        return batch.tokens if self._positions == "all" else len(batch.samples)

    def _hook(self, model: nn.Module, index: int, point: Point) -> Any:
        module = model.get_submodule(point.read.module)
        read = point.read
        if read.side == "input":

            def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                if (now := self._now.running) is not None:
                    seen = pick(kwargs if isinstance(read.key, str) else args, read.key)
                    self._store(now, index, seen)

            return module.register_forward_pre_hook(before, with_kwargs=True)

        def after(_: nn.Module, __: Any, output: Any) -> None:
            if (now := self._now.running) is not None:
                self._store(now, index, pick(output, read.key))

        return module.register_forward_hook(after)

    def _store(self, now: _Pass, index: int, value: Any) -> None:
        if self._stopping:
            raise StopForward
        x = hidden(value, now.shape)
        slot, batch, point = now.slot, now.batch, self._points[index]
        if x is None:
            raise RuntimeError(f"{point.name} is not one row per token in this batch")
        if point.read.scale != 1.0:
            x = x * point.read.scale
        target = (slot.host if slot.device is None else slot.device)[index][slot.rows :]
        if self._positions == "all":
            _store_all(x, target, now)
        elif self._positions == "last":
            rows = torch.arange(x.shape[0], device=x.device)
            ends = gpu.to_device(batch.lengths - 1, x.device)
            target[: x.shape[0]].copy_(x[rows, ends])
        else:
            target[: x.shape[0]].copy_(_mean(x, batch))
        now.pending -= 1
        if not now.pending:
            raise StopForward


def _store_all(x: Tensor, target: Tensor, now: _Pass) -> None:
    batch = now.batch
    if not batch.ragged:
        target[: batch.tokens].view(*x.shape).copy_(x)
    elif now.gather is not None:
        target[: batch.tokens].copy_(x.flatten(0, 1).index_select(0, now.gather))
    else:
        row = 0
        for sample, length in enumerate(batch.lengths.tolist()):
            target[row : row + length].copy_(x[sample, :length])
            row += length


def _mean(x: Tensor, batch: Batch) -> Tensor:
    wide = x.float()
    if batch.ragged:
        wide = wide.masked_fill(~gpu.to_device(_real(batch), x.device).unsqueeze(-1), 0.0)
    lengths = gpu.to_device(batch.lengths, x.device).float()
    return wide.sum(1) / lengths.unsqueeze(1)


def _real(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return which positions hold a token, ``[batch, width]``."""
    real: npt.NDArray[np.bool_] = np.arange(batch.width)[None, :] < batch.lengths[:, None]
    return real


def _carry(slot: Slot) -> None:
    """Ask the GPU to measure what a slot holds there, and to bring it to the host."""
    if slot.device is None or slot.vectors is None:
        return
    filled = [rows[: slot.rows] for rows in slot.device]
    try:
        for vector, rows in zip(slot.vectors, filled, strict=True):
            vector.copy_(statistics.measure_on_device(rows), non_blocking=True)
        slot.measured = True
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        # Measuring takes a little memory for itself; the CPU does it, once the rows are there.
        slot.measured = False
    for source, target in zip(filled, slot.host, strict=True):
        target[: slot.rows].copy_(source, non_blocking=True)
