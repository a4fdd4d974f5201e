"""How a job ends: the worker's result or its death, brought into catalog and services."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mistudio_ext.catalog import JobRecord, now
from mistudio_ext.disk.full import is_full, is_full_now, no_space
from mistudio_ext.errors import BusyError, CancelledError, MiStudioError, NoSpaceError
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.deaths import Death, explain
from mistudio_ext.jobs.kinds import Json
from mistudio_ext.jobs.pool import WarmPool
from mistudio_ext.jobs.process import boot_id
from mistudio_ext.jobs.running import RunningJob
from mistudio_ext.leases.cgroups import oom_kills

_log = logging.getLogger(__name__)


class Endings:
    """Settles jobs.

    Parameters
    ----------
    board
        The jobs.
    pool
        Where workers go that stay for another job.
    """

    def __init__(self, board: Board, pool: WarmPool) -> None:
        self._board = board
        self._pool = pool
        #: Ends that the catalog did not take: they are tried again.
        self._late: dict[str, Callable[[], None]] = {}

    def worker_stays(self, running: RunningJob, outcome: Json) -> None:
        """Settle a job whose worker has ended it and waits for the next one."""
        running.look()
        assert running.worker is not None
        # It gets no other job before this one is settled, which may take more than one try.
        self._settle_as(running.job, outcome)
        self._pool.rest(running.worker)

    def worker_gone(self, running: RunningJob) -> None:
        """Settle a job whose worker is gone."""
        running.look()
        status = running.process.reap()
        if running.worker is not None:
            running.worker.socket.close()
        # A live record goes before the entry in `running`, so that readers never see old progress.
        job = running.job
        outcome = running.folder.result()
        if outcome is not None:
            self._settle_as(job, outcome)
        elif self._board.catalog.jobs.get(job.id).cancel_requested:
            self.end(job, "cancelled", cancelled())
        else:
            state, error = explain(_death(running, status), [self._board.root])
            error["log_tail"] = running.folder.log_tail(10)[0]
            self.end(job, state, error)

    def _settle_as(self, job: JobRecord, outcome: Json) -> None:
        """Settle a job as its worker's result says."""
        if outcome["state"] == "done":
            self._succeed(job, outcome["result"])
        elif outcome["state"] != "yielded":
            self.end(job, outcome["state"], outcome.get("error") or cancelled())
        elif self._board.catalog.jobs.get(job.id).cancel_requested:
            self.end(job, "cancelled", cancelled())
        else:
            self.queue_again(job)

    def queue_again(self, job: JobRecord, *, last: bool = True) -> None:
        """Put a job back into the queue; what it has done is kept.

        Parameters
        ----------
        job
            The job.
        last
            Behind those that wait; else where it was.
        """
        board = self._board
        try:
            board.kinds[job.kind].restart(job)
        except BusyError:
            raise
        except Exception as error:  # noqa: BLE001 - the last resort, logged
            self.end(job, "failed", self.describe(job, error))
            return
        queued = board.catalog.jobs.update(
            job.id,
            state="queued",
            queued_at=now() if last else job.queued_at,
            phase=None,
            message="",
            device=None,
            eta_s=None,
        )
        board.running.pop(job.id, None)
        board.publish(queued)

    def end(self, job: JobRecord, state: str, error: Json) -> None:
        """End a job as failed, cancelled or interrupted; later, if the catalog is busy or full."""
        self._note(job, partial(self._end, job, state, error))

    def _note(self, job: JobRecord, end: Callable[[], None]) -> None:
        try:
            end()
        except (BusyError, NoSpaceError):
            self._late[job.id] = end

    def late(self, job_id: str) -> bool:
        """Tell whether a job has ended and the catalog does not know yet."""
        return job_id in self._late

    def end_late(self) -> None:
        """Try again to note the ends that the catalog did not take."""
        for job_id, end in list(self._late.items()):
            end()
            del self._late[job_id]

    def _end(self, job: JobRecord, state: str, error: Json) -> None:
        error = self._with_remedies(job, error)
        try:
            if job.kind in self._board.kinds:
                self._board.kinds[job.kind].fail(job, state, error)
        except BusyError:
            raise  # The supervisor tries it again.
        except Exception as failure:  # noqa: BLE001 - the job has ended all the same
            if not is_full(failure):
                _log.exception("The end of %s could not be noted everywhere.", job.id)
        self._settle(job, state, error)
        if error["code"] == "no_space":
            _log.warning("%s %s: %s", job.id, state, error["message"])

    def _with_remedies(self, job: JobRecord, error: Json) -> Json:
        """Return an error with all that could mend it."""
        kind = self._board.kinds.get(job.kind)
        try:
            found = kind.remedies(job, error) if kind else ()
        except MiStudioError:  # What it was to make is gone.
            found = ()
        remedies = [*error.get("remedies", ()), *found]
        return {**error, "remedies": remedies} if remedies else error

    def describe(self, job: JobRecord, error: Exception) -> Json:
        """Return why a job fails that the server could not bring to its start or its end."""
        if isinstance(error, MiStudioError):
            return error.to_dict()
        if is_full(error):
            return no_space(error, [self._board.root]).to_dict()
        _log.error("%s met something unexpected.", job.id, exc_info=error)
        return internal()

    def _succeed(self, job: JobRecord, result: Json) -> None:
        try:
            self._board.kinds[job.kind].finish(job, result)
        except BusyError:
            raise  # The supervisor tries it again.
        except Exception as error:  # noqa: BLE001 - the last resort, logged
            self.end(job, "failed", self.describe(job, error))
            return
        self._note(job, partial(self._settle, job, "done", None))

    def _settle(self, job: JobRecord, state: str, error: Json | None) -> None:
        self._board.folder(job.id).settled()
        ended = self._board.catalog.jobs.update(
            job.id,
            state=state,
            error=error,
            ended_at=now(),
            phase=None,
            message="",
            done=job.done,
            total=job.total,
            unit=job.unit,
            rate=job.rate,
            eta_s=None,
            warnings=job.warnings,
        )
        self._board.running.pop(job.id, None)
        self._board.secrets.pop(job.id, None)
        self._board.publish(ended)


def _death(running: RunningJob, status: int | None) -> Death:
    identity = running.folder.process() or {}
    return Death(
        status=status,
        rebooted=identity.get("boot_id", boot_id()) != boot_id(),
        watched=running.process.known,
        oom_kills=_kills_since(identity),
        log=running.folder.log_tail(200)[0],
        disk_full=is_full_now(running.folder.path),
    )


def _kills_since(identity: Json) -> int:
    """Return how many processes the kernel killed for lack of memory since a worker started.

    What counted then is asked now: this server may be in another control group than the one
    that started the worker. Where nothing counts any more, nothing is claimed.
    """
    before, counter = identity.get("oom_kills"), identity.get("oom_counter")
    after = None if counter is None else oom_kills(Path(counter))
    return 0 if before is None or after is None else after - int(before)


def cancelled() -> Json:
    """Return the error of a cancelled job."""
    return CancelledError("The job was cancelled.", hint="Retry it to go on.").to_dict()


def internal() -> Json:
    """Return the error of a job that met a bug of ours; the log has the rest."""
    return {
        "code": "internal_error",
        "message": "Something unexpected went wrong in the server.",
        "hint": "The server's log has the details.",
    }
