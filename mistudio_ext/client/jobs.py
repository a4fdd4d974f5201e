"""Waiting for a job that makes something else than an extraction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mistudio_ext.activations.errors import WaitTimeoutError
from mistudio_ext.activations.progress import Progress, choose_display
from mistudio_ext.errors import CancelledError, MiStudioError, from_dict

Json = dict[str, Any]

#: Seconds between two looks.
_LOOK_EVERY = 0.2


def wait_for(job_id: str, ask: Callable[[str], Json], timeout: float | None = None) -> None:
    """Wait until a job has ended, with a progress bar.

    Parameters
    ----------
    job_id
        The job.
    ask
        Gives a job's record.
    timeout
        Seconds to wait at most; None for as long as it takes.

    Raises
    ------
    MiStudioError
        The job's own error; CancelledError if it was cancelled.
    WaitTimeoutError
        Also a TimeoutError: not done yet.
    """
    display = choose_display()
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            job = ask(job_id)
            display.show(_progress(job))
            if job["state"] == "done":
                return
            if job["state"] not in ("queued", "running"):
                raise _ended(job)
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(
                    f"'{job['target']['name']}' is not done after {timeout:g} s; it goes on.",
                    hint="Call wait() again.",
                )
            time.sleep(_LOOK_EVERY)
    finally:
        display.close()


def _progress(job: Json) -> Progress:
    return Progress(
        name=job["target"]["name"],
        state=job["state"],
        done=job["done"],
        total=job["total"],
        unit=job["unit"],
        fraction=job["progress"] if job["total"] else None,
        message=job.get("message") or job.get("phase") or "",
        rate=job["rate"],
        eta_s=job["eta_s"],
    )


def _ended(job: Json) -> MiStudioError:
    if job["error"]:
        return from_dict(job["error"])
    return CancelledError(
        f"'{job['target']['name']}' was {job['state']}.",
        code=job["state"],
        hint="Ask for it again: it goes on where it was.",
    )
