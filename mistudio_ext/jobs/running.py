"""A job while its worker runs: the worker's events turned into progress."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from mistudio_ext.catalog import JobRecord
from mistudio_ext.jobs.folder import EventTail, JobFolder
from mistudio_ext.jobs.pool import WarmWorker
from mistudio_ext.jobs.process import WorkerProcess

#: Seconds between two looks at a worker's events: at most ten messages a second per job.
LOOK_S = 0.1

_PROGRESS = ("done", "total", "unit", "message", "rate", "eta_s")


def absorb(job: JobRecord, events: list[dict[str, Any]]) -> JobRecord:
    """Return the job as the worker's events leave it."""
    for event in events:
        if event["event"] == "phase":
            job = replace(
                job,
                phase=event["phase"],
                message=event.get("message", ""),
                done=0,
                total=None,
                unit="",
                rate=None,
                eta_s=None,
            )
        elif event["event"] == "progress":
            progress: dict[str, Any] = {name: event.get(name) for name in _PROGRESS}
            job = replace(job, **progress)
        elif event["event"] == "warning":
            warning = {"code": event["code"], "message": event["message"]}
            job = replace(job, warnings=[*job.warnings, warning])
    return job


class RunningJob:
    """A worker that is being watched."""

    def __init__(
        self,
        job: JobRecord,
        folder: JobFolder,
        process: WorkerProcess,
        worker: WarmWorker | None = None,
    ) -> None:
        self.job = job
        self.folder = folder
        self.process = process
        self.worker = worker
        self.tail = EventTail(folder)
        #: When to look at it again, after that failed.
        self.look_again_at = float("-inf")
        self._looked_at = float("-inf")
        self._asked_to_stop: float | None = None

    def look(self) -> bool:
        """Read new events; tell whether there were any."""
        events = self.tail.read()
        self.job = absorb(self.job, events)
        return bool(events)

    def look_if_due(self) -> bool:
        """Look, unless it was looked this moment, however often one is asked."""
        if time.monotonic() - self._looked_at < LOOK_S:
            return False
        self._looked_at = time.monotonic()
        return self.look()

    def stayed(self) -> dict[str, Any] | None:
        """Return the result if the worker has ended this job and stays for another one."""
        if self.worker is None or (outcome := self.folder.result()) is None:
            return None
        return outcome if outcome.get("stays") else None

    def stop(self, grace_s: float) -> None:
        """Ask the worker to stop, and kill it when the grace period is over."""
        now = time.monotonic()
        if self._asked_to_stop is None:
            self._asked_to_stop = now
            self.process.terminate()
        elif now - self._asked_to_stop > grace_s:
            self.process.kill()
