"""Workers that stay for the next job."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
