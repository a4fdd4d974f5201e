"""What a worker is handed besides its spec: descriptors and secrets, which are in no file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Environment variable in which a new worker finds its :class:`Launch`.
VARIABLE = "MISTUDIO_LAUNCH"


@dataclass(frozen=True)
class Launch:
    """How a job is handed to a worker.

    Attributes
    ----------
    job_dir
        The job's folder.
    environment
        Variables for this job alone: secrets.
    lock
        Descriptor of the job's lock.
    ticket
        Descriptor of the lease's ticket; None if the job needs no device, or if the
        worker holds the lease already.
    keeps_lease
        The worker goes on with the lease that it has.
    drops_lease
        The worker gives up the lease that it has, and its model, before it begins.
    """

    job_dir: Path
    environment: dict[str, str]
    lock: int
    ticket: int | None = None
    keeps_lease: bool = False
    drops_lease: bool = False

    @property
    def fds(self) -> list[int]:
        """The descriptors, in the order in which they are sent."""
        return [self.lock] if self.ticket is None else [self.lock, self.ticket]

    def variables(self, socket: int | None, idle_s: float) -> dict[str, str]:
        """Return the environment of a new worker; descriptors keep their numbers."""
        facts = {
            "lock": self.lock,
            "ticket": self.ticket,
            "socket": socket,
            "idle_s": idle_s,
            "environment": list(self.environment),
        }
        return {**self.environment, VARIABLE: json.dumps(facts)}

    def message(self) -> bytes:
        """Return what is sent to a warm worker; the descriptors go along with it."""
        facts = {
            "job_dir": str(self.job_dir),
            "environment": self.environment,
            "ticket": self.ticket is not None,
            "drops_lease": self.drops_lease,
        }
        return json.dumps(facts).encode()


def read_variables() -> dict[str, Any]:
    """Return what a new worker finds in its environment, and take it out of there."""
    facts: dict[str, Any] = json.loads(os.environ.pop(VARIABLE, "{}"))
    return facts
