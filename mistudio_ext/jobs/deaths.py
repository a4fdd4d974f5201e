"""Why a worker died, in words that a person understands."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistudio_ext.disk.full import no_space

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}

#: What Python's fault handler writes into the log when native code crashes.
_LAST_WORDS = "Fatal Python error: "

_GOES_ON = "retry; it goes on where it was."


@dataclass(frozen=True)
class Death:
    """What is known of a worker that left no result.

    Attributes
    ----------
    status
        Exit status, negative for a signal; None if another server started it.
    rebooted
        The machine was started again since.
    watched
        It died under our eyes.
    oom_kills
        How many processes the kernel killed for lack of memory while it ran.
    log
        The end of its log.
    disk_full
        The disk of its folder has no room.
    """

    status: int | None
    rebooted: bool
    watched: bool
    oom_kills: int
    log: str
    disk_full: bool = False


def explain(death: Death, disks: Sequence[Path] = ()) -> tuple[str, dict[str, Any]]:
    """Return the end state and the error for a worker that left no result.

    Parameters
    ----------
    death
        What is known of it.
    disks
        Folders that it wrote to; they say how much room there is.
    """
    status = death.status
    if death.rebooted:
        return "interrupted", {
            "code": "machine_restarted",
            "message": "The machine was restarted while the job ran.",
            "hint": "Retry the job; it goes on where it was.",
        }
    if status in (None, -signal.SIGKILL) and death.oom_kills > 0:
        return _state(death), {
            "code": "out_of_memory",
            "message": "Memory ran out, that of the machine or what its container or session "
            "may use, and the kernel killed the worker process.",
            "hint": "Close other programs and notebooks' kernels, choose a smaller format or "
            f"fewer tokens at once, then {_GOES_ON}",
        }
    if death.disk_full and status is not None and (status > 0 or status == -signal.SIGBUS):
        # A file that is mapped into memory and cannot grow ends a process by SIGBUS.
        return _state(death), no_space(OSError("The disk is full."), disks).to_dict()
    if status is None and _LAST_WORDS in death.log:
        words = death.log.partition(_LAST_WORDS)[2].splitlines()[0]
        return _state(death), _crashed(words)
    if status is None and not death.watched:
        return "interrupted", {
            "code": "worker_lost",
            "message": "The worker process ended while no server was watching it.",
            "hint": "Retry the job; it goes on where it was. The job's log may say more.",
        }
    if status is None:
        return "failed", {
            "code": "worker_killed",
            "message": "The worker process was killed or left without a word; an earlier server "
            "started it, so the system does not tell how it ended.",
            "hint": f"Look at the job's log, then {_GOES_ON}",
        }
    if status == -signal.SIGKILL:
        return "failed", {
            "code": "worker_killed",
            "message": "The worker process was killed from outside (signal 9).",
            "hint": "Somebody, or a limit of this machine or container, ended it; memory is the "
            "usual reason: choose a smaller format or fewer tokens at once, then " + _GOES_ON,
        }
    if status < 0 and -status in _CRASHES:
        return "failed", _crashed(_name(-status))
    if status < 0:
        return "failed", {
            "code": "worker_killed",
            "message": f"The worker process was ended by {_name(-status)}.",
            "hint": "Retry the job; it goes on where it was.",
        }
    return "failed", {
        "code": "worker_died",
        "message": f"The worker process ended with status {status} and left no result.",
        "hint": "The job's log has the details.",
    }


def _state(death: Death) -> str:
    return "failed" if death.watched else "interrupted"


def _crashed(words: str) -> dict[str, Any]:
    return {
        "code": "worker_crashed",
        "message": f"The worker process crashed in native code ({words}).",
        "hint": "The job's log has the last words. Retry; if it happens again, report it.",
    }


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
