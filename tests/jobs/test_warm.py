"""Workers that stay for the next job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mistudio_ext.leases.memory import Memory
from mistudio_ext.workers import station
from tests.jobs.conftest import Desk
from tests.jobs.test_manager import gone, wait_for_file

NewDesk = Callable[..., Desk]


def until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    for _ in range(600):
        if gone(pid):
            return
        time.sleep(0.02)
    raise AssertionError(f"{pid} still runs")


def test_the_next_job_takes_the_same_process(new_desk: NewDesk) -> None:
    """Process, device and model stay; folder, log, lock and secrets are each job's own."""
    desk = new_desk(warm_idle_s=60)
    first = desk.submit("who", kind="leased", secrets={"HF_TOKEN": "hf_one"})
    one = desk.result(first.id)
    (idle,) = desk.manager.leases()
    assert (idle["device"], idle["idle"], idle["job"]) == ("cpu", True, None)
    second = desk.submit("who", kind="leased")
    two = desk.result(second.id)
    assert two["pid"] == one["pid"]
    assert (one["token"], two["token"]) == ("hf_one", None)
    assert one["cwd"].endswith(first.id)
    assert two["cwd"].endswith(second.id)
    for job in (first, second):
        assert "log line" in desk.manager.folder(job.id).log_tail()[0]
        assert not desk.manager.folder(job.id).worker_lives()
    third = desk.submit("input_error", kind="leased")
    desk.until(third.id, "failed")
    assert desk.result(desk.submit("who", kind="leased").id)["pid"] != one["pid"]


def test_cancel_keeps_it_and_death_is_seen(new_desk: NewDesk, tmp_path: Path) -> None:
    """A job in a warm worker is cancelled, killed and explained as in a new one."""
    desk = new_desk(warm_idle_s=60, cancel_grace_s=0.5)
    pid = desk.result(desk.submit("who", kind="leased").id)["pid"]
    journal = tmp_path / "journal"
    job = desk.submit("until", kind="leased", journal=str(journal), end=str(tmp_path / "end"))
    wait_for_file(journal)
    desk.manager.cancel(job.id)
    desk.until(job.id, "cancelled")
    assert desk.result(desk.submit("who", kind="leased").id)["pid"] == pid
    crash = desk.submit("signal", kind="leased", signal=int(signal.SIGSEGV))
    error = desk.until(crash.id, "failed").error
    assert error is not None
    assert error["code"] == "worker_crashed"
    assert "Fatal Python error" in error["log_tail"]
    stuck = desk.submit("c_call", kind="leased", pid_file=str(tmp_path / "pids"))
    worker, child = map(int, wait_for_file(tmp_path / "pids").split())
    desk.manager.cancel(stuck.id)
    desk.until(stuck.id, "cancelled")
    until_gone(worker)
    until_gone(child)
    assert desk.manager.leases() == []


def test_it_leaves_for_whoever_needs_the_device(new_desk: NewDesk, tmp_path: Path) -> None:
    """Another user's ticket sends an idle worker away; so does the end of its manager."""
    leases = tmp_path / "node"
    leases.mkdir()
    desk = new_desk(lease_dir=leases, warm_idle_s=600)
    other = new_desk(lease_dir=leases, warm_idle_s=600)
    pid = desk.result(desk.submit("who", kind="leased").id)["pid"]
    theirs = other.result(other.submit("who", kind="leased").id)["pid"]
    assert gone(pid)
    assert not gone(theirs)
    other.manager.close()
    until_gone(theirs)


def test_it_leaves_for_a_job_that_needs_the_memory(new_desk: NewDesk) -> None:
    """What an idle worker without a device has in memory is free for a job that waits for it."""
    idle: list[int] = []
    desk = new_desk(
        warm_idle_s=600,
        memory=lambda _: Memory(100 << 30, 0 if any(not gone(pid) for pid in idle) else 99 << 30),
    )
    idle.append(desk.result(desk.submit("who").id)["pid"])
    waited = desk.submit("who", kind="leased", memory=1 << 30)
    assert desk.result(waited.id)["pid"] not in idle
    told = {m["payload"].get("message") for m in desk.messages if m["topic"].endswith(waited.id)}
    assert "Waiting for memory: 1.4 GB are needed, 0.0 GB are free" in told
    assert gone(idle[0])


