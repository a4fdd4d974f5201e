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


def until_ended(server: JupyterProcess, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended, however."""
    for _ in range(1200):
        job: dict[str, Any] = server.api(f"jobs/{job_id}")
        if job["state"] in ENDED:
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def test_a_killed_servers_job_goes_on(tmp_path: Path) -> None:
    """The worker survives, and runs once though two servers find it.

    One server stands beside the killed one over the same data folder, another one is started
    afterwards. Either shows the job's progress, and can cancel, retry and finish it.
    """
    first, beside = JupyterProcess(tmp_path), JupyterProcess(tmp_path)
    first.start()
    beside.start()
    second = JupyterProcess(tmp_path)
    assert first.process is not None
    try:
        started = first.api("extractions", BODY)
        job_id = started["job"]["id"]
        until(beside, job_id, lambda job: job["phase"] == "extracting" and job["done"] > 0)
        first.process.kill()
        first.process.wait()
        second.start()
        seen = second.api(f"jobs/{job_id}")
        assert seen["state"] in ("running", "done")
        assert seen["attempt"] == 1
        if seen["state"] == "running":
            second.api(f"jobs/{job_id}/cancel", {})
            seen = until_ended(beside, job_id)
        if seen["state"] == "cancelled":
            beside.api(f"jobs/{job_id}/retry", {})
        assert until_ended(second, job_id)["state"] == "done"
        extraction = second.api(f"extractions/{started['extraction']['id']}")
        assert extraction["state"] == "done"
        assert extraction["ready"] == extraction["total"]
        views = [server.api(f"jobs/{job_id}") for server in (second, beside)]
        assert {view["attempt"] for view in views} == {1 + (seen["state"] == "cancelled")}
    finally:
        first.stop()
        beside.stop()
        second.stop()
