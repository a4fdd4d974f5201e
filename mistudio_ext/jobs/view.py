"""A job as REST and events give it."""

from __future__ import annotations

from mistudio_ext.catalog import JobRecord
from mistudio_ext.jobs.kinds import Json


def public(job: JobRecord, queue_position: int | None) -> Json:
    """Return a job as REST and events give it."""
    share = min(1.0, job.done / job.total) if job.total else 0.0
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "phase": job.phase or ("queued" if job.state == "queued" else None),
        "progress": 1.0 if job.state == "done" else share,
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "rate": job.rate,
        "eta_s": job.eta_s,
        "message": job.message,
        "error": job.error,
        "warnings": job.warnings,
        "cancelling": job.cancel_requested and job.state == "running",
        "attempt": job.attempt,
        "depends_on": job.depends_on,
        "queue_position": queue_position,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "target": {"type": job.target_type, "id": job.target_id, "name": job.target_name},
    }
