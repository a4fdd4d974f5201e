"""Control groups: the memory that a container leaves this process, and kills for lack of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")

#: Which groups this process is in.
OWN = Path("/proc/self/cgroup")

#: Where the kernel counts for the whole machine, containers included.
MACHINE = Path("/proc/vmstat")

#: What a group counts as used although the kernel gives it back when asked.
_RECLAIMABLE = ("total_inactive_file", "inactive_file")


@dataclass(frozen=True)
class MemoryGroup:
    """A control group that accounts for memory.

    Attributes
    ----------
    folder
        Its folder below ``/sys/fs/cgroup``.
    unified
        It belongs to the second version of control groups.
    """

    folder: Path
    unified: bool

    @property
    def counter(self) -> Path:
        """The file in which the kernel counts the processes that it killed for lack of memory."""
        return self.folder / ("memory.events" if self.unified else "memory.oom_control")

    def room(self) -> tuple[int, int] | None:
        """Return limit and free bytes, None if the group has no limit or does not tell."""
        limit, used = (
            ("memory.max", "memory.current")
            if self.unified
            else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        )
        most, now = _text(self.folder / limit).strip(), _text(self.folder / used).strip()
        if not (most.isdigit() and now.isdigit()):
            return None  # "max", or no such file.
        facts = _numbers(self.folder / "memory.stat")
        reclaimable = next((facts[name] for name in _RECLAIMABLE if name in facts), 0)
        return int(most), max(0, int(most) - int(now) + reclaimable)


def memory_groups(root: Path = ROOT, own: Path = OWN) -> list[MemoryGroup]:
    """Return the groups whose limits hold for this process, the innermost first.

    A container may name a path of the host's that it cannot see; its own group then is
    what is mounted at ``root``.
    """
    groups: list[MemoryGroup] = []
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "memory" if controllers else root
        inner = top / path.lstrip("/")
        groups += [
            MemoryGroup(folder, unified=not controllers)
            for folder in (inner, *inner.parents)
            if folder.is_relative_to(top) and folder.is_dir()
        ]
    return groups


def oom_counter(root: Path = ROOT, own: Path = OWN, machine: Path = MACHINE) -> Path:
    """Return the file that counts the kills for lack of memory nearest to this process.

    The count of a group is better evidence than that of the machine, which counts the
    kills in everybody's containers.
    """
    groups = (group.counter for group in memory_groups(root, own))
    return next((path for path in groups if "oom_kill" in _numbers(path)), machine)


def oom_kills(counter: Path) -> int | None:
    """Return how many processes the kernel has killed as this file counts, None if it is gone."""
    return _numbers(counter).get("oom_kill")


def _numbers(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
