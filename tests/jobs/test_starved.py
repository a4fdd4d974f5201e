"""A worker that the kernel kills for lack of memory.

Where this machine lets us make a control group, the kernel's own OOM killer does it; the same
without one, with a stand-in for the file in which the kernel counts, is tested everywhere.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mistudio_ext.jobs import process
from mistudio_ext.leases.cgroups import MemoryGroup, memory_groups
from tests.jobs.conftest import Desk
from tests.packaging.conftest import ROOT

LIMIT = 256 << 20


@contextlib.contextmanager
def small_group() -> Iterator[MemoryGroup | None]:
    """Yield a control group with little memory and no swap, None where we may not make one."""
    parent = next(iter(memory_groups()), None)
    folder = parent and parent.folder / f"mistudio-test-{uuid.uuid4().hex[:8]}"
    try:
        if parent is None or folder is None:
            yield None
            return
        folder.mkdir()
    except OSError:
        yield None
        return
    group = MemoryGroup(folder, parent.unified)
    try:
        yield group if _limited(group) else None
    finally:
        folder.rmdir()


def _limited(group: MemoryGroup) -> bool:
    """Set the limits; tell whether they hold."""
    limit, with_swap, swap = (
        ("memory.max", "memory.swap.max", 0)
        if group.unified
        else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", LIMIT)
    )
    try:
        (group.folder / limit).write_text(str(LIMIT))
        if psutil.swap_memory().total:
            (group.folder / with_swap).write_text(str(swap))
    except OSError:
        return False
    return True


def _possible() -> bool:
    with small_group() as group:
        return group is not None


#: Who kills.
KILLERS = ["stand-in", *(["kernel"] if _possible() else [])]


@pytest.mark.parametrize("killer", KILLERS)
def test_out_of_memory_is_told_as_that(
    killer: str,
    new_desk: Callable[..., Desk],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """State, code and message, with the end of the log; the server beside it lives on."""
    if killer == "kernel":
        state, error = killed_by_the_kernel(tmp_path)
    else:
        counter = tmp_path / "memory.events"
        counter.write_text("oom_kill 0\n")
        monkeypatch.setattr(process, "oom_counter", lambda: counter)
        desk = new_desk()
        ended = desk.until(desk.submit("hog", counter=str(counter)).id, "failed", "interrupted")
        assert ended.error is not None
        state, error = ended.state, ended.error
    assert (state, error["code"]) == ("failed", "out_of_memory")
    assert "the kernel killed the worker" in error["message"]
    assert "smaller format" in error["hint"]
    assert "log line of the odd worker" in error["log_tail"]


def killed_by_the_kernel(folder: Path) -> tuple[str, dict[str, str]]:
    """Run a manager and its worker in a small group; the kernel chooses the worker."""
    with small_group() as group:
        assert group is not None
        command = [sys.executable, "-m", "tests.jobs.starved"]
        told = subprocess.run(
            [*command, str(folder), str(group.folder / "cgroup.procs")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    state, error = json.loads(told.stdout)
    return state, error
