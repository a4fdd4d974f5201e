"""CPU threads: how many torch computes with, and threads of ours that compute alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def use_threads(threads: int | None) -> int:
    """Let torch use ``threads`` CPU threads, or all that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = max(1, threads or allowed or 1)
    torch.set_num_threads(count)
    return count


def start(work: Callable[[], None], name: str) -> threading.Thread:
    """Run ``work`` in a thread of its own, for which torch starts no further threads.

    They would be a second team beside the one that runs the model, and the two would wait for
    each other's processors.
    """
    count, ready = torch.get_num_threads(), threading.Event()

    def alone() -> None:
        _compute_with(1)
        ready.set()
        work()

    thread = threading.Thread(target=alone, name=name, daemon=True)
    thread.start()
    ready.wait()
    torch.set_num_threads(count)
    return thread


def _compute_with(threads: int) -> None:
    """Let torch use so many threads for what the calling one asks of it."""
    # A thread that has not asked yet takes the number that was set last, by whomever, when it
    # first computes; what is set before it has asked is forgotten then.
    torch.get_num_threads()
    torch.set_num_threads(threads)


class Pool:
    """Threads that share the CPU threads with which torch computed in the one that calls.

    Some libraries know only one number of threads for all that compute. So it is their share
    everywhere until the pool is closed, and meanwhile the thread that calls leaves computing to
    them.
    """

    def __init__(self, workers: int) -> None:
        self._count = torch.get_num_threads()
        each = max(1, self._count // workers)
        torch.set_num_threads(each)
        self._executor = ThreadPoolExecutor(workers, "mistudio-lane", _compute_with, (each,))

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run ``work`` in the next thread that is free."""
        return self._executor.submit(work)

    def close(self) -> None:
        """Wait for what runs; what has not begun never will."""
        self._executor.shutdown(cancel_futures=True)
        torch.set_num_threads(self._count)
