"""The queue: which job starts next, and its worker started."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mistudio_ext.catalog import JobRecord, now
from mistudio_ext.errors import MiStudioError
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.endings import Endings, cancelled, internal
from mistudio_ext.jobs.kinds import Json
from mistudio_ext.jobs.process import WorkerProcess
from mistudio_ext.jobs.running import RunningJob

_log = logging.getLogger(__name__)


class Dispatcher:
    """Starts the queued jobs of its manager, in order and within the limits.

    Parameters
    ----------
    board
        The jobs.
    endings
        Where jobs go that cannot start.
    max_running
        How many jobs may run at the same time, over all managers of the folder.
    worker
        Command of a worker process; the job's folder is added.
    """

    def __init__(
        self, board: Board, endings: Endings, *, max_running: int, worker: Sequence[str]
    ) -> None:
        self._board = board
        self._endings = endings
        self._max_running = max_running
        self._worker = worker

    def dispatch(self) -> None:
        """Start what may start, in order."""
        board = self._board
        mine = [job for job in board.queue() if job.owner == board.owners.me]
        if not mine:
            return
        with board.owners.exclusive():
            running = [job.kind for job in board.catalog.jobs.list(state="running")]
            for job in mine:
                if job.cancel_requested:
                    self._endings.end(job, "cancelled", cancelled())
                elif (failure := self._blocked(job)) is not None:
                    if failure:
                        self._endings.end(job, "failed", failure)
                elif (
                    len(running) < self._max_running
                    and running.count(job.kind) < board.kinds[job.kind].limit
                    and self._start(job)
                ):
                    running.append(job.kind)

    def _blocked(self, job: JobRecord) -> Json | None:
        """Return None if all that the job needs is done, {} to wait, or why it cannot run."""
        waiting = False
        for needed_id in job.depends_on:
            needed = self._board.catalog.jobs.find(id=needed_id)
            if needed is None or needed.state in ("failed", "cancelled", "interrupted"):
                error = (needed.error if needed else None) or {}
                name = needed.target_name if needed else needed_id
                return {
                    **error,
                    "code": error.get("code", "dependency_failed"),
                    "message": f"'{name}' is needed first, but that failed: "
                    + error.get("message", "it is gone."),
                }
            waiting = waiting or needed.state != "done"
        return {} if waiting else None

    def _start(self, job: JobRecord) -> bool:
        """Start a job's worker; tell whether it runs."""
        board = self._board
        kind, folder = board.kinds[job.kind], board.folder(job.id)
        # Before the state changes: a server that dies in between must not find an old result.
        folder.clear()
        taken = board.catalog.jobs.update_if(
            job.id,
            {"state": "queued", "owner": board.owners.me},
            state="running",
            started_at=now(),
            phase="starting",
            attempt=job.attempt + 1,
        )
        if not taken:
            return False
        job = board.catalog.jobs.get(job.id)
        try:
            spec = {"job_id": job.id, "kind": job.kind, **kind.prepare(job)}
            folder.write_spec(spec)
            environment = {**kind.environment(job), **board.secrets.get(job.id, {})}
            with folder.locked() as lock:
                process = WorkerProcess.spawn(
                    self._worker, folder.path, folder.log, environment, lock
                )
        except (MiStudioError, OSError) as error:
            self._endings.end(job, "failed", _describe(error))
            return False
        except Exception:  # noqa: BLE001 - the last resort, logged
            _log.exception("%s could not be prepared.", job.id)
            self._endings.end(job, "failed", internal())
            return False
        board.running[job.id] = RunningJob(job, folder, process)
        board.publish(job)
        return True


def _describe(error: MiStudioError | OSError) -> Json:
    if isinstance(error, MiStudioError):
        return error.to_dict()
    return {
        "code": "worker_not_started",
        "message": f"The worker process could not be started: {error.strerror or error}.",
        "hint": "Look at the memory and process limits of this machine.",
    }
