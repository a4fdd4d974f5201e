"""The job manager with real worker processes, really killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mistudio_ext.errors import ConflictError
from tests.jobs.conftest import Desk


def gone(pid: int) -> bool:
    """Tell whether a process no longer runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_file(path: Path) -> str:
    """Return a file's text once it is there."""
    for _ in range(600):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def test_done_with_progress_result_and_log(desk: Desk) -> None:
    """A job runs in a worker; its progress is published and its result handed over."""
    job = desk.submit("steps", n=40)
    ended = desk.until(job.id, "done")
    assert desk.finished == [(job.id, {"answer": 42, "secret": None})]
    assert (ended.done, ended.total, ended.unit) == (40, 40, "steps")
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert "log line of the odd worker" in desk.manager.folder(job.id).log_tail()[0]
    shown = [m["payload"] for m in desk.messages if m["topic"] == f"jobs/{job.id}"]
    assert next(p["state"] for p in shown) == "queued"
    assert shown[-1]["state"] == "done"
    assert shown[-1]["progress"] == 1.0
    assert any(0 < p["progress"] < 1 and p["rate"] and p["eta_s"] is not None for p in shown)


def test_secrets_reach_the_worker_and_nothing_else(desk: Desk, tmp_path: Path) -> None:
    """A token is in the worker's environment, and in no file and no message."""
    job = desk.submit("steps", n=1, secrets={"HF_TOKEN": "hf_very_secret"})
    desk.until(job.id, "done")
    assert desk.finished[0][1]["secret"] == "hf_very_secret"
    desk.finished.clear()
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "result.json"]
    assert written
    for path in written:
        assert b"hf_very_secret" not in path.read_bytes(), path
    assert "hf_very_secret" not in str(desk.messages)


def test_flood_is_held_to_ten_messages_a_second(desk: Desk) -> None:
    """Whatever the worker does, a job publishes at most about ten messages a second."""
    started = time.monotonic()
    job = desk.submit("flood")
    ended = desk.until(job.id, "done")
    elapsed = time.monotonic() - started
    count = sum(m["topic"] == f"jobs/{job.id}" for m in desk.messages)
    # Queued, started and ended come on top of the ticks.
    assert count <= elapsed / 0.1 + 4
    assert ended.warnings == [{"code": "flooded", "message": "That was a lot."}]


def test_a_flood_is_held_however_busy_the_manager_is(desk: Desk) -> None:
    """Phases are never left out by the worker, and every new job wakes the manager."""
    started = time.monotonic()
    job = desk.submit("phases")
    while desk.manager.get(job.id).state != "done":
        desk.manager._supervisor.wake()
        time.sleep(0.002)
    elapsed = time.monotonic() - started
    count = sum(m["topic"] == f"jobs/{job.id}" for m in desk.messages)
    assert count <= elapsed / 0.1 + 4


@pytest.mark.parametrize(
    ("act", "code"),
    [("input_error", "no_thing"), ("bug", "internal_error"), ("memory", "out_of_memory")],
)
def test_failures_are_named(desk: Desk, act: str, code: str) -> None:
    """What a worker raises arrives as an error with code and message, never as a traceback."""
    job = desk.submit(act)
    error = desk.until(job.id, "failed").error
    assert error is not None
    assert error["code"] == code
    assert "Traceback" not in str(error)
    assert desk.failed == [(job.id, "failed", error)]
    assert ("Traceback" in desk.manager.folder(job.id).log_tail(50)[0]) == (act != "input_error")


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGKILL, "worker_killed", "killed from outside"),
        (signal.SIGSEGV, "worker_crashed", "SIGSEGV"),
    ],
)
def test_death_by_signal_is_seen_and_explained(
    desk: Desk, number: int, code: str, words: str
) -> None:
    """A killed or crashed worker is reported within two seconds, in words."""
    job = desk.submit("signal", signal=int(number))
    desk.until(job.id, "running", "failed")
    ended = desk.until(job.id, "failed")
    assert ended.error is not None
    assert ended.error["code"] == code
    assert words in ended.error["message"]
    assert "log line of the odd worker" in ended.error["log_tail"]


def test_exit_without_result(desk: Desk) -> None:
    """A worker that just leaves is reported with its status."""
    error = desk.until(desk.submit("exit").id, "failed").error
    assert error is not None
    assert error["code"] == "worker_died"
    assert "3" in error["message"]


