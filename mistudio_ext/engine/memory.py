"""Memory: keep the heap between batches; when it runs out halve the batch, grow back later."""

from __future__ import annotations

import ctypes
import gc
import platform
from collections.abc import Callable
from functools import partial

import torch

from mistudio_ext.engine.batches import Batch
from mistudio_ext.errors import OutOfMemoryError

_MARKS = (
    "out of memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "std::bad_alloc",
)
#: Batches that must succeed before the budget grows by an eighth of the plan's.
_SUCCESSES_TO_GROW = 8
#: Failures in a row, without one batch done, after which we give up.
_MAX_FAILURES = 24


#: glibc's names for its limits, and what we set them to.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_BYTES, _TRIM_BYTES = 32 << 20, 512 << 20


def keep_heap() -> None:
    """Tell glibc to keep the memory that a batch frees for the next one.

    By default it hands every large tensor back to the kernel, and the next batch
    faults the same pages in again: a fifth of the CPU time of a small model was
    measured to go there. It holds in the main thread; threads that run lanes have heaps of their
    own, which glibc gives back where they are empty. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
    libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(mark in text for mark in _MARKS)


class Budget:
    """Tokens that a forward pass may hold: halves on failure, grows back below the ceiling.

    Parameters
    ----------
    planned
        Tokens of the plan's batches; the budget never exceeds them.
    """

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self.tokens = planned
        self.ceiling: int | None = None
        self.halvings = 0
        self._successes = 0
        self._failures = 0

    def run(self, batch: Batch, forward: Callable[[Batch], None]) -> None:
        """Run ``forward`` on a batch, in parts as large as the budget allows.

        Raises
        ------
        OutOfMemoryError
            If even one sample by itself does not fit.
        """
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            if len(part.samples) > 1 and len(part.samples) * part.width > self.tokens:
                shorter, longer = part.halves()
                waiting += [longer, shorter]
                continue
            message = attempt(partial(forward, part))
            if message is None:
                self._succeeded()
                continue
            self._failed(part, message)
            waiting.append(part)

    def _succeeded(self) -> None:
        self._failures = 0
        self._successes += 1
        if self.tokens >= self.planned or self._successes < _SUCCESSES_TO_GROW:
            return
        self._successes = 0
        # The ceiling failed once; stay below it, so that growing back cannot fail for ever.
        limit = self.planned if self.ceiling is None else min(self.planned, self.ceiling - 1)
        self.tokens = max(self.tokens, min(limit, self.tokens + max(1, self.planned // 8)))

    def _failed(self, part: Batch, message: str) -> None:
        self._failures += 1
        self._successes = 0
        used = len(part.samples) * part.width
        if len(part.samples) == 1 or self._failures > _MAX_FAILURES:
            raise OutOfMemoryError(
                f"One sample of {part.width} tokens does not fit into memory: {message}",
                hint="Choose a shorter context, a smaller format (bf16, q8, q4), fewer hooks, "
                "or a device with more memory. What is written stays; a retry goes on from there.",
            )
        self.ceiling = used if self.ceiling is None else min(self.ceiling, used)
        self.tokens = max(1, used // 2)
        self.halvings += 1


def attempt(work: Callable[[], None]) -> str | None:
    """Return None if there was memory for ``work``, else what the failure said.

    Only the message outlives the except block: the traceback would keep the
    tensors of the failed pass alive.
    """
    message: str
    try:
        work()
        return None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise
        message = " ".join(str(error).split())[:200] or type(error).__name__
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return message
