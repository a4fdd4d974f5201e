"""What is kept of ended jobs, and their logs while they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mistudio_ext.catalog import DatasetRecord, JobRecord
from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.jobs.retention import expired
from tests.jobs.conftest import Desk
from tests.jobs.test_manager import wait_for_file

LONG_AGO = "2020-01-01T00:00:00.000Z"


def test_a_log_is_read_while_it_grows(desk: Desk, tmp_path: Path) -> None:
    """A reader gets each piece once, whole characters only, and begins anew after a cut."""
    journal, end = tmp_path / "journal", tmp_path / "end"
    job = desk.submit("until", journal=str(journal), end=str(end))
    wait_for_file(journal)
    folder = desk.manager.folder(job.id)
    text, start, after = folder.log_from(0)
    assert (text, start) == ("log line of the odd worker\n", 0)
    with folder.log.open("ab") as log:
        log.write("é".encode()[:1])
    assert folder.log_from(after) == ("", after, after)
    with folder.log.open("ab") as log:
        log.write("é".encode()[1:] + b"!\n")
    text, start, after = folder.log_from(after)
    assert (text, start, after) == ("é!\n", start, folder.log_bytes())
    assert folder.log_from(after + 100)[:2] == (folder.log_from(0)[0], 0)
    end.touch()
    desk.until(job.id, "done")


def test_ended_jobs_can_be_forgotten(desk: Desk, tmp_path: Path) -> None:
    """An ended job goes with its folder, and everybody is told; a running one stays."""
    end = tmp_path / "end"
    job = desk.submit("until", journal=str(tmp_path / "journal"), end=str(end))
    desk.until(job.id, "running")
    with pytest.raises(ConflictError, match="running"):
        desk.manager.forget(job.id)
    end.touch()
    desk.until(job.id, "done")
    assert desk.manager.forget(job.id)["deleted"] == [job.id]
    assert not desk.manager.folder(job.id).path.exists()
    assert desk.messages[-1]["payload"] == {"id": job.id, "deleted": True}


@pytest.mark.parametrize("priority", [None, True, 101, 0.5, "1"])
def test_priorities_are_whole_numbers(desk: Desk, priority: object) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInputError, match="whole number"):
        desk.manager.prioritise("job_1", priority)


def test_old_jobs_expire_unless_something_needs_them(new_desk: Callable[..., Desk]) -> None:
    """The unfinished can still be retried, and a dependency is there as long as its dependent."""
    first = new_desk()
    catalog = first.catalog

    def old(job_id: str, state: str = "done", target: str = "gone", **more: object) -> None:
        catalog.jobs.add(
            JobRecord(
                id=job_id,
                kind="odd",
                target_type="dataset",
                target_id=target,
                target_name=target,
                state=state,
                ended_at=LONG_AGO,
                **more,  # type: ignore[arg-type]
            )
        )

    for name, state in (("half", "failed"), ("whole", "ready")):
        catalog.datasets.add(
            DatasetRecord(
                id=name, name=name, source="path", identity=name, state=state, job_id=f"of_{name}"
            )
        )
    old("plain")
    old("needed")
    old("of_half", "failed", "half", depends_on=["needed"])
    old("of_whole", target="whole")
    recent = first.submit("steps", n=1)
    first.until(recent.id, "done")
    assert {job.id for job in expired(catalog, 30)} == {"plain", "of_whole"}
    first.manager.close()
    second = new_desk(retention_days=30)
    while second.catalog.jobs.find(id="plain") is not None:
        second.manager.wait(recent.id, 0.05)
    second.until(second.submit("steps", n=1).id, "done")
    left = {job.id for job in second.catalog.jobs.list()}
    assert {"needed", "of_half", recent.id} <= left
    assert "of_whole" not in left
