"""Job managers over a real catalog, with real worker processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.catalog import Catalog, JobRecord
from mistudio_ext.errors import ConflictError
from mistudio_ext.jobs import EventBus, JobKind, JobManager, Needs
from mistudio_ext.leases import Device, LeaseFolder
from mistudio_ext.leases.memory import Memory, memory_of

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

    def submit(self, act: str, /, *, kind: str = "odd", **params: Any) -> JobRecord:
        """Queue a job of the odd kind, or of the one that needs a device."""
        names = ("depends_on", "secrets", "priority")
        options = {k: params.pop(k) for k in names if k in params}
        target = ("thing", "thing_1", act)
        return self.manager.submit(kind, target, {"act": act, **params}, **options)

    def result(self, job_id: str) -> dict[str, Any]:
        """Wait until a job is done and return what its worker left."""
        self.until(job_id, "done", "failed", "cancelled")
        return next(result for done, result in self.finished if done == job_id)

    def until(self, job_id: str, *states: str) -> JobRecord:
        """Wait until a job is in one of these states."""
        for _ in range(600):
            job = self.manager.get(job_id)
            if job.state in states:
                return job
            self.manager.wait(job_id, 0.1)
        raise AssertionError(f"{job} is not {states}")


def slots(*names: str) -> list[Device]:
    """Return slots of the CPU."""
    return [Device(name, "cpu", index) for index, name in enumerate(names)]


def open_desk(
    root: Path,
    *,
    devices: tuple[str, ...] | list[Device] = ("cpu",),
    lease_dir: Path | None = None,
    memory: Callable[[Device], Memory | None] = memory_of,
    **options: Any,
) -> Desk:
    """Open a manager over a data folder."""
    catalog, bus = Catalog(f"sqlite:///{root}/catalog.sqlite3"), EventBus()
    folder = lease_dir or root / "leases"
    folder.mkdir(exist_ok=True)
    found = devices if isinstance(devices, list) else slots(*devices)
    leases = LeaseFolder(folder, found, memory=memory)
    manager = JobManager(catalog, bus, root, worker=ODD_WORKER, leases=leases, **options)
    desk = Desk(catalog, bus, manager)
    bus.subscribe(lambda message: desk.messages.append(message.to_dict()))
    odd = JobKind(
        "odd",
        prepare=lambda job: {**job.params, "kind": "odd"},
        finish=lambda job, result: desk.finished.append((job.id, result)),
        fail=lambda job, state, error: desk.failed.append((job.id, state, error)),
        restart=_restart,
        limit=2,
    )
    manager.register(odd)
    manager.register(
        replace(
            odd,
            name="leased",
            limit=9,
            needs=lambda job: Needs("auto", job.params.get("memory", 0), job.params["act"]),
        )
    )
    manager.start()
    return desk


def _restart(job: JobRecord) -> None:
    if job.params.get("restart") == "fails":
        raise ConflictError("What it made is gone.", code="gone")


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Open managers over one data folder (or their own ``root``); all are closed at the end."""
    opened: list[Desk] = []

    def new(**options: Any) -> Desk:
        root = options.pop("root", tmp_path)
        root.mkdir(exist_ok=True)
        opened.append(open_desk(root, **options))
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
