"""Fifty clients while three jobs run: no step of ours keeps the event loop for long.

Processor time, not time on the clock: a machine that is busy with other things makes every
step take longer, and none of them compute longer.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import API, Api

CLIENTS = 50

#: Seconds of the event loop's thread that one step of ours may take.
LIMIT_S = 0.05


@dataclass
class Steps:
    """Processor time of the event loop's steps that are ours."""

    seconds: list[float] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    def measure(self, handle: asyncio.Handle, run: Callable[[asyncio.Handle], None]) -> None:
        """Run one step of the loop; note what it took if it is ours."""
        ours = _of_ours(handle)
        began = time.thread_time()
        run(handle)
        if ours is not None:
            spent = time.thread_time() - began
            self.seconds.append(spent)
            if spent > LIMIT_S:
                self.slow.append(f"{spent * 1000:.0f} ms in {ours}")


def _of_ours(handle: asyncio.Handle) -> str | None:
    """Return which handler of ours a step belongs to, None if it is somebody else's."""
    called = handle._callback  # type: ignore[attr-defined]
    owner = getattr(called, "__self__", None)
    if isinstance(owner, asyncio.Task):
        coroutine: Any = owner.get_coro()
        frame = getattr(coroutine, "cr_frame", None)
        owner = frame.f_locals.get("self") if frame is not None else None
    module = type(owner).__module__
    return f"{module}.{type(owner).__name__}" if module.startswith("mistudio_ext") else None


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Measure every step of the event loop."""
    found, run = Steps(), asyncio.Handle._run  # type: ignore[attr-defined]
    monkeypatch.setattr(asyncio.Handle, "_run", lambda handle: found.measure(handle, run))
    return found


async def test_fifty_clients_and_three_jobs(
    api: Api, jp_ws_fetch: Callable[..., Awaitable[Any]], steps: Steps, tmp_path: Path
) -> None:
    """Listing, browsing, searching and watching events, all at the same time."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"story {n} " * 40}) + "\n" for n in range(50_000)))
    dataset, model = await api.sample()
    first = await jp_ws_fetch(*API.split("/"), "events")
    since = str(json.loads(await first.read_message())["seq"])
    body = {"model": model["id"], "dataset": dataset["id"], "layers": "all", "max_samples": 2000}
    jobs = [
        (await api("POST", "extractions", body, expect=202))["job"],
        (await api("POST", "datasets", {"source": "path", "path": str(rows)}, expect=202))["job"],
        (
            await api(
                "POST",
                f"datasets/{dataset['id']}/tokenizations",
                {"model": model["id"], "context": 33, "mode": "chunk"},
                expect=202,
            )
        )["job"],
    ]
    pages = f"datasets/{dataset['id']}/samples"
    heard = [0] * CLIENTS

    async def client(number: int) -> None:
        socket = await jp_ws_fetch(*API.split("/"), "events", params={"since": since})
        while json.loads(await socket.read_message())["topic"] != f"jobs/{jobs[0]['id']}":
            heard[number] += 1
        for route in ("datasets", "models", "extractions", "jobs", "system/history"):
            await api("GET", route)
        await api("GET", pages, limit=50, offset=100 * number)
        await api("GET", pages, q="the", offset=50 * number)
        socket.close()

    await asyncio.gather(*map(client, range(CLIENTS)))
    first.close()
    for job in jobs:
        await api("POST", f"jobs/{job['id']}/cancel", {})
        await api.job(job, state=None)
    assert min(heard) > 0
    assert len(steps.seconds) > CLIENTS * 8
    assert steps.slow == []
    # What lives as long as the server is not looked through again and again: that takes longer.
    assert gc.get_freeze_count() > 50_000
