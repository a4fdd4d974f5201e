"""What only a GPU needs: memory that it reads by itself, and a stream beside the computing one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor


class Event(Protocol):
    """A place in a stream."""

    def synchronize(self) -> None:
        """Wait until the device has come to it."""


def is_gpu(device: torch.device) -> bool:
    """Return whether a device works beside the CPU."""
    return device.type == "cuda"


def pinned(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return CPU memory that a GPU reads and writes without the CPU's help."""
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=True)


def to_device(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy to a device; a GPU fetches it when it comes to it, and the CPU goes on.

    From ordinary memory the CPU would wait until the GPU has done all that came before.
    """
    host = torch.from_numpy(array)
    if not is_gpu(device):
        return host
    # PyTorch keeps the pinned block until the GPU has read it.
    return host.pin_memory().to(device, non_blocking=True)


def room(device: torch.device, share: int | None) -> int | None:
    """Return the bytes that this process may still take on a GPU; None for a CPU.

    Parameters
    ----------
    share
        Bytes that it may take in all; None for all that are free.
    """
    if not is_gpu(device):
        return None
    allocated = torch.cuda.memory_allocated(device)
    # What was freed here is kept for what comes next.
    free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - allocated
    return max(0, free if share is None else min(free, share - allocated))


class SideStream:
    """A stream beside the one that computes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run(self, work: Callable[[], None]) -> Event:
        """Ask for ``work`` once the device has done what was asked of it so far.

        What ``work`` reads and writes must be left alone until the returned event is past.
        """
        asked, done = _event(), _event()
        asked.record(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(asked)
            work()
            done.record(self._stream)
        event: Event = done
        return event


def _event() -> Any:
    # Who waits for it sleeps; by default he would keep a processor busy.
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
