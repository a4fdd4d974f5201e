"""Whose turn it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.leases import Device, LeaseFolder, Need, check_shared, find_devices, holders
from mistudio_ext.leases.line import Turn, turn
from mistudio_ext.leases.memory import Memory, host_memory
from mistudio_ext.leases.ticket import Entry

GPUS = {name: Device(name, "gpu", n) for n, name in enumerate(("GPU-a", "GPU-b"))}
SLOTS = {name: Device(name, "cpu", n) for n, name in enumerate(("cpu-0", "cpu-1"))}


def waits(number: int, *devices: str, memory: int = 0, user: str = "", **more: object) -> Entry:
    """Return a ticket in the line."""
    return Entry(number, user or f"user{number}", 1000, "", "job", devices, memory, **more)  # type: ignore[arg-type]


def decide(entries: list[Entry], number: int, free: dict[str, int] | int = 10, **more: int) -> Turn:
    """Decide for one ticket, where each GPU has ten bytes."""
    mine = next(entry for entry in entries if entry.number == number)
    sizes = free if isinstance(free, dict) else dict.fromkeys(GPUS, free)
    return turn(entries, mine, GPUS, lambda d: Memory(10, sizes[d.id]), **more)


def test_in_order_of_arrival() -> None:
    """The first in the line gets the first device, the next the other, the third waits."""
    line = [waits(n, "GPU-a", "GPU-b") for n in (1, 2, 3)]
    assert decide(line, 1).device == "GPU-a"
    assert decide(line, 2).device == "GPU-b"
    assert decide(line, 3) == Turn(why="line", ahead=2)


def test_a_device_is_kept_for_who_came_first() -> None:
    """Who wants one device waits for it, and others pass on to what is left."""
    line = [waits(1, "GPU-a"), waits(2, "GPU-a"), waits(3, "GPU-a", "GPU-b")]
    assert decide(line, 2).device is None
    assert decide(line, 3).device == "GPU-b"
    held = waits(1, "GPU-a", device="GPU-a")
    found = decide([held, waits(2, "GPU-a")], 2)
    assert (found.why, found.holder) == ("device", held)


def test_memory_that_strangers_hold_stops_only_who_needs_it() -> None:
    """A job too large for now lets a small one pass; once it fits, it is not passed."""
    line = [waits(1, "GPU-a", memory=8), waits(2, "GPU-a", memory=2)]
    assert decide(line, 1, free=4) == Turn(why="memory", free=4)
    assert decide(line, 2, free=4).device == "GPU-a"
    assert decide(line, 2, free=9).device is None
    assert decide(line, 1, free=9).device == "GPU-a"


def test_share_of_a_user() -> None:
    """Who holds as many as allowed waits, and stops nobody."""
    line = [
        waits(1, "GPU-a", "GPU-b", user="ann", device="GPU-a"),
        waits(2, "GPU-a", "GPU-b", user="ann"),
        waits(3, "GPU-a", "GPU-b", user="bob"),
    ]
    assert decide(line, 2, per_user=1).why == "share"
    assert decide(line, 3, per_user=1).device == "GPU-b"
    assert decide(line, 2, per_user=2).device == "GPU-b"


def test_a_process_that_sleeps_lets_others_pass() -> None:
    """A stopped server in the line holds nobody up, and keeps its place."""
    line = [waits(1, "GPU-a", asleep=True), waits(2, "GPU-a")]
    assert decide(line, 2).device == "GPU-a"
    assert decide(line, 1).device == "GPU-a"


def test_slots_of_a_cpu_share_its_memory() -> None:
    """What a job on one slot was promised is not given again on the other."""
    held = waits(1, "cpu-0", memory=6, device="cpu-0")
    line = [held, waits(2, "cpu-0", "cpu-1", memory=6)]
    found = turn(line, line[1], SLOTS, lambda _: Memory(10, 10))
    assert found == Turn(why="memory", free=10)
    small = waits(2, "cpu-0", "cpu-1", memory=4)
    assert turn([held, small], small, SLOTS, lambda _: Memory(10, 10)).device == "cpu-1"


def test_devices_that_a_scheduler_gave() -> None:
    """CUDA_VISIBLE_DEVICES comes before all, read as CUDA reads it."""
    ids = [d.id for d in find_devices((), {"CUDA_VISIBLE_DEVICES": "1, MIG-5,-1,2"})]
    assert ids == ["1", "MIG-5", "cpu"]
    assert [d.id for d in find_devices(("GPU-x",), {"CUDA_VISIBLE_DEVICES": ""})] == ["cpu"]
    named = find_devices(("cpu-0", "cpu-1"), {"CUDA_VISIBLE_DEVICES": "0"})
    assert [(d.id, d.kind, d.index) for d in named] == [
        ("0", "gpu", 0),
        ("cpu-0", "cpu", 0),
        ("cpu-1", "cpu", 1),
    ]


def test_strange_files_in_a_folder_of_everybody(tmp_path: Path) -> None:
    """Links, pipes and rubbish are no tickets and stop nobody."""
    os.mkfifo(tmp_path / "1.ticket")
    (tmp_path / "2.ticket").symlink_to("/etc/passwd")
    (tmp_path / "3.ticket").write_bytes(b"\xff" * 10_000)
    (tmp_path / "four.ticket").write_text("{}")
    leases = LeaseFolder(tmp_path, [SLOTS["cpu-0"]])
    taken = leases.enter(Need((SLOTS["cpu-0"],), 0), "job")
    assert taken.entry.device == "cpu-0"
    assert [entry.job for entry in holders(tmp_path)] == ["job"]
    taken.give_up()


def test_everybody_can_read_a_ticket(tmp_path: Path) -> None:
    """Whatever its owner's umask is; nobody else can write it."""
    leases = LeaseFolder(tmp_path, [SLOTS["cpu-0"]])
    before = os.umask(0o077)
    try:
        taken = leases.enter(Need((SLOTS["cpu-0"],), 0), "job")
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
    taken.give_up()


@pytest.mark.parametrize(
    ("mode", "filesystem", "words"),
    [
        (0o777, "ext4", "every user can remove"),
        (0o1777, "nfs4", "network file system"),
        (0o1777, "ext4", None),
        (None, "ext4", "is not there"),
    ],
)
def test_a_folder_that_will_not_do(
    tmp_path: Path, mode: int | None, filesystem: str, words: str | None
) -> None:
    """The administrator is told what is wrong with his folder, and how to make it."""
    folder = tmp_path / "leases"
    if mode is not None:
        folder.mkdir()
        folder.chmod(mode)
    if words is None:
        check_shared(folder, filesystem, frozenset({"nfs4"}))
        return
    with pytest.raises(InvalidInputError, match=words) as caught:
        check_shared(folder, filesystem, frozenset({"nfs4"}))
    assert caught.value.hint


def test_host_memory_is_what_this_process_may_use() -> None:
    """Total and free bytes, plausible ones."""
    memory = host_memory()
    assert 0 < memory.free <= memory.total
