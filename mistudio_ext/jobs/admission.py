"""The places of this manager's jobs in the line for devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mistudio_ext.disk.full import is_full
from mistudio_ext.errors import InvalidInputError, OutOfMemoryError
from mistudio_ext.jobs.folder import JobFolder
from mistudio_ext.jobs.kinds import Needs
from mistudio_ext.leases import Device, LeaseFolder, Need, Ticket, Turn
from mistudio_ext.leases.memory import memory_of

#: What must be free beyond the estimate: a tenth of it, and what every process takes.
MARGIN_SHARE, MARGIN_BYTES = 0.1, 256 << 20


@dataclass(frozen=True)
class Place:
    """Where a job will run.

    Attributes
    ----------
    kind
        ``gpu`` or ``cpu``.
    usable
        Bytes that a job may say it needs there, at most; None where nobody tells.
    """

    kind: str
    usable: int | None


class Admission:
    """Tickets for queued jobs.

    The line is one of managers: which of its jobs uses a ticket is the manager's own
    affair, so that a job with a higher priority takes the best of them.

    Parameters
    ----------
    leases
        Where tickets are.
    manager
        Name of the manager.
    folder
        Tells a job's folder, which keeps the job's place for the manager after this one.
    """

    def __init__(
        self, leases: LeaseFolder, manager: str, folder: Callable[[str], JobFolder]
    ) -> None:
        self._leases = leases
        self._manager = manager
        self._folder = folder
        self._tickets: dict[str, Ticket] = {}

    def need(self, needs: Needs) -> Need:
        """Return which devices will do and how many bytes must be free there.

        Raises
        ------
        InvalidInputError
            If there is no such device.
        OutOfMemoryError
            If none of them is large enough, however long one waited.
        """
        devices = self._devices(needs.device)
        need = Need(devices, int(needs.memory * (1 + MARGIN_SHARE)) + MARGIN_BYTES)
        largest = _largest(devices)
        if largest is not None and largest < need.memory:
            raise OutOfMemoryError(
                f"The job needs about {_gb(need.memory)}, but the largest device that it may use "
                f"has {_gb(largest)}.",
                hint="Choose a smaller format (bf16, q8, q4), fewer tokens at once, "
                "or another device.",
            )
        return need

    def place(self, wanted: str) -> Place:
        """Return where a job that wants this device will run.

        Raises
        ------
        InvalidInputError
            If there is no such device.
        """
        devices = self._devices(wanted)
        largest = _largest(devices)
        usable = None if largest is None else int((largest - MARGIN_BYTES) / (1 + MARGIN_SHARE))
        return Place(devices[0].kind, usable)

    def arrange(self, wanting: Sequence[tuple[str, Need]]) -> dict[str, OSError]:
        """Have one ticket for each of these jobs, the oldest for the first, and no others.

        Returns
        -------
        dict
            Jobs that got none because the disk of the tickets is full, and what was raised.
        """
        tickets = sorted(self._tickets.values(), key=lambda ticket: ticket.number)
        for surplus in tickets[len(wanting) :]:
            surplus.give_up()
        for job_id in self._tickets.keys() - {job_id for job_id, _ in wanting}:
            self._folder(job_id).keep_place(None)
        self._tickets = {}
        without: dict[str, OSError] = {}
        for place, (job_id, need) in enumerate(wanting):
            folder = self._folder(job_id)
            if place < len(tickets):
                ticket = tickets[place]
                devices = tuple(device.id for device in need.devices)
                if (ticket.entry.job, ticket.entry.devices) != (job_id, devices):
                    ticket.change(job=job_id, devices=devices, memory=need.memory)
            else:
                try:
                    ticket = self._leases.enter(need, job_id, self._manager, folder.place)
                except OSError as error:
                    if not is_full(error):
                        raise
                    without[job_id] = error
                    continue
            folder.keep_place(ticket.number)
            self._tickets[job_id] = ticket
        return without

    def ask(self, job_id: str) -> Ticket | Turn:
        """Return the job's ticket if it holds a device now, else why it has to wait."""
        ticket = self._tickets[job_id]
        turn = None if ticket.entry.device is not None else self._leases.advance(ticket)
        if turn is not None and turn.device is None:
            return turn
        self._folder(job_id).keep_place(None)
        return self._tickets.pop(job_id)

    def waiting(self) -> bool:
        """Tell whether any job waits for a device."""
        return bool(self._tickets)

    def may_keep(self, device: str, need: Need, job_id: str, released: int) -> bool:
        """Tell whether our idle worker may go on with its device for this job."""
        first = self._leases.next_for(device)
        ours = first is None or (first.manager == self._manager and first.job == job_id)
        return ours and self._leases.room_for(need, device, released)

    def _devices(self, wanted: str) -> tuple[Device, ...]:
        everything = tuple(self._leases.devices.values())
        gpus = tuple(device for device in everything if device.kind == "gpu")
        slots = tuple(device for device in everything if device.kind == "cpu")
        if wanted == "auto":
            return gpus or slots
        if wanted == "cpu":
            return slots
        chosen = tuple(d for d in gpus if wanted in ("cuda", f"cuda:{d.index}"))
        if not chosen:
            raise InvalidInputError(
                f"There is no device '{wanted}' here.",
                code="no_such_device",
                field="device",
                hint="Use auto or cpu."
                if not gpus
                else f"Use auto, cpu or cuda:0 to {len(gpus) - 1}.",
            )
        return chosen

    def close(self) -> None:
        """Leave the line; the places of the jobs that wait are kept for the next manager."""
        for ticket in self._tickets.values():
            ticket.give_up()
        self._tickets = {}


def reason(turn: Turn, need: Need) -> str:
    """Return in words why a job waits."""
    if turn.why == "device" and turn.holder is not None:
        return f"Waiting for {turn.holder.device}, which {turn.holder.user} uses"
    if turn.why == "memory":
        return f"Waiting for memory: {_gb(need.memory)} are needed, {_gb(turn.free)} are free"
    if turn.why == "share":
        return "Waiting until another job of yours ends: you use as many devices as allowed"
    return f"Waiting in line for a device: {turn.ahead} ahead"


def _largest(devices: Sequence[Device]) -> int | None:
    """Return the bytes of the largest of these devices; None where not all of them tell."""
    sizes = [memory.total for device in devices if (memory := memory_of(device)) is not None]
    return max(sizes) if len(sizes) == len(devices) else None


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
