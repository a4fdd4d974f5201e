"""Which ended jobs may be forgotten, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from mistudio_ext.catalog import (
    Catalog,
    DatasetRecord,
    ExtractionRecord,
    JobRecord,
    ModelRecord,
    TokenizationRecord,
)
from mistudio_ext.jobs.kinds import ENDED

Target = DatasetRecord | ModelRecord | TokenizationRecord | ExtractionRecord

#: States of what needs no job any more.
WHOLE = ("ready", "done")


def expired(catalog: Catalog, days: float) -> list[JobRecord]:
    """Return the ended jobs that are older than so many days and that nothing needs.

    A job is needed by what it was to make, as long as that is unfinished (a retry goes on
    from there), and by jobs that depend on it.
    """
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
    before = before.replace("+00:00", "Z")
    jobs = catalog.jobs.list()
    old = [job for job in jobs if job.state in ENDED and (job.ended_at or before) < before]
    doomed = {job.id for job in old if not unfinished(catalog, job)}
    return [job for job in old if job.id in doomed - _depended_on(jobs, doomed)]


def unfinished(catalog: Catalog, job: JobRecord) -> bool:
    """Tell whether what a job was to make is there and not whole, so that a retry goes on."""
    finders: dict[str, Callable[..., Target | None]] = {
        "dataset": catalog.datasets.find,
        "model": catalog.models.find,
        "tokenization": catalog.tokenizations.find,
        "extraction": catalog.extractions.find,
    }
    find = finders.get(job.target_type)
    target = find(id=job.target_id) if find is not None else None
    return target is not None and target.job_id == job.id and target.state not in WHOLE


def _depended_on(jobs: Iterable[JobRecord], doomed: set[str]) -> set[str]:
    """Return the jobs on which any job depends that stays, directly or not."""
    needed: set[str] = set()
    by_id = {job.id: job for job in jobs}
    stack = [job for job in by_id.values() if job.id not in doomed]
    while stack:
        for job_id in stack.pop().depends_on:
            if job_id in by_id and job_id not in needed:
                needed.add(job_id)
                stack.append(by_id[job_id])
    return needed
