"""A ticket: a file that says who waits for, or holds, which device, locked while that is true."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

SUFFIX = ".ticket"

#: A ticket is written in one piece of this size, so that nobody reads half of it.
_SIZE = 4096

#: A waiting ticket that nobody looked after for so long lets the others pass (its process may
#: have been stopped, or sleep); it keeps its place.
ASLEEP_S = 10.0


@dataclass(frozen=True)
class Entry:
    """What a ticket says.

    Attributes
    ----------
    number
        Place in the line; the lower one came first.
    user, uid
        Who it is: the name is what the process says, the uid what the file system says.
    manager
        The job manager that it is for: a server, a command, a kernel without a server.
    job
        The job that it is for.
    devices
        Ids of the devices that will do, the best first.
    memory
        Bytes that must be free.
    device
        The device that it holds; None while it waits.
    since
        When it began to wait or to hold, in seconds since the epoch.
    idle
        The holder is a warm worker without a job: it leaves as soon as anybody waits.
    asleep
        Nobody looks after it at the moment.
    """

    number: int
    user: str
    uid: int
    manager: str
    job: str
    devices: tuple[str, ...]
    memory: int
    device: str | None = None
    since: float = 0.0
    idle: bool = False
    asleep: bool = False

    @property
    def owner(self) -> tuple[int, str]:
        """Whose share of the devices it counts for."""
        return self.uid, self.user


class Ticket:
    """A ticket of this process, or one that it inherited.

    Parameters
    ----------
    path
        The file.
    fd
        Descriptor that holds the lock.
    entry
        What it says.
    """

    def __init__(self, path: Path, fd: int, entry: Entry) -> None:
        self._path = path
        self.fd = fd
        self.entry = entry

    @classmethod
    def create(cls, folder: Path, entry: Entry) -> Self:
        """Make and lock a ticket; only while the folder is locked."""
        path = folder / f"{entry.number}{SUFFIX}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.fchmod(fd, 0o644)  # Whatever the umask: the others must be able to look at it.
        fcntl.flock(fd, fcntl.LOCK_EX)
        ticket = cls(path, fd, entry)
        try:
            ticket.write(entry)
        except OSError:  # The disk is full: a ticket that says nothing would only be in the way.
            ticket.give_up()
            raise
        return ticket

    @classmethod
    def inherited(cls, folder: Path, number: int, fd: int) -> Self | None:
        """Return the ticket that the parent handed over, None if it is none."""
        path = folder / f"{number}{SUFFIX}"
        os.set_inheritable(fd, False)
        entry = _parse(os.pread(fd, _SIZE, 0), os.fstat(fd), number)
        return None if entry is None else cls(path, fd, entry)

    @property
    def folder(self) -> Path:
        """The lease folder."""
        return self._path.parent

    @property
    def number(self) -> int:
        """Its place in the line."""
        return self.entry.number

    def write(self, entry: Entry) -> None:
        """Say something new."""
        self.entry = entry
        says = {k: v for k, v in asdict(entry).items() if k not in ("number", "uid", "asleep")}
        os.pwrite(self.fd, json.dumps(says).encode().ljust(_SIZE), 0)

    def change(self, **changes: Any) -> None:
        """Say something new about some of it."""
        self.write(replace(self.entry, **changes))

    def look_after(self) -> None:
        """Say that its process is awake."""
        os.utime(self.fd)

    def hand_over(self) -> None:
        """Forget it here; the worker that inherited the descriptor keeps the lock."""
        os.close(self.fd)

    def give_up(self) -> None:
        """Leave the line, or give the device back."""
        self._path.unlink(missing_ok=True)
        os.close(self.fd)


def read(path: Path) -> Entry | None:
    """Return what a living ticket says, None if its process is gone or it is not whole."""
    number = path.name.removesuffix(SUFFIX)
    if not number.isdigit():
        return None
    try:
        # The folder belongs to everybody: no links, no pipes, nothing that makes us wait.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or not _locked(fd):
            return None
        return _parse(os.read(fd, _SIZE), facts, int(number))
    finally:
        os.close(fd)


def sweep(path: Path) -> None:
    """Remove a ticket whose process is gone, if we may; only while the folder is locked."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not _locked(fd):
                path.unlink()
        finally:
            os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _parse(data: bytes, facts: os.stat_result, number: int) -> Entry | None:
    try:
        says = json.loads(data)
        return Entry(
            number=number,
            user=str(says["user"]),
            uid=facts.st_uid,
            manager=str(says["manager"]),
            job=str(says["job"]),
            devices=tuple(map(str, says["devices"])),
            memory=int(says["memory"]),
            device=None if says["device"] is None else str(says["device"]),
            since=float(says["since"]),
            idle=bool(says["idle"]),
            asleep=says["device"] is None and time.time() - facts.st_mtime > ASLEEP_S,
        )
    except (ValueError, KeyError, TypeError):
        return None
