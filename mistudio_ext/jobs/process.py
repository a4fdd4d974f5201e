"""A worker's process: started, recognised again, signalled, and its death seen.

A process is known by pid, start time and boot id together, never by the pid
alone: pids are used again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from mistudio_ext.jobs.folder import write_json
from mistudio_ext.leases.cgroups import oom_counter, oom_kills


def boot_id() -> str:
    """Return what changes with every start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return str(int(psutil.boot_time()))


def start_time(pid: int) -> str | None:
    """Return when a process started, None if there is no such (living) process."""
    try:
        # Field 22 of stat, in clock ticks since boot; the command may contain spaces and ')'.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


class WorkerProcess:
    """A worker, as a child of this process or adopted from an earlier server.

    Attributes
    ----------
    pid
        Process id, also the id of its process group.
    known
        It was seen alive by this process; else it is gone for who knows how long.
    pidfd
        Becomes readable when the process ends; None where the system has no such thing.
    """

    def __init__(self, pid: int, started: str, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self.known = True
        self._started = started
        self._child = child
        self._status: int | None = None
        self.pidfd = _open_pidfd(pid)

    @classmethod
    def spawn(
        cls,
        command: Sequence[str],
        job_dir: Path,
        log: Path,
        environment: dict[str, str],
        fds: Sequence[int],
    ) -> WorkerProcess:
        """Start ``command JOB_DIR`` in a session of its own that inherits the descriptors."""
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child = subprocess.Popen(
                [*command, str(job_dir)],
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                cwd=job_dir,
                env={**os.environ, **environment},
                start_new_session=True,
                pass_fds=tuple(fds),
            )
        finally:
            os.close(fd)
        process = cls(child.pid, start_time(child.pid) or "", child)
        try:
            process.note(job_dir)
        except OSError:
            # Nobody could find it again: better no worker than one that nobody watches.
            process.kill()
            process.reap()
            raise
        return process

    @classmethod
    def adopt(cls, identity: dict[str, Any]) -> WorkerProcess | None:
        """Return the process of this identity if it still lives."""
        if identity.get("boot_id") != boot_id():
            return None
        pid, started = int(identity["pid"]), str(identity["start_time"])
        if start_time(pid) != started:
            return None
        process = cls(pid, started, None)
        # The pid may have been used again between the look and the opening.
        if start_time(pid) != started:
            process.close()
            return None
        return process

    def note(self, job_dir: Path) -> None:
        """Write into a job's folder what another server needs to find this process again."""
        counter = oom_counter()
        identity = {
            "pid": self.pid,
            "start_time": self._started,
            "boot_id": boot_id(),
            "oom_counter": str(counter),
            "oom_kills": oom_kills(counter),
        }
        write_json(job_dir / "process.json", identity)

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return start_time(self.pid) == self._started

    def terminate(self) -> None:
        """Ask the worker to stop."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the worker with its whole process group."""
        if self.alive() or self._child is not None:
            self._kill_group()

    def reap(self) -> int | None:
        """Clear up after its death; return the exit status (negative: signal) if known.

        Called again it returns the same.
        """
        if self._child is not None:
            # While the leader is a zombie its group id cannot be used again.
            self._kill_group()
            self._status = self._child.wait()
            self._child = None
        elif self.known and start_time(self.pid) is None:
            # Adopted: somebody else clears up after it. Nobody else has its pid, so the group of
            # that id is its own; while children are left in it, the kernel gives the id to no one.
            self._kill_group()
        self.close()
        return self._status

    def close(self) -> None:
        """Stop watching; the process goes on."""
        if self._child is not None and self._child.returncode is None:
            # It is left to the next manager; Popen must not warn that nobody waited for it.
            self._child.returncode = 0
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _open_pidfd(pid: int) -> int | None:
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return int(opener(pid))
    except OSError:
        return None
