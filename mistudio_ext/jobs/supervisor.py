"""The supervisor: one thread that starts, watches, cancels and adopts workers.

It runs no work itself. All its state is in the catalog and in the jobs'
folders, so that another supervisor can go on where this one ended.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mistudio_ext.catalog import Catalog, JobRecord, now
from mistudio_ext.errors import CancelledError, MiStudioError
from mistudio_ext.jobs.deaths import explain
from mistudio_ext.jobs.folder import EventTail, JobFolder
from mistudio_ext.jobs.kinds import JobKind, Json
from mistudio_ext.jobs.owners import Owners
from mistudio_ext.jobs.process import WorkerProcess, boot_id
from mistudio_ext.jobs.running import RunningJob, absorb

_log = logging.getLogger(__name__)

#: Seconds between looks at running workers' events: at most ten messages a second per job.
TICK_S = 0.1
#: Seconds between looks for jobs that another supervisor left behind.
ADOPT_S = 2.0


class Supervisor:
    """Starts queued jobs of its owner and watches their workers.

    Parameters
    ----------
    catalog
        Where jobs are kept.
    owners
        Who watches which job.
    root
        The data folder.
    kinds
        Registered kinds by name.
    secrets
        Environment variables of workers, by job; forgotten when the job ends.
    publish
        Called with every job that changed.
    max_running
        How many jobs may run at the same time, over all supervisors of the folder.
    cancel_grace_s
        Seconds that a worker has to stop by itself before it is killed.
    worker
        Command of a worker process; the job's folder is added.
    """

    def __init__(
        self,
        catalog: Catalog,
        owners: Owners,
        root: Path,
        kinds: dict[str, JobKind],
        secrets: dict[str, dict[str, str]],
        publish: Callable[[JobRecord], None],
        *,
        max_running: int,
        cancel_grace_s: float,
        worker: Sequence[str],
    ) -> None:
        self._catalog = catalog
        self._owners = owners
        self._root = root
        self._kinds = kinds
        self._secrets = secrets
        self._publish = publish
        self._max_running = max_running
        self._grace_s = cancel_grace_s
        self._worker = worker
        self._running: dict[str, RunningJob] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._foreign: dict[str, tuple[EventTail, JobRecord]] = {}
        self._foreign_lock = threading.Lock()
        self._stopping = False
        self._adopted_at = float("-inf")
        self._thread = threading.Thread(target=self._supervise, name="mistudio-jobs", daemon=True)

    def start(self) -> None:
        """Begin to supervise."""
        self._thread.start()

    def close(self) -> None:
        """Stop supervising; workers go on and can be adopted."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        for running in self._running.values():
            running.process.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wake(self) -> None:
        """Look at the queue now."""
        if self._stopping and not self._thread.is_alive():
            return
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return  # It is awake: the pipe is full of earlier calls.

    def queue(self) -> list[JobRecord]:
        """Return the queued jobs in the order in which they start."""
        queued = self._catalog.jobs.list(state="queued", oldest_first=True)
        return sorted(queued, key=lambda job: -job.priority)

    def folder(self, job_id: str) -> JobFolder:
        """Return a job's folder."""
        return JobFolder(self._root / "jobs" / job_id)

    def live(self, job: JobRecord) -> JobRecord:
        """Add the worker's latest progress to a running job's row."""
        if job.state != "running":
            return job
        running = self._running.get(job.id)
        if running is None:
            return self._elsewhere(job)
        live = running.job
        return replace(live, cancel_requested=job.cancel_requested)

    def _elsewhere(self, job: JobRecord) -> JobRecord:
        """Return a job whose worker another supervisor watches; only new events are read."""
        with self._foreign_lock:
            tail, seen = self._foreign.get(job.id, (None, job))
            if tail is None or seen.attempt != job.attempt:
                tail, seen = EventTail(self.folder(job.id)), job
            seen = absorb(seen, tail.read())
            self._foreign[job.id] = (tail, seen)
            return seen

    def _supervise(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping:
                try:
                    self._turn(selector)
                except Exception:  # noqa: BLE001 - the last resort, logged
                    # One bad turn must not end the supervision of all other jobs.
                    _log.exception("The job manager stumbled; it goes on.")
                    time.sleep(1.0)

    def _turn(self, selector: selectors.BaseSelector) -> None:
        self._adopt_left_behind()
        self._dispatch()
        watched = self._watch(selector)
        try:
            selector.select(TICK_S if self._running else ADOPT_S)
        finally:
            for fd in watched:
                selector.unregister(fd)
        self._drain()
        self._look_at_running()

    def _watch(self, selector: selectors.BaseSelector) -> list[int]:
        fds = [r.process.pidfd for r in self._running.values() if r.process.pidfd is not None]
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        return fds

    def _dispatch(self) -> None:
        """Start what may start, in order."""
        mine = [job for job in self.queue() if job.owner == self._owners.me]
        if not mine:
            return
        with self._owners.exclusive():
            running = [job.kind for job in self._catalog.jobs.list(state="running")]
            for job in mine:
                if job.cancel_requested:
                    self._end(job, "cancelled", _cancelled())
                elif (failure := self._blocked(job)) is not None:
                    if failure:
                        self._end(job, "failed", failure)
                elif (
                    len(running) < self._max_running
                    and running.count(job.kind) < self._kinds[job.kind].limit
                    and self._start(job)
                ):
                    running.append(job.kind)

    def _blocked(self, job: JobRecord) -> Json | None:
        """Return None if all that the job needs is done, {} to wait, or why it cannot run."""
        waiting = False
        for needed_id in job.depends_on:
            needed = self._catalog.jobs.find(id=needed_id)
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
        kind = self._kinds[job.kind]
        folder = self.folder(job.id)
        # Before the state changes: a server that dies in between must not find an old result.
        folder.clear()
        taken = self._catalog.jobs.update_if(
            job.id,
            {"state": "queued", "owner": self._owners.me},
            state="running",
            started_at=now(),
            phase="starting",
            attempt=job.attempt + 1,
        )
        if not taken:
            return False
        job = self._catalog.jobs.get(job.id)
        try:
            spec = {"job_id": job.id, "kind": job.kind, **kind.prepare(job)}
            folder.write_spec(spec)
            environment = {**kind.environment(job), **self._secrets.get(job.id, {})}
            with folder.locked() as lock:
                process = WorkerProcess.spawn(
                    self._worker, folder.path, folder.log, environment, lock
                )
        except (MiStudioError, OSError) as error:
            self._end(job, "failed", _describe(error))
            return False
        except Exception:  # noqa: BLE001 - the last resort, logged
            _log.exception("%s could not be prepared.", job.id)
            self._end(job, "failed", _internal())
            return False
        self._running[job.id] = RunningJob(job, folder, process)
        self._publish(job)
        return True

    def _look_at_running(self) -> None:
        for running in list(self._running.values()):
            try:
                self._look_at(running)
            except Exception:  # noqa: BLE001 - the other jobs go on
                _log.exception("%s could not be looked at.", running.job.id)

    def _look_at(self, running: RunningJob) -> None:
        dead = not running.process.alive()
        if running.look() and not dead:
            self._publish(running.job)
        running.folder.trim_log()
        if dead:
            self._finish(running)
        elif self._catalog.jobs.get(running.job.id).cancel_requested:
            running.stop(self._grace_s)

    def _finish(self, running: RunningJob) -> None:
        """Settle a job whose worker is gone."""
        running.look()
        status = running.process.reap()
        # A live record goes before the entry in _running, so that readers never see old progress.
        job = running.job
        outcome = running.folder.result()
        identity = running.folder.process() or {}
        if outcome is not None and outcome["state"] == "done":
            self._succeed(job, outcome["result"])
        elif outcome is not None:
            self._end(job, outcome["state"], outcome.get("error") or _cancelled())
        elif self._catalog.jobs.get(job.id).cancel_requested:
            self._end(job, "cancelled", _cancelled())
        else:
            state, error = explain(status, identity.get("boot_id", boot_id()) != boot_id())
            error["log_tail"] = running.folder.log_tail(10)[0]
            self._end(job, state, error)

    def _succeed(self, job: JobRecord, result: Json) -> None:
        try:
            self._kinds[job.kind].finish(job, result)
        except MiStudioError as error:
            self._end(job, "failed", error.to_dict())
            return
        except Exception:  # noqa: BLE001 - the last resort, logged
            _log.exception("The result of %s could not be taken over.", job.id)
            self._end(job, "failed", _internal())
            return
        self._settle(job, "done", None)

    def _end(self, job: JobRecord, state: str, error: Json) -> None:
        try:
            self._kinds[job.kind].fail(job, state, error)
        except Exception:  # noqa: BLE001 - the job has ended all the same
            _log.exception("The end of %s could not be noted everywhere.", job.id)
        self._settle(job, state, error)

    def _settle(self, job: JobRecord, state: str, error: Json | None) -> None:
        ended = self._catalog.jobs.update(
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
        self._running.pop(job.id, None)
        self._secrets.pop(job.id, None)
        self._foreign.pop(job.id, None)
        self._publish(ended)

    def _adopt_left_behind(self) -> None:
        """Take over jobs whose manager is gone."""
        if time.monotonic() - self._adopted_at < ADOPT_S:
            return
        self._adopted_at = time.monotonic()
        for job in self._catalog.jobs.list(state=("queued", "running"), oldest_first=True):
            if job.id in self._running or self._owners.alive(job.owner):
                continue
            folder = self.folder(job.id)
            if job.state == "running" and folder.process() is None and folder.worker_lives():
                continue  # It was started this moment and says who it is the next.
            taken = self._catalog.jobs.update_if(
                job.id, {"state": job.state, "owner": job.owner}, owner=self._owners.me
            )
            if taken and job.state == "running":
                self._adopt(self._catalog.jobs.get(job.id))

    def _adopt(self, job: JobRecord) -> None:
        """Watch a worker that an earlier server started, or settle what it left."""
        folder = self.folder(job.id)
        identity = folder.process()
        process = WorkerProcess.adopt(identity) if identity else None
        if process is None:
            process = _Gone()
        self._running[job.id] = RunningJob(job, folder, process)

    def _drain(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            return


class _Gone(WorkerProcess):
    """A worker that no longer exists."""

    def __init__(self) -> None:
        self.pid = 0
        self.pidfd = None
        self._child = None

    def alive(self) -> bool:
        return False


def _cancelled() -> Json:
    return CancelledError("The job was cancelled.", hint="Retry it to go on.").to_dict()


def _internal() -> Json:
    return {
        "code": "internal_error",
        "message": "Something unexpected went wrong in the server.",
        "hint": "The server's log has the details.",
    }


def _describe(error: MiStudioError | OSError) -> Json:
    if isinstance(error, MiStudioError):
        return error.to_dict()
    return {
        "code": "worker_not_started",
        "message": f"The worker process could not be started: {error.strerror or error}.",
        "hint": "Look at the memory and process limits of this machine.",
    }
