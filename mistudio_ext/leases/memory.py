"""How much memory a device has, and how much of it is free."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from mistudio_ext.leases.cgroups import memory_groups
from mistudio_ext.leases.devices import Device, close_nvml, nvml


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
    for room in (group.room() for group in memory_groups()):
        if room is not None:
            total, free = min(total, room[0]), min(free, room[1])
    return Memory(total, free)


def _gpu_memory(name: str) -> Memory | None:
    library = nvml()
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
        close_nvml(library)
        return None  # Containers and MIG answer partly, and a driver may have been reloaded.
    return Memory(int(memory.total), int(memory.free))
