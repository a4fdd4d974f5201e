"""Waiting for an extraction, with a progress bar that suits where it is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mistudio_ext.activations.errors import WaitTimeoutError
from mistudio_ext.activations.manifest import FINAL_STATES
from mistudio_ext.activations.progress import Progress, choose_display
from mistudio_ext.errors import ExtractionError, NotFoundError, ServerError

if TYPE_CHECKING:
    from mistudio_ext.activations.handle import Activations

#: Seconds between two looks at the folder, and between two questions to the source.
_LOOK_EVERY, _ASK_EVERY = 0.1, 0.5

#: Seconds that a job whose arrays are complete may take to end.
_SETTLE_S = 5.0


class Source(Protocol):
    """Who knows more about a running extraction than its folder: a server, or a local studio."""

    def extraction(self) -> dict[str, Any]:
        """Return the extraction's record."""

    def job(self) -> dict[str, Any] | None:
        """Return the record of the job that works on it, if there is one."""

    def cancel(self) -> None:
        """Ask for the job to end."""


def wait(acts: Activations, source: Source | None, timeout: float | None) -> None:
    """Wait until an extraction is done; see :meth:`Activations.wait`."""
    if acts.state == "done":
        return
    watch = _Watch(acts, source)
    display = choose_display()
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            state, error = watch.look()
            display.show(watch.progress(state))
            if state == "done":
                _settle(source, deadline)
                return
            if state in FINAL_STATES:
                raise _ended(acts.name, state, error)
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(
                    f"The extraction '{acts.name}' is not done after {timeout:g} s; it goes on.",
                    hint="Call wait() again, or read what is ready: acts.ready.",
                )
            time.sleep(_LOOK_EVERY)
    finally:
        display.close()


def _settle(source: Source | None, deadline: float | None) -> None:
    """Wait until the job has ended too: the manifest says "done" a moment before its worker leaves.

    Until then the extraction is in use, and could not be deleted.
    """
    latest = time.monotonic() + _SETTLE_S
    latest = latest if deadline is None else min(latest, deadline)
    while source is not None:
        try:
            record = source.extraction()
            job = source.job() or {}
        except (ServerError, NotFoundError):
            return
        active = {record.get("state"), job.get("state")} & {"queued", "running"}
        if not active or time.monotonic() >= latest:
            return
        time.sleep(_LOOK_EVERY)


@dataclass
class _Watch:
    """What is known of a running extraction, from its folder and from its source."""

    acts: Activations
    source: Source | None
    asked: float = -_ASK_EVERY
    record: dict[str, Any] | None = None
    job: dict[str, Any] | None = None

    def look(self) -> tuple[str, dict[str, Any] | None]:
        """Return the state and, where it failed, the error."""
        state = self.acts.state
        if state == "done":
            return state, None
        self._ask()
        manifest_error = self.acts.manifest.get("error")
        if self.record is None:
            return state, manifest_error
        known = str(self.record.get("state"))
        if known in FINAL_STATES - {"done"}:
            job_error = (self.job or {}).get("error")
            return known, job_error or self.record.get("error") or manifest_error
        # A source that says "done" before the manifest does is a moment ahead of it; a manifest
        # that says "failed" while the source does not is of the attempt before this one.
        return "running" if known == "done" or state in FINAL_STATES else state, None

    def progress(self, state: str) -> Progress:
        """Return what a progress bar shows."""
        job = self.job or {}
        fraction = job.get("progress") if job.get("total") else None
        message = str(job.get("message") or job.get("phase") or "")
        if job.get("kind", "extract") != "extract":
            # A job that the extraction waits for: its own progress is no progress of the rows.
            message += f" {fraction:.0%}" if fraction is not None else ""
            fraction = None
        ready, total = self.acts.ready, self.acts.total
        return Progress(
            name=self.acts.name,
            state=state,
            done=ready,
            total=total,
            unit=self.acts.unit,
            fraction=ready / total if total else fraction,
            message=message,
            rate=job.get("rate") if ready else None,
            eta_s=job.get("eta_s") if ready else None,
        )

    def _ask(self) -> None:
        now = time.monotonic()
        if self.source is None or now - self.asked < _ASK_EVERY:
            return
        try:
            self.record, self.job = self.source.extraction(), self.source.job()
        except ServerError:
            # The worker outlives its server: go by the folder until it answers again.
            self.record = self.job = None
        except NotFoundError as error:
            raise ExtractionError(
                f"The extraction '{self.acts.name}' was deleted.", code="deleted"
            ) from error
        self.asked = time.monotonic()


def _ended(name: str, state: str, error: dict[str, Any] | None) -> ExtractionError:
    """Return the error with the job's own message, code and hint."""
    error = error or {}
    hint = error.get("hint")
    if hint is None and state != "failed":
        hint = "Call ms.extract again with the same arguments: it goes on where it was."
    return ExtractionError(
        error.get("message") or f"The extraction '{name}' was {state}.",
        code=error.get("code") or ("extraction_failed" if state == "failed" else state),
        hint=hint,
        field=error.get("field"),
    )
