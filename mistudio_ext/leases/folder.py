"""The folder of tickets: entering the line, getting a device, seeing who holds what."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mistudio_ext.leases import line, ticket
from mistudio_ext.leases.devices import Device
from mistudio_ext.leases.line import Need, Turn
from mistudio_ext.leases.memory import Memory, memory_of
from mistudio_ext.leases.ticket import SUFFIX, Entry, Ticket


class LeaseFolder:
    """Tickets in one folder; a device is held by the living ticket that names it.

    Every decision is made while the folder itself is locked, which takes a fraction of a
    millisecond; the kernel frees that lock too when its process dies.

    Parameters
    ----------
    path
        A folder on a local disk, the same for all who share the devices (mode 1777).
    devices
        The devices that this process may use.
    per_user
        Devices that one user may hold at the same time; 0 for any number.
    memory
        Tells the memory of a device.
    """

    def __init__(
        self,
        path: Path,
        devices: Sequence[Device],
        *,
        per_user: int = 0,
        memory: Callable[[Device], Memory | None] = memory_of,
    ) -> None:
        self.path = path
        self.devices = {device.id: device for device in devices}
        self._per_user = per_user
        self._memory = memory

    def enter(self, need: Need, job: str, manager: str = "", number: int | None = None) -> Ticket:
        """Take a ticket at the end of the line, or at the place that the job had before.

        Its device is set if one was free and nobody came before; else call
        :meth:`advance` now and then.

        Parameters
        ----------
        need
            What the job needs.
        job, manager
            Who it is for.
        number
            The place of an earlier ticket for this job, whose process is gone.
        """
        with self._locked():
            entries = self._living()
            taken_numbers = {entry.number for entry in entries}
            if number is None or number in taken_numbers:
                number = max(time.time_ns(), max(taken_numbers, default=0) + 1)
            entry = Entry(
                number=number,
                user=user_name(),
                uid=os.geteuid(),
                manager=manager,
                job=job,
                devices=tuple(device.id for device in need.devices),
                memory=need.memory,
                since=time.time(),
            )
            taken = Ticket.create(self.path, entry)
            self._decide(taken, [*entries, entry])
            return taken

    def advance(self, waiting: Ticket) -> Turn:
        """Look whether it is this ticket's turn; if so it holds the device from now on."""
        with self._locked():
            waiting.look_after()
            return self._decide(waiting, self._living())

    def next_for(self, device: str) -> Entry | None:
        """Return the ticket that comes next for a device, None if nobody waits for it."""
        with self._locked():
            return line.next_for(self._living(), device)

    def room_for(self, need: Need, device: str, released: int) -> bool:
        """Tell whether a job fits on a device whose holder gives back ``released`` bytes first."""
        known = self.devices.get(device)
        has = None if known is None else self._memory(known)
        return has is None or need.memory <= min(has.total, has.free + released)

    def _decide(self, mine: Ticket, entries: Sequence[Entry]) -> Turn:
        known: dict[str, Memory | None] = {}

        def memory(device: Device) -> Memory | None:
            # Asked once for each decision; all slots of the CPU have the same.
            key = device.id if device.kind == "gpu" else "host"
            if key not in known:
                known[key] = self._memory(device)
            return known[key]

        found = line.turn(entries, mine.entry, self.devices, memory, self._per_user)
        if found.device is not None:
            mine.change(device=found.device, since=time.time())
        return found

    def _living(self) -> list[Entry]:
        entries = []
        for path in _files(self.path):
            entry = ticket.read(path)
            if entry is None:
                ticket.sweep(path)
            else:
                entries.append(entry)
        return entries

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # The folder itself is what is locked: a file in it could be removed by its owner.
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def holders(folder: Path) -> list[Entry]:
    """Return who holds, and who waits for, which device; holders first, then the line.

    Parameters
    ----------
    folder
        A lease folder; no lock is taken, and whoever may read it may ask.
    """
    entries = [entry for path in _files(folder) if (entry := ticket.read(path)) is not None]
    return sorted(
        (replace(entry, asleep=False) if entry.device else entry for entry in entries),
        key=lambda entry: (entry.device is None, entry.number),
    )


def user_name() -> str:
    """Return the name that a lease is taken in: the Hub's user, else the system's."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())  # A container's uid without a name.


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob(f"*{SUFFIX}"))
    except OSError:
        return []
