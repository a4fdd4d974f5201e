"""Jobs whose manager is gone: found and taken over."""

from __future__ import annotations

import time

from mistudio_ext.catalog import JobRecord
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.process import WorkerProcess
from mistudio_ext.jobs.running import RunningJob

#: Seconds between looks for jobs that another manager left behind.
ADOPT_S = 2.0


class Adoption:
    """Takes over jobs that another manager left behind.

    Parameters
    ----------
    board
        The jobs.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._looked_at = float("-inf")

    def look(self) -> None:
        """Take over what was left behind, at most every two seconds."""
        if time.monotonic() - self._looked_at < ADOPT_S:
            return
        self._looked_at = time.monotonic()
        board = self._board
        for job in board.catalog.jobs.list(state=("queued", "running"), oldest_first=True):
            if job.id in board.running or board.owners.alive(job.owner):
                continue
            folder = board.folder(job.id)
            if job.state == "running" and folder.process() is None and folder.worker_lives():
                continue  # It was started this moment and says who it is the next.
            taken = board.catalog.jobs.update_if(
                job.id, {"state": job.state, "owner": job.owner}, owner=board.owners.me
            )
            if taken and job.state == "running":
                self._adopt(board.catalog.jobs.get(job.id))

    def _adopt(self, job: JobRecord) -> None:
        """Watch a worker that an earlier server started, or settle what it left."""
        folder = self._board.folder(job.id)
        identity = folder.process()
        process = WorkerProcess.adopt(identity) if identity else None
        self._board.running[job.id] = RunningJob(job, folder, process or _Gone())


class _Gone(WorkerProcess):
    """A worker that no longer exists."""

    def __init__(self) -> None:
        self.pid = 0
        self.known = False
        self.pidfd = None
        self._child = None
        self._status = None

    def alive(self) -> bool:
        return False
