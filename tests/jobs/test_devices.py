"""Jobs that need a device: one at a time on each, in order, shared between managers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mistudio_ext.leases import Need, find_devices, holders
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import _leases as leases_of
from tests.jobs.conftest import Desk
from tests.jobs.test_manager import wait_for_file

NewDesk = Callable[..., Desk]


def test_one_job_per_device_and_the_reason_is_shown(new_desk: NewDesk, tmp_path: Path) -> None:
    """Two devices run two jobs; the third one says what it waits for, and runs when it can."""
    desk = new_desk(devices=("cpu-0", "cpu-1"))
    ends = [tmp_path / f"end{n}" for n in range(3)]
    jobs = [
        desk.submit("until", kind="leased", journal=f"{end}.journal", end=str(end)) for end in ends
    ]
    for job in jobs[:2]:
        desk.until(job.id, "running")
    held = {desk.manager.view(desk.manager.get(job.id))["device"] for job in jobs[:2]}
    assert held == {"cpu-0", "cpu-1"}
    while not (waiting := desk.manager.get(jobs[2].id)).message:
        desk.manager.wait(jobs[2].id, 0.1)
    assert waiting.state == "queued"
    assert waiting.message.startswith("Waiting for cpu-0, which ")
    assert desk.manager.view(waiting)["queue_position"] == 0
    shown = desk.manager.leases()
    assert [(lease["device"], lease["job"]) for lease in shown if lease["device"]] == [
        (desk.manager.get(job.id).device, job.id) for job in jobs[:2]
    ]
    assert [lease["job"] for lease in shown if not lease["device"]] == [jobs[2].id]
    ends[1].touch()
    desk.until(jobs[2].id, "running")
    ends[0].touch()
    ends[2].touch()
    for job in jobs:
        desk.until(job.id, "done")
    assert desk.manager.leases() == []


def test_a_killed_holder_frees_its_device(new_desk: NewDesk, tmp_path: Path) -> None:
    """Kill -9 of the worker, and of nobody else, lets the next job run."""
    desk = new_desk()
    pid_file, end = tmp_path / "pids", tmp_path / "end"
    holder = desk.submit("c_call", kind="leased", pid_file=str(pid_file))
    following = desk.submit("who", kind="leased")
    worker, _ = map(int, wait_for_file(pid_file).split())
    end.touch()
    os.kill(worker, signal.SIGKILL)
    desk.until(holder.id, "failed")
    assert desk.result(following.id)["device"] == "cpu"


def test_priority_takes_the_older_ticket(new_desk: NewDesk, tmp_path: Path) -> None:
    """Of one's own jobs the more urgent one runs first, whichever came first."""
    desk = new_desk()
    end = tmp_path / "end"
    desk.submit("until", kind="leased", journal=str(tmp_path / "j"), end=str(end))
    usual = desk.submit("who", kind="leased")
    while not desk.manager.get(usual.id).message:
        desk.manager.wait(usual.id, 0.1)
    urgent = desk.submit("who", kind="leased", priority=5)
    assert desk.manager.queue_position(desk.manager.get(usual.id)) == 1
    end.touch()
    desk.result(usual.id)
    assert [done for done, _ in desk.finished[1:]] == [urgent.id, usual.id]


def test_a_long_job_yields_and_goes_on(new_desk: NewDesk, tmp_path: Path) -> None:
    """After its time a job gives the device to another user's, and goes on where it was."""
    leases = tmp_path / "node"
    leases.mkdir()
    desk = new_desk(lease_dir=leases, max_hold_s=0.2)
    other = new_desk(lease_dir=leases)
    journal, end = tmp_path / "journal", tmp_path / "end"
    long = desk.submit("until", kind="leased", journal=str(journal), end=str(end))
    wait_for_file(journal)
    short = other.submit("who", kind="leased")
    assert other.result(short.id)["device"] == "cpu"
    end.touch()
    assert desk.result(long.id)["done"] == len(journal.read_text())
    assert desk.manager.get(long.id).attempt == 2
    assert desk.failed == []


def test_a_job_that_cannot_be_queued_again_fails(new_desk: NewDesk, tmp_path: Path) -> None:
    """What yields and cannot go on ends with the reason, and does not hold the others up."""
    leases = tmp_path / "node"
    leases.mkdir()
    desk = new_desk(lease_dir=leases, max_hold_s=0.2)
    other = new_desk(lease_dir=leases, root=tmp_path / "other")
    journal = tmp_path / "journal"
    end = str(tmp_path / "end")
    long = desk.submit("until", kind="leased", journal=str(journal), end=end, restart="fails")
    wait_for_file(journal)
    assert other.result(other.submit("who", kind="leased").id)["device"] == "cpu"
    error = desk.until(long.id, "failed").error
    assert error is not None
    assert (error["code"], error["message"]) == ("gone", "What it made is gone.")