def test_cancel_asks_first(desk: Desk) -> None:
    """A worker that listens stops by itself."""
    job = desk.submit("steps", n=10_000)
    desk.until(job.id, "running")
    desk.manager.cancel(job.id)
    ended = desk.until(job.id, "cancelled")
    assert ended.error is not None
    assert ended.error["code"] == "cancelled"
    assert desk.failed[0][1] == "cancelled"


def test_cancel_kills_a_c_call_with_its_children(desk: Desk, tmp_path: Path) -> None:
    """A worker that sits in a C call is killed after the grace period, its children too."""
    pid_file = tmp_path / "pids"
    job = desk.submit("c_call", pid_file=str(pid_file))
    worker, child = map(int, wait_for_file(pid_file).split())
    desk.manager.cancel(job.id)
    desk.until(job.id, "cancelled")
    assert gone(worker)
    for _ in range(100):
        if gone(child):
            break
        time.sleep(0.02)
    assert gone(child)


def test_cancel_of_a_queued_job(desk: Desk) -> None:
    """A queued job is cancelled without ever running."""
    first = desk.submit("steps", n=10_000)
    second = desk.submit("steps", depends_on=[first.id])
    desk.manager.cancel(second.id)
    assert desk.until(second.id, "cancelled").started_at is None
    assert desk.manager.get(first.id).state in ("queued", "running")


def test_order_limits_and_queue_position(desk: Desk) -> None:
    """No more than the kind's limit run; the others wait in order and know their place."""
    jobs = [desk.submit("steps", n=60) for _ in range(4)]
    desk.until(jobs[1].id, "running")
    assert [desk.manager.get(j.id).state for j in jobs] == ["running"] * 2 + ["queued"] * 2
    assert [desk.manager.queue_position(desk.manager.get(j.id)) for j in jobs[2:]] == [0, 1]
    starts = [desk.until(j.id, "done").started_at for j in jobs]
    assert starts == sorted(starts, key=str)


def test_dependencies(desk: Desk) -> None:
    """A job waits for what it needs, and fails with the other's error if that fails."""
    needed = desk.submit("steps", n=20)
    waiting = desk.submit("steps", n=1, depends_on=[needed.id])
    ended = desk.until(waiting.id, "done")
    assert str(ended.started_at) >= str(desk.manager.get(needed.id).ended_at)
    broken = desk.submit("input_error")
    error = desk.until(desk.submit("steps", depends_on=[broken.id]).id, "failed").error
    assert error is not None
    assert error["code"] == "no_thing"
    assert "There is no such thing." in error["message"]


def test_retry(desk: Desk) -> None:
    """An ended job can be queued again, a running one cannot."""
    job = desk.submit("input_error")
    desk.until(job.id, "failed")
    again = desk.manager.retry(job.id)
    assert again.state == "queued"
    assert again.error is None
    assert desk.until(job.id, "failed").attempt == 2
    running = desk.submit("steps", n=10_000)
    desk.until(running.id, "running")
    with pytest.raises(ConflictError, match="can be tried again"):
        desk.manager.retry(running.id)


def test_a_closed_managers_worker_is_adopted(new_desk: Callable[..., Desk]) -> None:
    """The worker outlives its manager; the next one shows its progress and takes its result."""
    first = new_desk()
    job = first.submit("steps", n=300)
    first.until(job.id, "running")
    first.manager.close()
    second = new_desk(cancel_grace_s=0.5)
    ended = second.until(job.id, "done")
    assert ended.attempt == 1
    assert second.finished == [(job.id, {"answer": 42, "secret": None})]
    assert first.finished == []


def test_an_adopted_worker_can_be_cancelled(new_desk: Callable[..., Desk], tmp_path: Path) -> None:
    """A later manager can kill what an earlier one started."""
    first = new_desk()
    pid_file = tmp_path / "pids"
    job = first.submit("c_call", pid_file=str(pid_file))
    worker = int(wait_for_file(pid_file).split()[0])
    first.manager.close()
    second = new_desk(cancel_grace_s=0.3)
    second.manager.cancel(job.id)
    second.until(job.id, "cancelled")
    assert gone(worker)


