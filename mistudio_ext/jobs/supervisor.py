"""The supervisor: one thread that starts, watches, cancels and adopts workers.

It runs no work itself. All its state is in the catalog and in the jobs'
folders, so that another supervisor can go on where this one ended.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable

from mistudio_ext.jobs.adoption import ADOPT_S, Adoption
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.complaints import Complaints
from mistudio_ext.jobs.dispatch import Dispatcher
from mistudio_ext.jobs.endings import Endings
from mistudio_ext.jobs.pool import WarmPool
from mistudio_ext.jobs.running import LOOK_S, RunningJob

#: Seconds between two rounds of housekeeping.
CHORE_S = 3600.0

#: Seconds after which a job is looked at again that could not be looked at.
AGAIN_S = 1.0


class Supervisor:
    """Looks at the queue and at the running workers, again and again.

    Parameters
    ----------
    board
        The jobs.
    dispatcher
        Starts queued jobs.
    endings
        Settles ended ones.
    pool
        The warm workers.
    cancel_grace_s
        Seconds that a worker has to stop by itself before it is killed.
    chore
        What is done at the start and then once an hour.
    """

    def __init__(
        self,
        board: Board,
        dispatcher: Dispatcher,
        endings: Endings,
        pool: WarmPool,
        *,
        cancel_grace_s: float,
        chore: Callable[[], None] = lambda: None,
    ) -> None:
        self._board = board
        self._dispatcher = dispatcher
        self._endings = endings
        self._pool = pool
        self._adoption = Adoption(board)
        self._grace_s = cancel_grace_s
        self._complaints = Complaints()
        self._chore = chore
        self._chore_at = float("-inf")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._stopping = False
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
        for running in self._board.running.values():
            running.process.close()
            if running.worker is not None:
                running.worker.socket.close()
        self._pool.close()
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

    def _supervise(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping:
                try:
                    self._turn(selector)
                except Exception as error:  # noqa: BLE001 - the last resort, logged
                    # One bad turn must not end the supervision of all other jobs.
                    self._complaints.add("A turn of the job manager", error)
                    time.sleep(AGAIN_S)

    def _turn(self, selector: selectors.BaseSelector) -> None:
        # What fails here must not keep the jobs that run from being looked at.
        self._try("Housekeeping", self._do_chore)
        self._try("Noting the ends of jobs", self._endings.end_late)
        self._try("Looking after idle workers", self._pool.reap)
        self._try("Taking over jobs", self._adoption.look)
        self._try("Starting jobs", self._dispatcher.dispatch)
        watched = self._watch(selector)
        try:
            busy = self._board.running or self._dispatcher.waiting()
            selector.select(LOOK_S if busy else ADOPT_S)
        finally:
            for fd in watched:
                selector.unregister(fd)
        self._drain()
        self._look_at_running()

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the last resort, logged
            self._complaints.add(what, error)
        else:
            self._complaints.clear(what)

    def _do_chore(self) -> None:
        if time.monotonic() - self._chore_at > CHORE_S:
            self._chore_at = time.monotonic()
            self._chore()

    def _watch(self, selector: selectors.BaseSelector) -> list[int]:
        processes = [running.process for running in self._board.running.values()]
        fds = [process.pidfd for process in processes if process.pidfd is not None]
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        return fds

    def _look_at_running(self) -> None:
        for running in list(self._board.running.values()):
            late = self._endings.late(running.job.id)
            if late or time.monotonic() < running.look_again_at:
                continue
            what = f"Looking at {running.job.id}"
            try:
                self._look_at(running)
            except Exception as error:  # noqa: BLE001 - the other jobs go on
                self._complaints.add(what, error)
                running.look_again_at = time.monotonic() + AGAIN_S
            else:
                self._complaints.clear(what)

    def _look_at(self, running: RunningJob) -> None:
        dead = not running.process.alive()
        if not dead and running.look_if_due():
            self._board.publish(running.job)
        running.folder.trim_log()
        if dead:
            self._endings.worker_gone(running)
        elif (outcome := running.stayed()) is not None:
            self._endings.worker_stays(running, outcome)
        elif self._board.catalog.jobs.get(running.job.id).cancel_requested:
            running.stop(self._grace_s)

    def _drain(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            return