def test_a_restarted_server_keeps_its_place_in_the_line(new_desk: NewDesk, tmp_path: Path) -> None:
    """Who waited longest is next, even if his server was restarted meanwhile."""
    leases = tmp_path / "node"
    leases.mkdir()
    other = new_desk(lease_dir=leases, root=tmp_path / "other")
    end = tmp_path / "end"
    holder = other.submit("until", kind="leased", journal=str(tmp_path / "j"), end=str(end))
    other.until(holder.id, "running")
    desk = new_desk(lease_dir=leases)
    first = desk.submit("who", kind="leased")
    while not desk.manager.get(first.id).message:
        desk.manager.wait(first.id, 0.1)
    second = other.submit("who", kind="leased")
    while not other.manager.get(second.id).message:
        other.manager.wait(second.id, 0.1)
    desk.manager.close()
    assert [lease["job"] for lease in other.manager.leases()] == [holder.id, second.id]
    again = new_desk(lease_dir=leases)
    while len(line := [lease["job"] for lease in other.manager.leases()]) < 3:
        again.manager.wait(first.id, 0.1)
    assert line == [holder.id, first.id, second.id]
    end.touch()
    again.result(first.id)
    other.result(second.id)
    assert not list(tmp_path.glob("jobs/*/place.json"))


@pytest.mark.parametrize(
    "given", ["3", "GPU-8d0f5c3a", "MIG-6f2e7a10", "MIG-GPU-8d0f5c3a/1/0"], ids=str
)
def test_a_gpu_that_a_scheduler_gave(new_desk: NewDesk, given: str) -> None:
    """The worker sees the GPU, or the slice, by the name by which the scheduler gave it."""
    desk = new_desk(devices=find_devices((), {"CUDA_VISIBLE_DEVICES": given}))
    found = desk.result(desk.submit("who", kind="leased").id)
    assert (found["device"], found["visible"]) == (given, given)


def test_a_scheduler_that_gave_no_gpu(new_desk: NewDesk) -> None:
    """An empty list means none, and not all: the job runs on the CPU and sees no GPU."""
    desk = new_desk(devices=find_devices((), {"CUDA_VISIBLE_DEVICES": ""}))
    found = desk.result(desk.submit("who", kind="leased").id)
    assert (found["device"], found["visible"]) == ("cpu", "")


@pytest.mark.parametrize(
    ("given", "leased"), [("GPU-8d0f5c3a", False), ("MIG-6f2e7a10", False), ("", True)], ids=str
)
def test_what_a_scheduler_gave_is_not_leased_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, leased: bool
) -> None:
    """No ticket in the node's folder, no share of a user; slots of the CPU are the node's."""
    node = tmp_path / "node"
    node.mkdir()
    node.chmod(0o1777)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    settings = from_config_files(
        data_dir=tmp_path / "data", lease_dir=str(node), max_leases_per_user=1
    )
    folder = leases_of(settings)
    need = Need(tuple(folder.devices.values())[:1], 0)
    ticket = folder.enter(need, "job")
    assert ticket.entry.device == (given or "cpu")
    assert [entry.job for entry in holders(node)] == (["job"] if leased else [])
    ticket.give_up()


def test_a_job_that_fits_on_no_device(new_desk: NewDesk) -> None:
    """What can never run is told so at once."""
    desk = new_desk()
    job = desk.submit("who", kind="leased", memory=10**15)
    error = desk.until(job.id, "failed").error
    assert error is not None
    assert error["code"] == "out_of_memory"
    assert "1100000.3 GB" in error["message"]
    assert "smaller format" in error["hint"]


def test_cancel_while_waiting_leaves_the_line(new_desk: NewDesk, tmp_path: Path) -> None:
    """A job that waits for a device is cancelled at once, and its ticket is gone."""
    desk = new_desk()
    end = tmp_path / "end"
    holder = desk.submit("until", kind="leased", journal=str(tmp_path / "j"), end=str(end))
    waiting = desk.submit("who", kind="leased")
    while not desk.manager.get(waiting.id).message:
        desk.manager.wait(waiting.id, 0.1)
    desk.manager.cancel(waiting.id)
    desk.until(waiting.id, "cancelled")
    end.touch()
    desk.until(holder.id, "done")
    assert desk.manager.leases() == []