def test_an_adopted_worker_takes_its_children_along(
    new_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """Whoever kills it: what it has started does not go on without it."""
    first = new_desk()
    pid_file = tmp_path / "pids"
    job = first.submit("c_call", pid_file=str(pid_file))
    worker, child = map(int, wait_for_file(pid_file).split())
    first.manager.close()
    second = new_desk()
    second.result(second.submit("steps", n=1).id)  # It has looked at what runs.
    os.kill(worker, signal.SIGKILL)
    error = second.until(job.id, "failed").error
    assert error is not None
    assert error["code"] == "worker_killed"
    for _ in range(100):
        if gone(child):
            break
        time.sleep(0.02)
    assert gone(child)


def test_a_worker_that_died_meanwhile_is_interrupted(
    new_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """What died between two managers is named so, and can be tried again."""
    first = new_desk()
    pid_file = tmp_path / "pids"
    job = first.submit("c_call", pid_file=str(pid_file))
    worker, child = map(int, wait_for_file(pid_file).split())
    first.manager.close()
    psutil.Process(worker).kill()
    psutil.Process(child).kill()
    for _ in range(600):
        if gone(worker):
            break
        time.sleep(0.02)
    second = new_desk(cancel_grace_s=0.3)
    error = second.until(job.id, "interrupted").error
    assert error is not None
    assert error["code"] == "worker_lost"
    assert second.failed[0][1] == "interrupted"


def test_two_managers_never_run_a_job_twice(new_desk: Callable[..., Desk]) -> None:
    """Two managers over one data folder share the work."""
    desks = [new_desk(), new_desk()]
    jobs = [desks[n % 2].submit("steps", n=3) for n in range(10)]
    for n, job in enumerate(jobs):
        assert desks[n % 2].until(job.id, "done").attempt == 1
    finished = [job_id for desk in desks for job_id, _ in desk.finished]
    assert sorted(finished) == sorted(job.id for job in jobs)


def test_a_log_is_cut(desk: Desk) -> None:
    """An overgrown log keeps its end."""
    folder = desk.manager.folder(desk.submit("steps", n=1).id)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.log.write_text("first\n" + "x" * 5_000_000 + "\nlast\n")
    folder.trim_log()
    text, more = folder.log_tail(1)
    assert text == "last"
    assert more
    assert folder.log.stat().st_size < 2_000_000


def test_a_service_that_fails_to_note_the_end_blocks_nothing(desk: Desk) -> None:
    """Whatever a kind's ``fail`` raises, the job ends and the next one runs."""

    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    kind = desk.manager._kinds["odd"]
    desk.manager.register(replace(kind, fail=refuse, limit=1))
    broken = desk.submit("input_error")
    following = desk.submit("steps", n=1)
    assert desk.until(broken.id, "failed").error is not None
    desk.until(following.id, "done")
    desk.manager.register(replace(kind, prepare=refuse, fail=refuse, limit=1))
    unprepared = desk.submit("steps", n=1)
    error = desk.until(unprepared.id, "failed").error
    assert error is not None
    assert error["code"] == "worker_not_started"
    desk.manager.register(kind)
    desk.until(desk.submit("steps", n=1).id, "done")


def test_retry_at_the_same_time_runs_once(desk: Desk) -> None:
    """Two clicks on retry start one worker."""
    job = desk.submit("input_error")
    desk.until(job.id, "failed")

    def click() -> None:
        with contextlib.suppress(ConflictError):
            desk.manager.retry(job.id)

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.until(job.id, "failed").attempt == 2
    desk.result(desk.submit("steps", n=1).id)  # Whatever else was queued has had its turn.
    assert desk.manager.get(job.id).attempt == 2


def test_a_worker_is_recognised_before_it_said_who_it_is(
    new_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """A server that died right after starting a worker leaves a lock that the next one sees."""
    first = new_desk()
    job = first.submit("steps", n=300)
    first.until(job.id, "running")
    folder = first.manager.folder(job.id)
    for _ in range(200):
        if folder.process():
            break
        time.sleep(0.02)
    first.manager.close()
    identity = (folder.path / "process.json").rename(tmp_path / "process.json")
    assert folder.worker_lives()
    second = new_desk(cancel_grace_s=0.3)
    second.result(second.submit("steps", n=1).id)  # It has looked at what runs.
    assert second.manager.get(job.id).state == "running"
    identity.rename(folder.path / "process.json")
    second.until(job.id, "done")
    assert not folder.worker_lives()
