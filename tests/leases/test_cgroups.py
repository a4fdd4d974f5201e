"""Limits and kills as control groups tell them, read from folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from mistudio_ext.leases.cgroups import memory_groups, oom_counter, oom_kills

#: What the two versions write: path of the group, then file -> text.
UNIFIED = (
    "0::/hub.slice/ada.service\n",
    "hub.slice/ada.service",
    {
        "memory.max": "4000\n",
        "memory.current": "3000\n",
        "memory.stat": "anon 2500\ninactive_file 400\n",
        "memory.events": "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n",
    },
)
FIRST = (
    "5:cpu,cpuacct:/ada\n4:memory:/ada\n0::/\n",
    "memory/ada",
    {
        "memory.limit_in_bytes": "4000\n",
        "memory.usage_in_bytes": "3000\n",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    },
)
BOTH = pytest.mark.parametrize(("own", "path", "files"), [UNIFIED, FIRST], ids=["v2", "v1"])


def lay(tmp_path: Path, own: str, path: str, files: dict[str, str]) -> tuple[Path, Path, Path]:
    """Write a group's files; return root, what the process is told, and the group's folder."""
    told, group = tmp_path / "own", tmp_path / "cgroup" / path
    told.write_text(own)
    group.mkdir(parents=True)
    for name, text in files.items():
        (group / name).write_text(text)
    return tmp_path / "cgroup", told, group


@BOTH
def test_what_a_group_leaves(tmp_path: Path, own: str, path: str, files: dict[str, str]) -> None:
    """The limit, and what is free below it; what the kernel gives back when asked is free."""
    root, told, group = lay(tmp_path, own, path, files)
    found = memory_groups(root, told)
    assert found[0].folder == group
    assert found[0].room() == (4000, 1400)
    assert [other.room() for other in found[1:]] == [None] * (len(found) - 1)
    limit = next(name for name in files if name in ("memory.max", "memory.limit_in_bytes"))
    (group / limit).write_text("max\n")
    assert found[0].room() is None


@BOTH
def test_who_was_killed(tmp_path: Path, own: str, path: str, files: dict[str, str]) -> None:
    """The counter nearest to the process is asked, and is no more when the group is gone."""
    root, told, group = lay(tmp_path, own, path, files)
    machine = tmp_path / "vmstat"
    machine.write_text("nr_free_pages 12\noom_kill 50\n")
    counter = oom_counter(root, told, machine)
    assert counter.parent == group
    assert oom_kills(counter) == 2
    counter.unlink()
    assert oom_kills(counter) is None
    assert oom_counter(root, told, machine) == machine
    assert oom_kills(machine) == 50


def test_a_container_that_names_its_hosts_path(tmp_path: Path) -> None:
    """Its own group is what is mounted at the root; without any group there is no limit."""
    root, told, _ = lay(tmp_path, "0::/system.slice/docker-1.scope\n", ".", UNIFIED[2])
    assert [group.folder for group in memory_groups(root, told)] == [root]
    assert oom_counter(root, told, tmp_path / "vmstat") == root / "memory.events"
    assert memory_groups(tmp_path / "none", tmp_path / "none") == []
    assert oom_kills(tmp_path / "none") is None