def test_it_leaves_when_memory_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine, or of the container that it runs in."""
    monkeypatch.setattr(station, "host_memory", lambda: Memory(100, 7))
    assert station.Station()._in_the_way()
    monkeypatch.setattr(station, "host_memory", lambda: Memory(100, 9))
    assert not station.Station()._in_the_way()


def test_it_may_be_killed_while_it_idles(new_desk: NewDesk, tmp_path: Path) -> None:
    """Its device is free at once, and the next job starts in another process."""
    desk = new_desk(warm_idle_s=600)
    pid = desk.result(desk.submit("who", kind="leased").id)["pid"]
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    assert desk.manager.leases() == []
    again = desk.submit("who", kind="leased")
    assert desk.result(again.id)["pid"] != pid
    assert desk.manager.get(again.id).attempt == 1


def test_one_that_does_not_answer_costs_no_place(new_desk: NewDesk, tmp_path: Path) -> None:
    """A stopped worker takes no job: it is ended, and the job keeps its place in the queue."""
    desk = new_desk(warm_idle_s=600)
    stopped = desk.result(desk.submit("who", kind="leased").id)["pid"]
    os.kill(stopped, signal.SIGSTOP)
    first, second = (desk.submit("who", kind="leased") for _ in range(2))
    assert desk.result(first.id)["pid"] != stopped
    desk.result(second.id)
    assert [job_id for job_id, _ in desk.finished[1:]] == [first.id, second.id]
    assert desk.manager.get(first.id).attempt == 1
    assert gone(stopped)


def test_without_an_idle_time_nothing_stays(new_desk: NewDesk) -> None:
    """0 is off: the process ends with its job, and its device is free."""
    desk = new_desk(warm_idle_s=0)
    pid = desk.result(desk.submit("who", kind="leased").id)["pid"]
    assert gone(pid)
    assert desk.manager.leases() == []


def test_it_leaves_when_it_has_idled_long_enough(new_desk: NewDesk) -> None:
    """Nothing stays for ever."""
    desk = new_desk(warm_idle_s=0.2)
    pid = desk.result(desk.submit("who", kind="leased").id)["pid"]
    until_gone(pid)
    again = desk.result(desk.submit("who", kind="leased").id)["pid"]
    assert again != pid


def test_jobs_without_a_device_share_a_process(new_desk: NewDesk) -> None:
    """A chain of jobs pays for its imports once, and takes the device when it needs one."""
    desk = new_desk(warm_idle_s=60)
    pids = {desk.result(desk.submit("who").id)["pid"] for _ in range(2)}
    leased = desk.result(desk.submit("who", kind="leased").id)
    assert pids == {leased["pid"]}
    assert leased["device"] == "cpu"
    # What has a small model gives it up, and its device, rather than let others start anew.
    assert desk.result(desk.submit("who").id)["pid"] == leased["pid"]
    assert desk.manager.leases() == []


def test_a_killed_manager_leaves_no_worker_behind(tmp_path: Path, new_desk: NewDesk) -> None:
    """Kill -9 of the server: an idle worker leaves, a busy one ends its job and then leaves."""
    code = (
        "import sys, time; from pathlib import Path; from tests.jobs.conftest import open_desk\n"
        "desk = open_desk(Path(sys.argv[1]), devices=('a', 'b'), warm_idle_s=600)\n"
        "job = desk.submit('until', journal=sys.argv[1] + '/j', end=sys.argv[1] + '/end')\n"
        "other = desk.submit('until', journal=sys.argv[1] + '/k', end=sys.argv[1] + '/never')\n"
        "desk.until(job.id, 'running'), desk.until(other.id, 'running')\n"
        "idle = desk.result(desk.submit('who', kind='leased').id)['pid']\n"
        "print(idle, job.id, other.id, flush=True); time.sleep(600)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert server.stdout is not None
    idle, job_id, other_id = server.stdout.readline().split()
    wait_for_file(tmp_path / "j")
    wait_for_file(tmp_path / "k")
    server.kill()
    server.communicate()
    until_gone(int(idle))
    second = new_desk(devices=("a", "b"), cancel_grace_s=0.5, warm_idle_s=600)
    assert second.until(job_id, "running").attempt == 1
    (tmp_path / "end").touch()
    busy = second.result(job_id)["pid"]
    until_gone(busy)
    second.manager.cancel(other_id)
    second.until(other_id, "cancelled")
