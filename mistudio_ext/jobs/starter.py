"""A job's worker: a warm one if there is, else a new process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mistudio_ext.catalog import JobRecord, now
from mistudio_ext.disk.full import is_full
from mistudio_ext.errors import MiStudioError
from mistudio_ext.jobs.board import Board
from mistudio_ext.jobs.endings import Endings
from mistudio_ext.jobs.kinds import Json
from mistudio_ext.jobs.pool import WarmPool, WarmWorker
from mistudio_ext.jobs.process import WorkerProcess
from mistudio_ext.jobs.running import RunningJob
from mistudio_ext.launch import Launch
from mistudio_ext.leases import LeaseFolder, Ticket
from mistudio_ext.leases.devices import VISIBLE


@dataclass(frozen=True)
class Place:
    """Where a job runs.

    Attributes
    ----------
    device
        The device's id.
    number
        The ticket's number.
    memory
        Bytes granted.
    model
        What will be in memory.
    ticket
        The ticket, to be handed over; None if the worker has it.
    worker
        The warm worker that has it.
    """

    device: str
    number: int
    memory: int
    model: str
    ticket: Ticket | None = None
    worker: WarmWorker | None = None


class Starter:
    """Starts workers.

    Parameters
    ----------
    board
        The jobs.
    endings
        Where jobs go that cannot start.
    pool
        The warm workers.
    leases
        Where tickets are.
    worker
        Command of a worker process; the job's folder is added.
    max_hold_s
        Seconds after which a job yields its device when others wait; 0 for never.
    """

    def __init__(
        self,
        board: Board,
        endings: Endings,
        pool: WarmPool,
        leases: LeaseFolder,
        *,
        worker: Sequence[str],
        max_hold_s: float,
    ) -> None:
        self._board = board
        self._endings = endings
        self._pool = pool
        self._leases = leases
        self._worker = worker
        self._max_hold_s = max_hold_s

    def start(self, job: JobRecord, place: Place | None = None) -> bool:
        """Start a job; tell whether it runs. A ticket that was not handed over is given up."""
        board = self._board
        try:
            # What its end needs is there before it begins.
            board.catalog.keep_room()
            # Before the state changes: a server that dies in between must not find an old result.
            board.folder(job.id).clear()
        except (MiStudioError, OSError) as error:
            if place is not None and place.ticket is not None:
                place.ticket.give_up()
            self._endings.end(job, "failed", self._describe(job, error))
            return False
        taken = board.catalog.jobs.update_if(
            job.id,
            {"state": "queued", "owner": board.owners.me},
            state="running",
            started_at=now(),
            phase="starting",
            message="",
            device=place.device if place else None,
            attempt=job.attempt + 1,
        )
        running = self._try(board.catalog.jobs.get(job.id), place) if taken else None
        if place is not None and place.ticket is not None:
            if running is None:
                place.ticket.give_up()
            else:
                place.ticket.hand_over()
        if running is None:
            return False
        board.running[job.id] = running
        board.publish(running.job)
        return True

    def _try(self, job: JobRecord, place: Place | None) -> RunningJob | None:
        try:
            return self._run(job, place)
        except (MiStudioError, OSError) as error:
            self._endings.end(job, "failed", self._describe(job, error))
        except Exception as error:  # noqa: BLE001 - the last resort, logged
            self._endings.end(job, "failed", self._endings.describe(job, error))
        return None

    def _describe(self, job: JobRecord, error: Exception) -> Json:
        if isinstance(error, OSError) and not (isinstance(error, MiStudioError) or is_full(error)):
            return {
                "code": "worker_not_started",
                "message": f"The worker process could not be started: {error.strerror or error}.",
                "hint": "Look at the memory and process limits of this machine.",
            }
        return self._endings.describe(job, error)

    def _run(self, job: JobRecord, place: Place | None) -> RunningJob | None:
        kind, folder = self._board.kinds[job.kind], self._board.folder(job.id)
        spec = {"job_id": job.id, "kind": job.kind, **kind.prepare(job)}
        if place is not None:
            spec["lease"] = self._lease(place)
        folder.write_spec(spec)
        environment = {**kind.environment(job), VISIBLE: self._visible(place)}
        with folder.locked() as lock:
            warm = place.worker if place else None
            keeps = warm is not None
            if warm is None and kind.reuses:
                warm = self._pool.free(environment)
            launch = Launch(
                job_dir=folder.path,
                environment=self._board.secrets.get(job.id, {}),
                lock=lock,
                ticket=place.ticket.fd if place and place.ticket else None,
                keeps_lease=keeps,
                drops_lease=warm is not None and not keeps and warm.device is not None,
            )
            process = self._hand(warm, launch) if warm is not None else None
            if process is None and launch.keeps_lease:
                # The lease has gone with the worker: the job has to stand in line.
                self._endings.queue_again(job, last=False)
                return None
            if process is None:
                process, warm = self._spawn(launch, folder.log, environment)
        if warm is not None:
            warm.device, warm.number = (place.device, place.number) if place else (None, 0)
            warm.memory, warm.model = (place.memory, place.model) if place else (0, "")
        return RunningJob(job, folder, process, warm)

    def _hand(self, worker: WarmWorker, launch: Launch) -> WorkerProcess | None:
        """Give the job to a warm worker; None if it was just leaving."""
        worker.process.note(launch.job_dir)
        if self._pool.hand(worker, launch):
            return worker.process
        (launch.job_dir / "process.json").unlink(missing_ok=True)
        return None

    def _spawn(
        self, launch: Launch, log: Path, environment: dict[str, str]
    ) -> tuple[WorkerProcess, WarmWorker | None]:
        """Start a process for the job; it stays for others if warm workers are wanted."""
        with _socket_pair(self._pool.idle_s > 0) as (ours, theirs):
            inherited = [*launch.fds, *([theirs.fileno()] if theirs else [])]
            variables = launch.variables(theirs.fileno() if theirs else None, self._pool.idle_s)
            process = WorkerProcess.spawn(
                self._worker, launch.job_dir, log, {**environment, **variables}, inherited
            )
        return process, WarmWorker(process, ours, environment) if ours else None

    def _visible(self, place: Place | None) -> str:
        """Return the GPUs that the worker may see: the one that it holds, or none."""
        device = self._leases.devices.get(place.device) if place else None
        return device.id if device is not None and device.kind == "gpu" else ""

    def _lease(self, place: Place) -> Json:
        device = self._leases.devices.get(place.device)
        return {
            "folder": str(self._leases.path),
            "device": place.device,
            "number": place.number,
            # The worker sees no other GPU than this one.
            "torch_device": "cuda:0" if device is not None and device.kind == "gpu" else "cpu",
            "memory": place.memory,
            "model": place.model,
            "max_hold_s": self._max_hold_s,
        }


@contextlib.contextmanager
def _socket_pair(
    wanted: bool,
) -> Iterator[tuple[socket.socket | None, socket.socket | None]]:
    """Yield our end and the worker's; ours stays open unless the worker cannot be started."""
    if not wanted:
        yield None, None
        return
    ours, theirs = socket.socketpair()
    try:
        yield ours, theirs
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
