"""Jobs outlive the server: kill -9 in the middle, and the next server goes on with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.servers import JupyterProcess

ENDED = ("done", "failed", "cancelled", "interrupted")
BODY: dict[str, Any] = {
    "model": "sample-model",
    "dataset": "sample-stories",
    "layers": "5",
    "max_samples": 250,
    "batch_tokens": 512,
}


def until(server: JupyterProcess, job_id: str, ready: Any) -> dict[str, Any]:
    """Wait until a job is as wanted and return it."""
    for _ in range(2400):
        job: dict[str, Any] = server.api(f"jobs/{job_id}")
        if ready(job):
            return job
        assert job["state"] not in ENDED, job
        time.sleep(0.05)
    raise AssertionError(job)


def test_a_killed_servers_job_goes_on(tmp_path: Path) -> None:
    """The worker survives, the next server shows its progress, cancels, retries and finishes it."""
    first = JupyterProcess(tmp_path)
    first.start()
    assert first.process is not None
    try:
        started = first.api("extractions", BODY)
        job_id = started["job"]["id"]
        until(first, job_id, lambda job: job["phase"] == "extracting" and job["done"] > 0)
    finally:
        first.process.kill()
        first.process.wait()
    second = JupyterProcess(tmp_path)
    second.start()
    try:
        seen = second.api(f"jobs/{job_id}")
        assert seen["state"] in ("running", "done")
        assert seen["attempt"] == 1
        if seen["state"] == "running":
            second.api(f"jobs/{job_id}/cancel", {})
            for _ in range(600):
                seen = second.api(f"jobs/{job_id}")
                if seen["state"] in ENDED:
                    break
                time.sleep(0.05)
        if seen["state"] == "cancelled":
            second.api(f"jobs/{job_id}/retry", {})
        until(second, job_id, lambda job: job["state"] == "done")
        extraction = second.api(f"extractions/{started['extraction']['id']}")
        assert extraction["state"] == "done"
        assert extraction["ready"] == extraction["total"]
    finally:
        second.stop()
