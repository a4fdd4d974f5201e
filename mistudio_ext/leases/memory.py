"""How much memory a device has, and how much of it is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from mistudio_ext.leases.devices import Device, nvml

#: What a control group counts as used although the kernel gives it back when asked.
_RECLAIMABLE = ("inactive_file", "total_inactive_file")


@dataclass(frozen=True)
class Memory:
    """Memory of a device.

    Attributes
    ----------
    total, free
        Bytes. On the host, ``free`` includes what the kernel gives back when asked.
    """

    total: int
    free: int


def memory_of(device: Device) -> Memory | None:
    """Return the memory of a device, None where nobody tells."""
    return host_memory() if device.kind == "cpu" else _gpu_memory(device.id)


def host_memory() -> Memory:
    """Return the host's memory, or what a control group (a container) leaves of it."""
    host = psutil.virtual_memory()
    total, free = int(host.total), int(host.available)
    for limit, used, statistics in _control_groups():
        total = min(total, limit)
        free = min(free, max(0, limit - used + statistics))
    return Memory(total, free)


def oom_kills() -> int:
    """Return how often the kernel has killed a process for lack of memory since it started."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _gpu_memory(name: str) -> Memory | None:
    with nvml() as library:
        if library is None:
            return None
        try:
            handle = (
                library.nvmlDeviceGetHandleByIndex(int(name))
                if name.isdigit()
                else library.nvmlDeviceGetHandleByUUID(name)
            )
            memory = library.nvmlDeviceGetMemoryInfo(handle)
        except library.NVMLError:
            return None  # Containers and MIG answer partly.
        return Memory(int(memory.total), int(memory.free))


def _control_groups() -> list[tuple[int, int, int]]:
    """Return limit, use and reclaimable bytes of each control group that limits this process."""
    root = Path("/sys/fs/cgroup")
    try:
        own = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = [(root, "memory.max", "memory.current")]
    for line in own:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            inner = root / path.lstrip("/")
            folders += [
                (folder, "memory.max", "memory.current")
                for folder in (inner, *inner.parents)
                if folder.is_relative_to(root)
            ]
        elif "memory" in controllers.split(","):
            old = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            folders += [(root / "memory" / path.lstrip("/"), *old), (root / "memory", *old)]
    found = []
    for folder, limit, usage in dict.fromkeys(folders):
        try:
            most, used = (folder / limit).read_text(), (folder / usage).read_text()
            text = (folder / "memory.stat").read_text()
        except OSError:
            continue
        if most.strip().isdigit():
            found.append((int(most), int(used), _reclaimable(text)))
    return found


def _reclaimable(text: str) -> int:
    facts = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return max((int(facts[name]) for name in _RECLAIMABLE if name in facts), default=0)
