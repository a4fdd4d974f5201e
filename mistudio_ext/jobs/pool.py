"""Warm workers: processes that have ended a job and wait for the next one.

Each hangs on a socket of its manager. When the manager is gone, the kernel closes the
socket, and an idle worker leaves; one with a job finishes it first.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass

from mistudio_ext.jobs.process import WorkerProcess
from mistudio_ext.launch import Launch

_log = logging.getLogger(__name__)

#: Seconds in which a warm worker must take a job that it is handed.
ANSWER_S = 2.0

#: Idle workers that are kept; more are ended, the longest idle first.
KEPT = 2

#: Bytes of a model that is loaded again in less time than a new process takes to start.
SMALL = 2 << 30


@dataclass
class WarmWorker:
    """A worker that can take another job.

    Attributes
    ----------
    process, socket
        The process, and our end of the socket to it.
    environment
        Variables that it was started with; another job must want the same.
    device
        The device that it holds, None if it holds none.
    number
        Number of the ticket by which it holds it.
    memory
        Bytes that were granted there.
    model
        What it has in memory.
    idle_since
        When it ended its last job; None while it has one.
    """

    process: WorkerProcess
    socket: socket.socket
    environment: dict[str, str]
    device: str | None = None
    number: int = 0
    memory: int = 0
    model: str = ""
    idle_since: float | None = None


class WarmPool:
    """The warm workers of one manager.

    Parameters
    ----------
    idle_s
        Seconds that a worker waits for another job; 0 for no warm workers.
    """

    def __init__(self, idle_s: float) -> None:
        self.idle_s = idle_s
        self._idle: list[WarmWorker] = []

    @property
    def idle(self) -> list[WarmWorker]:
        """Workers without a job, the one that ended its job last first."""
        return sorted(self._idle, key=lambda w: -(w.idle_since or 0.0))

    def free(self, environment: dict[str, str]) -> WarmWorker | None:
        """Return an idle worker of this environment that holds no device.

        One with a small model will do if there is no other: it drops the model and its
        device, which are had again sooner than the imports of a new process.
        """
        fitting = [w for w in self.idle if w.environment == environment]
        small = [w for w in fitting if w.device is not None and w.memory <= SMALL]
        return next(iter([w for w in fitting if w.device is None] + small), None)

    def holding(self, devices: Collection[str], model: str) -> list[WarmWorker]:
        """Return idle workers that hold one of these devices; those with the model first."""
        found = [worker for worker in self.idle if worker.device in devices]
        return sorted(found, key=lambda worker: worker.model != model)

    def hand(self, worker: WarmWorker, launch: Launch) -> bool:
        """Hand a job to an idle worker; tell whether it took it. One that did not is ended."""
        self._idle.remove(worker)
        try:
            worker.socket.settimeout(ANSWER_S)
            socket.send_fds(worker.socket, [launch.message()], launch.fds)
            taken = worker.socket.recv(16) == b"taken"
        except OSError:
            taken = False
        if taken:
            worker.idle_since = None
        else:
            _log.info(
                "Warm worker %d was just leaving; another one is started.", worker.process.pid
            )
            self._finish(worker)
        return taken

    def rest(self, worker: WarmWorker) -> None:
        """Take back a worker that has ended its job."""
        worker.idle_since = time.monotonic()
        self._idle.append(worker)
        for surplus in self.idle[KEPT:]:
            self.end(surplus)

    def end(self, worker: WarmWorker) -> None:
        """End an idle worker; its device and memory are free when this returns."""
        self._idle.remove(worker)
        self._finish(worker)

    def reap(self) -> None:
        """Clear up after idle workers that have left by themselves."""
        for worker in [w for w in self._idle if not w.process.alive()]:
            self.end(worker)

    def close(self) -> None:
        """End all idle workers; those with a job see that we are gone when it is done."""
        for worker in self.idle:
            self.end(worker)

    @staticmethod
    def _finish(worker: WarmWorker) -> None:
        # It has no job and nothing to save: no grace is needed.
        with contextlib.suppress(OSError):
            worker.socket.close()
        worker.process.kill()
        worker.process.reap()
