"""Why a worker died, in words that a person understands."""

from __future__ import annotations

import signal
from typing import Any

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


def explain(status: int | None, rebooted: bool) -> tuple[str, dict[str, Any]]:
    """Return the end state and the error for a worker that left no result.

    Parameters
    ----------
    status
        Exit status, negative for a signal, None if another server started it.
    rebooted
        The machine was started again since.
    """
    if rebooted:
        return "interrupted", {
            "code": "machine_restarted",
            "message": "The machine was restarted while the job ran.",
            "hint": "Retry the job; it goes on where it was.",
        }
    if status is None:
        return "interrupted", {
            "code": "worker_lost",
            "message": "The worker process ended while no server was watching it.",
            "hint": "Retry the job; it goes on where it was. The job's log may say more.",
        }
    if status == -signal.SIGKILL:
        return "failed", {
            "code": "worker_killed",
            "message": "The worker process was killed (signal 9), "
            "most likely because the machine ran out of memory.",
            "hint": "Close other programs, choose a smaller format or fewer tokens per batch, "
            "then retry; it goes on where it was.",
        }
    if status < 0 and -status in _CRASHES:
        return "failed", {
            "code": "worker_crashed",
            "message": f"The worker process crashed in native code ({_name(-status)}).",
            "hint": "The job's log has the last words. Retry; if it happens again, report it.",
        }
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


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
