"""Jobs and leases as REST and events give them."""

from __future__ import annotations

from datetime import UTC, datetime

from mistudio_ext.catalog import JobRecord
from mistudio_ext.jobs.kinds import Json
from mistudio_ext.leases import Entry


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
        "priority": job.priority,
        "device": job.device if job.state == "running" else None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "target": {"type": job.target_type, "id": job.target_id, "name": job.target_name},
    }


def lease(entry: Entry) -> Json:
    """Return a ticket as REST gives it.

    ``device`` is None for one that waits, then ``devices`` are those that would do;
    ``idle`` is a warm worker that leaves when somebody needs its device.
    """
    since = datetime.fromtimestamp(entry.since, UTC).isoformat(timespec="seconds")
    return {
        "device": entry.device,
        "devices": list(entry.devices),
        "user": entry.user,
        "job": entry.job or None,
        "since": since.replace("+00:00", "Z"),
        "idle": entry.idle,
        "memory": entry.memory,
    }
