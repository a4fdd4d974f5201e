"""Jobs on a disk that is full: each ends, in seconds, with the true reason, said once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.catalog import JobRecord
from mistudio_ext.errors import BusyError, MiStudioError, NoSpaceError
from mistudio_ext.jobs.kinds import ENDED
from tests.jobs.conftest import Desk
from tests.smalldisk import SmallDisk, mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 16 MB."""
    with mounted(tmp_path / "disk", "16m") as small:
        yield small


@pytest.fixture
def desk(disk: SmallDisk, new_desk: Callable[..., Desk]) -> Desk:
    """A manager whose data folder is on the small disk."""
    return new_desk(root=disk.path / "data", cancel_grace_s=0.5)


def works(desk: Desk, job: JobRecord) -> None:
    """Wait until a job's worker is at work."""
    while desk.manager.get(job.id).phase != "working":
        time.sleep(0.02)


def ended_soon(desk: Desk, job: JobRecord, *states: str) -> JobRecord:
    """Return a job that must end within seconds."""
    began = time.monotonic()
    ended = desk.until(job.id, *states)
    assert time.monotonic() - began < 20
    return ended


def test_a_disk_that_a_job_fills(
    desk: Desk, disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """It has failed with what is free, in one line of each log; the next job runs after that."""
    job = desk.submit("fill", file=str(disk.path / "large"))
    with caplog.at_level(logging.INFO):
        ended = ended_soon(desk, job, "failed")
        time.sleep(1.0)  # What is said again and again is said by now.
    assert disk.free < 256 << 10
    assert ended.error is not None
    assert ended.error["code"] == "no_space"
    assert ended.error["free_bytes"] == 0
    assert str(disk.path) in ended.error["message"]
    assert ended.error["hint"]
    log = desk.manager.folder(job.id).log_tail(100)[0]
    assert log.count("no_space") == 1
    assert "Traceback" not in log
    ours = [record for record in caplog.records if record.name.startswith("mistudio_ext")]
    assert [(record.levelname, job.id in record.getMessage()) for record in ours] == [
        ("WARNING", True)
    ]
    (disk.path / "large").unlink()
    assert desk.result(desk.submit("steps", n=1).id)["answer"] == 42


def test_a_job_that_writes_nothing_ends_well(desk: Desk, disk: SmallDisk, tmp_path: Path) -> None:
    """Its progress may be lost; its result and its row have their room."""
    end = tmp_path / "end"
    jobs = [
        desk.submit("until", journal=str(tmp_path / f"journal{n}"), end=str(end)) for n in range(2)
    ]
    for job in jobs:
        works(desk, job)
    disk.fill()
    time.sleep(0.5)  # Its progress does not fit now.
    end.touch()
    for job in jobs:
        assert ended_soon(desk, job, "done", "failed").state == "done"
    assert disk.free < 256 << 10


def test_a_result_that_has_no_room(desk: Desk, disk: SmallDisk, tmp_path: Path) -> None:
    """Room is reserved for why a job failed, not for a megabyte."""
    job = desk.submit("large", end=str(tmp_path / "end"))
    works(desk, job)
    disk.fill()
    (tmp_path / "end").touch()
    ended = ended_soon(desk, job, "failed", "done")
    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error["code"] == "no_space"
    disk.empty()
    desk.manager.retry(job.id)
    assert ended_soon(desk, job, "done", "failed").state == "done"


def test_a_mapped_file_that_has_no_room(desk: Desk, disk: SmallDisk, tmp_path: Path) -> None:
    """The signal that ends the worker is explained by the disk."""
    disk.fill(leave=4 << 20)
    job = desk.submit("mapped", file=str(disk.path / "mapped"))
    ended = ended_soon(desk, job, "failed")
    assert ended.error is not None
    assert ended.error["code"] == "no_space"


def test_before_the_start(desk: Desk, disk: SmallDisk, tmp_path: Path) -> None:
    """New jobs are refused; one that is tried again fails at once."""
    failed = desk.submit("input_error")
    desk.until(failed.id, "failed")
    end = tmp_path / "end"
    running = [
        desk.submit("until", journal=str(tmp_path / f"journal{n}"), end=str(end)) for n in range(2)
    ]
    for job in running:
        works(desk, job)
    waiting = desk.submit("steps", n=1)
    disk.fill()
    with pytest.raises(NoSpaceError, match="is full"):
        desk.submit("steps", n=1)
    end.touch()
    for job in running:
        assert ended_soon(desk, job, "done", "failed").state == "done"
    # What the two gave back may be enough for the third.
    ended = ended_soon(desk, waiting, "failed", "done")
    assert ended.error is None or ended.error["code"] == "no_space"
    disk.fill()
    desk.manager.retry(failed.id)
    ended = ended_soon(desk, failed, "failed", "done")
    assert ended.error is not None
    assert ended.error["code"] == "no_space"
    assert ended.attempt == 1, "no worker was started for it"
    disk.empty()
    assert desk.result(desk.submit("steps", n=1).id)["answer"] == 42


def test_a_lease_on_a_full_disk(desk: Desk, disk: SmallDisk) -> None:
    """A job that needs a device ends too: its ticket lies on the same disk."""
    job = desk.submit("who", kind="leased")
    desk.until(job.id, "done")
    disk.fill()
    desk.catalog.jobs.update(job.id, state="failed")
    desk.manager.retry(job.id)
    ended = ended_soon(desk, job, "failed", "done")
    assert ended.error is not None
    assert ended.error["code"] == "no_space"
    disk.empty()
    desk.manager.retry(job.id)
    assert ended_soon(desk, job, "done", "failed").state == "done"


@pytest.mark.parametrize("act", ["steps", "input_error"])
@pytest.mark.parametrize("error", [BusyError("It is in use."), NoSpaceError("It is full.")])
def test_ends_that_the_catalog_does_not_take_at_once(
    new_desk: Callable[..., Desk],
    act: str,
    error: MiStudioError,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are tried again until it does, once, and said once; a warm worker is given no job."""
    desk = new_desk(warm_idle_s=60.0)
    update, refused = desk.catalog.jobs.update, []

    def refusing(row_id: str, **changes: Any) -> JobRecord:
        if changes.get("state") in ENDED and len(refused) < 4:
            refused.append(changes)
            raise error
        return update(row_id, **changes)

    monkeypatch.setattr(desk.catalog.jobs, "update", refusing)
    with caplog.at_level(logging.INFO):
        first, second = desk.submit(act), desk.submit("who")
        ended = desk.until(first.id, *ENDED)
        assert ended.state == ("done" if act == "steps" else "failed")
        assert desk.result(second.id)["pid"]
    assert len(refused) == 4
    again = [r for r in caplog.records if "tried again" in r.getMessage()]
    assert 1 <= len(again) <= 3
    finished = [job_id for job_id, _ in desk.finished]
    assert sorted(finished) == sorted(set(finished))
