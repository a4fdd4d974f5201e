"""Jobs outlive the server: kill -9 in the middle, and the next server goes on with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("since", ["0", "nonsense"])
def test_events_from_another_time(tmp_path: Path, since: str) -> None:
    """A page that was open before the restart is told to fetch everything, or starts afresh."""
    import asyncio
    import json

    from tornado.websocket import websocket_connect

    server = JupyterProcess(tmp_path)
    server.start()

    async def listen() -> list[dict[str, Any]]:
        url = f"ws://127.0.0.1:{server.port}/mistudio/api/v1/events"
        socket = await websocket_connect(f"{url}?since={since}&token={server.token}")
        messages = [json.loads(str(await socket.read_message()))]
        if since == "0":
            messages.append(json.loads(str(await socket.read_message())))
        socket.close()
        while await socket.read_message() is not None:
            pass  # Until the connection is really closed.
        return messages

    try:
        types = [message["type"] for message in asyncio.run(listen())]
    finally:
        server.stop()
    assert types == (["hello", "reset"] if since == "0" else ["hello"])
