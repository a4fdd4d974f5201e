"""What the parts of a job manager share: where things are, who is told, what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mistudio_ext.catalog import Catalog, JobRecord
from mistudio_ext.jobs.folder import JobFolder
from mistudio_ext.jobs.kinds import JobKind
from mistudio_ext.jobs.owners import Owners
from mistudio_ext.jobs.running import RunningJob


@dataclass
class Board:
    """The jobs of one data folder as one manager sees them.

    Attributes
    ----------
    catalog
        Where jobs are kept.
    owners
        Who watches which job.
    root
        The data folder.
    publish
        Called with every job that changed.
    kinds
        Registered kinds by name.
    secrets
        Environment variables of workers, by job; forgotten when the job ends.
    running
        Jobs whose workers this manager watches.
    """

    catalog: Catalog
    owners: Owners
    root: Path
    publish: Callable[[JobRecord], None]
    kinds: dict[str, JobKind] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    running: dict[str, RunningJob] = field(default_factory=dict)

    def folder(self, job_id: str) -> JobFolder:
        """Return a job's folder."""
        return JobFolder(self.root / "jobs" / job_id)

    def queue(self) -> list[JobRecord]:
        """Return the queued jobs in the order in which they start."""
        queued = self.catalog.jobs.list(state="queued", oldest_first=True)
        return sorted(queued, key=lambda job: (-job.priority, job.queued_at))
