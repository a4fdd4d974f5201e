"""Job managers over a real catalog, with real worker processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.catalog import Catalog, JobRecord
from mistudio_ext.jobs import EventBus, JobKind, JobManager

ODD_WORKER = (sys.executable, str(Path(__file__).parent / "odd_worker.py"))


@dataclass
class Desk:
    """A manager and what it told."""

    catalog: Catalog
    bus: EventBus
    manager: JobManager
    finished: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def submit(self, act: str, /, **params: Any) -> JobRecord:
        """Queue a job of the odd kind."""
        options = {k: params.pop(k) for k in ("depends_on", "secrets") if k in params}
        target = ("thing", "thing_1", act)
        return self.manager.submit("odd", target, {"act": act, **params}, **options)

    def until(self, job_id: str, *states: str) -> JobRecord:
        """Wait until a job is in one of these states."""
        for _ in range(600):
            job = self.manager.get(job_id)
            if job.state in states:
                return job
            self.manager.wait(job_id, 0.1)
        raise AssertionError(f"{job} is not {states}")


def open_desk(root: Path, **options: Any) -> Desk:
    """Open a manager over a data folder."""
    catalog, bus = Catalog(f"sqlite:///{root}/catalog.sqlite3"), EventBus()
    manager = JobManager(catalog, bus, root, worker=ODD_WORKER, **options)
    desk = Desk(catalog, bus, manager)
    bus.subscribe(lambda message: desk.messages.append(message.to_dict()))
    manager.register(
        JobKind(
            "odd",
            prepare=lambda job: dict(job.params),
            finish=lambda job, result: desk.finished.append((job.id, result)),
            fail=lambda job, state, error: desk.failed.append((job.id, state, error)),
            restart=lambda job: None,
            limit=2,
        )
    )
    manager.start()
    return desk


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Open managers over one data folder; all are closed at the end."""
    opened: list[Desk] = []

    def new(**options: Any) -> Desk:
        opened.append(open_desk(tmp_path, **options))
        return opened[-1]

    yield new
    for desk in opened:
        if desk.manager.closed:
            continue
        for job in desk.manager.all(state=("queued", "running")):
            desk.manager.cancel(job.id)
            desk.until(job.id, "cancelled", "failed", "done", "interrupted")
        desk.manager.close()
    for desk in opened:
        desk.catalog.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """One manager."""
    return new_desk(cancel_grace_s=0.5)
