"""The job manager: jobs queued, looked at, cancelled and tried again."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mistudio_ext.catalog import Catalog, JobRecord, new_id, now
from mistudio_ext.errors import ConflictError, InvalidInputError, NotFoundError
from mistudio_ext.jobs.admission import Admission, Place
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.bus import EventBus
from mistudio_ext.jobs.dispatch import Dispatcher
from mistudio_ext.jobs.endings import Endings
from mistudio_ext.jobs.folder import JobFolder
from mistudio_ext.jobs.kinds import ENDED, JobKind, Json
from mistudio_ext.jobs.live import LiveProgress
from mistudio_ext.jobs.owners import Owners
from mistudio_ext.jobs.pool import WarmPool
from mistudio_ext.jobs.retention import expired, unfinished
from mistudio_ext.jobs.starter import Starter
from mistudio_ext.jobs.supervisor import Supervisor
from mistudio_ext.jobs.view import lease, public
from mistudio_ext.leases import Device, LeaseFolder, find_devices, holders
from mistudio_ext.paths import DataFolder

#: Priorities that a user may give.
PRIORITIES = range(-100, 101)

#: Command that runs one job.
WORKER = (sys.executable, "-m", "mistudio_ext.workers")


class JobManager:
    """Queue and supervisor of worker processes.

    Parameters
    ----------
    catalog
        Where jobs are kept.
    bus
        Where changes are published.
    root
        The data folder.
    max_running
        How many jobs may run at the same time, over all managers of the folder.
    cancel_grace_s
        Seconds that a worker has to stop by itself before it is killed.
    worker
        Command of a worker process; the job's folder is added.
    leases
        Where devices are leased; by default a folder of the data folder's own.
    max_hold_s
        Seconds after which a job yields its device when others wait; 0 for never.
    warm_idle_s
        Seconds that a worker stays for another job; 0 for never.
    retention_days
        Days after which ended jobs are forgotten; 0 for never.
    """

    def __init__(
        self,
        catalog: Catalog,
        bus: EventBus,
        root: Path,
        *,
        max_running: int = 3,
        cancel_grace_s: float = 5.0,
        worker: Sequence[str] = WORKER,
        leases: LeaseFolder | None = None,
        max_hold_s: float = 0.0,
        warm_idle_s: float = 0.0,
        retention_days: float = 0.0,
    ) -> None:
        self._catalog = catalog
        self._bus = bus
        self._owners = Owners(root / "jobs" / ".owners")
        self._board = Board(catalog, self._owners, root, self._publish)
        self._kinds, self._secrets = self._board.kinds, self._board.secrets
        self._live = LiveProgress(self._board)
        self._changed = threading.Condition()
        self.closed = False
        self._retention_days = retention_days
        self._leases = leases or own_leases(root, find_devices((), os.environ))
        self._admission = Admission(self._leases, self._owners.me, self._board.folder)
        pool = WarmPool(warm_idle_s)
        endings = Endings(self._board, pool)
        starter = Starter(
            self._board, endings, pool, self._leases, worker=worker, max_hold_s=max_hold_s
        )
        dispatcher = Dispatcher(
            self._board, endings, starter, self._admission, pool, max_running=max_running
        )
        self._supervisor = Supervisor(
            self._board,
            dispatcher,
            endings,
            pool,
            cancel_grace_s=cancel_grace_s,
            chore=self.forget_old,
        )

    @property
    def kinds(self) -> Mapping[str, JobKind]:
        """The kinds of jobs that are known, by name."""
        return self._kinds

    def register(self, kind: JobKind) -> None:
        """Make a kind of job known; before :meth:`start`."""
        self._kinds[kind.name] = kind

    def start(self) -> None:
        """Begin to supervise."""
        self._supervisor.start()

    def close(self) -> None:
        """Stop supervising; workers go on and can be adopted."""
        if self.closed:
            return
        self.closed = True
        self._supervisor.close()
        self._admission.close()
        self._owners.close()

    def submit(
        self,
        kind: str,
        target: tuple[str, str, str],
        params: Json,
        *,
        depends_on: Iterable[str] = (),
        secrets: dict[str, str] | None = None,
        priority: int = 0,
    ) -> JobRecord:
        """Queue a job.

        Parameters
        ----------
        kind
            A registered kind.
        target
            Type, id and name of what the job makes.
        params
            What the kind's ``prepare`` needs; kept in the catalog, so no secrets.
        depends_on
            Jobs that must be done first.
        secrets
            Environment variables for the worker that are kept in memory only.
        priority
            Jobs with a higher one start first.
        """
        job = JobRecord(
            id=new_id("job"),
            kind=kind,
            target_type=target[0],
            target_id=target[1],
            target_name=target[2],
            params=params,
            depends_on=list(depends_on),
            priority=priority,
            owner=self._owners.me,
        )
        if secrets:
            self._secrets[job.id] = secrets
        self._catalog.jobs.add(job)
        self._publish(job)
        self._supervisor.wake()
        return job

    def get(self, job_id: str) -> JobRecord:
        """Return a job with its live progress."""
        return self._live.of(self._catalog.jobs.get(job_id))

    def all(self, **equal: Any) -> list[JobRecord]:
        """Return jobs, newest first, with their live progress."""
        return [self._live.of(job) for job in self._catalog.jobs.list(**equal)]

    def view(self, job: JobRecord) -> Json:
        """Return a job as REST and events give it."""
        return public(job, self.queue_position(job))

    def busy(self) -> bool:
        """Tell whether any job is queued or running."""
        return bool(self._catalog.jobs.list(state=("queued", "running"), limit=1))

    def folder(self, job_id: str) -> JobFolder:
        """Return a job's folder."""
        return self._board.folder(job_id)

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a queued or running job; an ended one is left as it is."""
        job = self._catalog.jobs.get(job_id)
        if job.state in ENDED:
            return job
        self._catalog.jobs.update(job_id, cancel_requested=True)
        self._supervisor.wake()
        return self.get(job_id)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """Let no job of the data folder start while this is held; what runs goes on."""
        return self._owners.exclusive()

    def prioritise(self, job_id: str, priority: Any) -> JobRecord:
        """Let a job start before (or after) others that wait.

        Raises
        ------
        InvalidInputError
            If the priority is no whole number from -100 to 100.
        """
        if (
            isinstance(priority, bool)
            or not isinstance(priority, int)
            or priority not in PRIORITIES
        ):
            raise InvalidInputError(
                f"The priority must be a whole number from -100 to 100, not {priority!r}.",
                code="bad_priority",
                field="priority",
            )
        self._catalog.jobs.update(job_id, priority=priority)
        job = self.get(job_id)
        self._publish(job)
        self._supervisor.wake()
        return job

    def forget(self, job_id: str) -> Json:
        """Remove an ended job with its log.

        Raises
        ------
        ConflictError
            If it has not ended, or if a retry of it could still go on with something.
        """
        job = self._catalog.jobs.get(job_id)
        if job.state not in ENDED:
            raise ConflictError(f"The job is {job.state}.", code="in_use", hint="Cancel it first.")
        if unfinished(self._catalog, job):
            raise ConflictError(
                f"'{job.target_name}' is unfinished, and a retry of this job would go on with it.",
                code="in_use",
                hint=f"Delete the {job.target_type} first, or retry the job.",
            )
        freed = self.folder(job_id).remove()
        self._catalog.jobs.delete(job_id)
        self._bus.publish("job", f"jobs/{job_id}", {"id": job_id, "deleted": True})
        return {"deleted": [job_id], "freed_bytes": freed}

    def forget_old(self) -> None:
        """Remove ended jobs that are older than the settings say, and that nothing needs."""
        for job in expired(self._catalog, self._retention_days) if self._retention_days else []:
            with contextlib.suppress(ConflictError, NotFoundError):  # It changed this moment.
                self.forget(job.id)

    def retry(
        self, job_id: str, secrets: dict[str, str] | None = None, change: Json | None = None
    ) -> JobRecord:
        """Queue an ended job again; what its worker left is used.

        Parameters
        ----------
        job_id
            A job that failed, was cancelled or interrupted.
        secrets
            Environment variables for the worker that are kept in memory only.
        change
            Fields of what was asked for that are to be other ones, as the error's ``remedies``
            propose them; checked like a first request.

        Raises
        ------
        ConflictError
            If the job has not ended so, or if the changed request is that of something else.
        InvalidInputError
            For a change that cannot be.
        """
        job = self._catalog.jobs.get(job_id)
        if job.state not in ("failed", "cancelled", "interrupted"):
            raise ConflictError(
                f"The job is {job.state}; only a failed, cancelled or interrupted one "
                "can be tried again.",
                code="not_ended",
            )
        if change:
            changes = self._kinds[job.kind].change
            if changes is None:
                raise InvalidInputError(
                    f"A job of the kind '{job.kind}' is tried again as it is.",
                    code="unknown_field",
                    field=next(iter(change)),
                )
            changes(job, change)
        for needed_id in job.depends_on:
            needed = self._catalog.jobs.find(id=needed_id)
            if needed is not None and needed.state not in ("done", "queued", "running"):
                self.retry(needed_id, secrets)
        self._kinds[job.kind].restart(job)
        if secrets:
            self._secrets[job_id] = secrets
        taken = self._catalog.jobs.update_if(
            job_id,
            {"state": job.state, "attempt": job.attempt},
            state="queued",
            owner=self._owners.me,
            error=None,
            warnings=[],
            cancel_requested=False,
            queued_at=now(),
            device=None,
            phase=None,
            message="",
            done=0,
            total=None,
            started_at=None,
            ended_at=None,
        )
        job = self._catalog.jobs.get(job_id)
        if taken:
            self._publish(job)
            self._supervisor.wake()
        return job

    def wait(self, job_id: str, timeout: float | None = None) -> JobRecord:
        """Block until the job changes or ends, at most ``timeout`` seconds; return it."""
        with self._changed:
            job = self.get(job_id)
            if job.state not in ENDED:
                self._changed.wait(min(timeout or 1.0, 1.0))
        return self.get(job_id)

    def devices(self) -> list[Json]:
        """Return the devices that are leased here: ``{id, kind, index}``."""
        return [vars(device) for device in self._leases.devices.values()]

    def place(self, wanted: str) -> Place:
        """Return where a job that wants ``auto``, ``cpu``, ``cuda`` or ``cuda:<index>`` will run.

        Raises
        ------
        InvalidInputError
            If there is no such device (code ``no_such_device``).
        """
        return self._admission.place(wanted)

    def leases(self) -> list[Json]:
        """Return who holds, and who waits for, which device; see :func:`view.lease`."""
        return [lease(entry) for entry in holders(self._leases.path)]

    def queue_position(self, job: JobRecord) -> int | None:
        """Return how many queued jobs come before this one, None if it is not queued."""
        if job.state != "queued":
            return None
        waiting = [queued.id for queued in self._board.queue()]
        return waiting.index(job.id) if job.id in waiting else 0

    def _publish(self, job: JobRecord) -> None:
        self._bus.publish("job", f"jobs/{job.id}", self.view(job))
        with self._changed:
            self._changed.notify_all()


def own_leases(root: Path, devices: Sequence[Device]) -> LeaseFolder:
    """Return the leases of a data folder by itself."""
    folder = DataFolder(root).leases
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return LeaseFolder(folder, devices)
