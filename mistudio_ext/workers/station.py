"""Between two jobs: a worker process that stays for the next one, or leaves."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mistudio_ext.launch import read_variables
from mistudio_ext.leases import LeaseFolder, Ticket
from mistudio_ext.leases.memory import host_memory

#: Modules that take seconds to import; a process without them has nothing worth keeping.
HEAVY = ["torch", "transformers", "datasets"]

#: Seconds between looks whether somebody needs the device or the memory.
LOOK_S = 0.2

#: Share of the memory (a container's own) below which an idle worker leaves.
SCARCE = 0.08


class Station:
    """What a worker process was started with, and how it gets its next job."""

    def __init__(self) -> None:
        facts = read_variables()
        self._idle_s = float(facts.get("idle_s", 0.0))
        self._names: list[str] = list(facts.get("environment", ()))
        self._lock: int | None = facts.get("lock")
        self._ticket_fd: int | None = facts.get("ticket")
        self._ticket: Ticket | None = None
        number: int | None = facts.get("socket")
        for fd in (self._lock, self._ticket_fd, number):
            if fd is not None:
                os.set_inheritable(fd, False)
        self._socket = None if number is None else socket.socket(fileno=number)
        self._told_to_leave = False

    def begin(self, lease: dict[str, Any] | None) -> None:
        """Note that a job begins, with what its spec says of its lease."""
        if extract := sys.modules.get("mistudio_ext.workers.extract"):
            # The next job may be of another kind, and needs the memory for itself.
            extract.keep_only(str(lease["model"]) if lease else "")
        if lease is None or self._ticket_fd is None:
            return
        self._ticket = Ticket.inherited(
            Path(lease["folder"]), int(lease["number"]), self._ticket_fd
        )
        self._ticket_fd = None

    def stays(self, outcome: dict[str, Any]) -> bool:
        """Tell whether the process is worth keeping, and sound, after a job."""
        return (
            self._socket is not None
            and outcome["state"] in ("done", "cancelled")
            and any(name in sys.modules for name in HEAVY)
        )

    def rest(self) -> None:
        """Let go of the ended job: its lock, its secrets, its folder and log."""
        for name in self._names:
            os.environ.pop(name, None)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._ticket is not None:
            self._ticket.change(idle=True, job="", since=time.time())
        os.chdir("/")
        _log_to(Path(os.devnull))

    def next_job(self) -> Path | None:
        """Wait for another job; return its folder, or None when it is time to leave."""
        assert self._socket is not None
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        leave_at = time.monotonic() + self._idle_s
        while not self._told_to_leave and time.monotonic() < leave_at:
            if select.select([self._socket], [], [], LOOK_S)[0]:
                return self._take()
            if self._in_the_way():
                break
        return None

    def leave(self) -> None:
        """Give the device back; the kernel would do it too."""
        if self._ticket is not None:
            self._ticket.give_up()

    def _take(self) -> Path | None:
        """Take the job that the manager sends; None if the manager is gone."""
        assert self._socket is not None
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 2)
        except OSError:
            return None
        if not data:
            return None
        facts = json.loads(data)
        job_dir = Path(facts["job_dir"])
        self._lock = fds[0]
        if facts["drops_lease"]:
            self._drop_lease()
        if facts["ticket"]:
            self._ticket_fd = fds[1]
        for fd in fds:
            os.set_inheritable(fd, False)
        if self._ticket is not None:
            self._ticket.change(idle=False, job=job_dir.name, since=time.time())
        self._names = list(facts["environment"])
        os.environ.update(facts["environment"])
        os.chdir(job_dir)
        _log_to(job_dir / "log.txt")
        try:
            self._socket.sendall(b"taken")
        except OSError:
            return None
        return job_dir

    def _drop_lease(self) -> None:
        """Give back the device; the model on it goes when the job begins."""
        if self._ticket is not None:
            self._ticket.give_up()
            self._ticket = None

    def _in_the_way(self) -> bool:
        """Tell whether others need the device, or memory is scarce."""
        memory = host_memory()
        if memory.free < SCARCE * memory.total:
            return True
        if self._ticket is None:
            return False
        entry = self._ticket.entry
        with contextlib.suppress(OSError):
            first = LeaseFolder(self._ticket.folder, []).next_for(str(entry.device))
            # The jobs of our own manager are its affair: it hands them to us or ends us.
            return first is not None and first.manager != entry.manager
        return False

    def _on_signal(self, *_: object) -> None:
        self._told_to_leave = True


def overdue(lease: dict[str, Any] | None) -> Callable[[], bool]:
    """Return what tells whether a job has held its device for long enough and others wait.

    Parameters
    ----------
    lease
        What the job's spec says of its lease.
    """
    most = float(lease["max_hold_s"]) if lease else 0.0
    if lease is None or most <= 0:
        return lambda: False
    folder, device = LeaseFolder(Path(lease["folder"]), []), str(lease["device"])
    looks_at = time.monotonic() + most

    def ask() -> bool:
        nonlocal looks_at
        if time.monotonic() < looks_at:
            return False
        looks_at = time.monotonic() + 1.0
        try:
            return folder.next_for(device) is not None
        except OSError:
            return False  # The folder is gone, and with it all who could wait there.

    return ask


def flush() -> None:
    """Send what was printed to the log; on a full disk it is lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def _log_to(file: Path) -> None:
    """Send what the process prints, native code included, to this file."""
    flush()
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
