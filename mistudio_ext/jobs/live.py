"""The latest progress of running jobs, whoever watches their workers."""

from __future__ import annotations

import threading
from dataclasses import replace

from mistudio_ext.catalog import JobRecord
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.folder import EventTail
from mistudio_ext.jobs.running import absorb


class LiveProgress:
    """Adds to a job's row what its worker has told since.

    Parameters
    ----------
    board
        The jobs.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._foreign: dict[str, tuple[EventTail, JobRecord]] = {}
        self._lock = threading.Lock()

    def of(self, job: JobRecord) -> JobRecord:
        """Return the job with the worker's latest progress."""
        if job.state != "running":
            self._foreign.pop(job.id, None)
            return job
        running = self._board.running.get(job.id)
        if running is None:
            return self._elsewhere(job)
        return replace(running.job, cancel_requested=job.cancel_requested)

    def _elsewhere(self, job: JobRecord) -> JobRecord:
        """Return a job whose worker another manager watches; only new events are read."""
        with self._lock:
            tail, seen = self._foreign.get(job.id, (None, job))
            if tail is None or seen.attempt != job.attempt:
                tail, seen = EventTail(self._board.folder(job.id)), job
            seen = absorb(seen, tail.read())
            self._foreign[job.id] = (tail, seen)
            return seen
