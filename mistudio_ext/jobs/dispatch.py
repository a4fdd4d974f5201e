"""The queue: which job starts next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mistudio_ext.catalog import JobRecord
from mistudio_ext.errors import MiStudioError
from mistudio_ext.jobs.admission import Admission, reason
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.endings import Endings, cancelled
from mistudio_ext.jobs.kinds import Json, Needs
from mistudio_ext.jobs.pool import WarmPool
from mistudio_ext.jobs.starter import Place, Starter
from mistudio_ext.leases import Need, Ticket, Turn


@dataclass(frozen=True)
class Wanting:
    """A job that could start if it had a device."""

    job: JobRecord
    needs: Needs
    need: Need


class Dispatcher:
    """Starts the queued jobs of its manager, in order and within the limits.

    Parameters
    ----------
    board
        The jobs.
    endings
        Where jobs go that cannot start.
    starter
        Starts their workers.
    admission
        The jobs' places in the line for devices.
    pool
        The warm workers.
    max_running
        How many jobs may run at the same time, over all managers of the folder.
    """

    def __init__(
        self,
        board: Board,
        endings: Endings,
        starter: Starter,
        admission: Admission,
        pool: WarmPool,
        *,
        max_running: int,
    ) -> None:
        self._board = board
        self._endings = endings
        self._starter = starter
        self._admission = admission
        self._pool = pool
        self._max_running = max_running

    def dispatch(self) -> None:
        """Start what may start, in order."""
        board = self._board
        mine = [job for job in board.queue() if job.owner == board.owners.me]
        if not mine:
            if self._admission.waiting():
                self._admission.arrange(())
            return
        with board.owners.exclusive():
            running = Counter(job.kind for job in board.catalog.jobs.list(state="running"))
            wanting: list[Wanting] = []
            for job in mine:
                if job.cancel_requested:
                    self._endings.end(job, "cancelled", cancelled())
                elif job.kind not in board.kinds:
                    self._endings.end(job, "failed", _unknown(job.kind))
                elif (failure := self._blocked(job)) is not None:
                    if failure:
                        self._endings.end(job, "failed", failure)
                elif self._has_room(job.kind, running):
                    if board.kinds[job.kind].needs is None:
                        running[job.kind] += self._starter.start(job)
                    elif (wants := self._wanting(job)) is not None:
                        running[job.kind] += 1
                        wanting.append(wants)
            self._lease([wants for wants in wanting if not self._start_warm(wants)])

    def waiting(self) -> bool:
        """Tell whether a job waits for a device, so that it is worth looking again soon."""
        return self._admission.waiting()

    def _has_room(self, kind: str, running: Counter[str]) -> bool:
        kinds = self._board.kinds
        if running[kind] >= kinds[kind].limit:
            return False
        counted = sum(n for name, n in running.items() if name in kinds and not kinds[name].apart)
        return kinds[kind].apart or counted < self._max_running

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

    def _wanting(self, job: JobRecord) -> Wanting | None:
        """Return what a job needs; None if it cannot be had, and the job has ended."""
        needs = self._board.kinds[job.kind].needs
        assert needs is not None
        try:
            found = needs(job)
            return Wanting(job, found, self._admission.need(found))
        except MiStudioError as error:
            self._endings.end(job, "failed", error.to_dict())
            return None

    def _start_warm(self, wants: Wanting) -> bool:
        """Start the job in an idle worker that holds a device which will do, if there is one."""
        devices = {device.id for device in wants.need.devices}
        for worker in self._pool.holding(devices, wants.needs.model):
            device = str(worker.device)
            if self._admission.may_keep(device, wants.need, wants.job.id, worker.memory):
                place = Place(
                    device, worker.number, wants.need.memory, wants.needs.model, worker=worker
                )
                self._starter.start(wants.job, place)
                # If the worker was just leaving, the job is queued as before, and stands in line.
                return self._board.catalog.jobs.get(wants.job.id).state != "queued"
        return False

    def _lease(self, wanting: list[Wanting]) -> None:
        """Start those whose turn it is; tell the others why they wait."""
        without = self._admission.arrange([(wants.job.id, wants.need) for wants in wanting])
        for wants in wanting:
            if (error := without.get(wants.job.id)) is not None:
                self._endings.end(wants.job, "failed", self._endings.describe(wants.job, error))
                continue
            found = self._admission.ask(wants.job.id)
            if isinstance(found, Ticket):
                entry = found.entry
                self._starter.start(
                    wants.job,
                    Place(
                        str(entry.device),
                        entry.number,
                        entry.memory,
                        wants.needs.model,
                        ticket=found,
                    ),
                )
            else:
                self._make_room(wants, found)
                self._tell(wants.job, reason(found, wants.need))

    def _make_room(self, wants: Wanting, turn: Turn) -> None:
        """End idle workers that keep a waiting job from its device or memory."""
        devices = {device.id for device in wants.need.devices}
        on_host = any(device.kind == "cpu" for device in wants.need.devices)
        for worker in self._pool.idle:
            in_the_way = worker.device in devices or (
                turn.why == "share" and worker.device is not None
            )
            if in_the_way or (turn.why == "memory" and on_host):
                self._pool.end(worker)

    def _tell(self, job: JobRecord, why: str) -> None:
        if job.message != why:
            self._board.publish(self._board.catalog.jobs.update(job.id, message=why))


def _unknown(kind: str) -> Json:
    return {
        "code": "unknown_kind",
        "message": f"This version of miStudio knows no jobs of the kind '{kind}'.",
        "hint": "A newer one has queued it; upgrade mistudio-ext, then retry.",
    }
