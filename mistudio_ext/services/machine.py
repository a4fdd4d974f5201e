"""What the machine does right now: processor, memory, disk, GPUs, and who uses them."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from mistudio_ext.leases.memory import host_memory
from mistudio_ext.services.gpus import gpus

Json = dict[str, Any]

#: Inode of the host's own namespace of pids, the same on every Linux.
HOSTS_PIDS = 0xEFFFFFFC

#: What is told of a process whose pid means nothing here.
UNKNOWN: Json = {"user": None, "program": None, "job": None}

#: pid of a worker -> ``{id, name}`` of its job.
Workers = dict[int, Json]

#: What the processors' time is made of; that of guests is counted in it already.
_TIMES = [name for name in psutil.cpu_times()._fields if not name.startswith("guest")]

#: Seconds of all cores together below which the load of a time says nothing.
_SHORTEST_S = 0.1


def devices(workers: Workers | None = None, leases: Iterable[Json] = ()) -> list[Json]:
    """Return the processor and the GPUs with their load and the processes on them.

    Parameters
    ----------
    workers
        Our own workers; other processes are named by their user and program.
    leases
        Who holds or waits for a device, as :meth:`JobManager.leases` tells it.
    """
    workers = workers or {}
    found = [cpu(workers), *gpus()]
    by_uuid = {device["uuid"]: device for device in found}
    names = {job["id"]: job for job in workers.values()}
    for device in found:
        device["leases"] = []
    for lease in leases:
        wanted = lease["device"] or next(iter(lease["devices"]), "cpu")
        # Slots of the processor have names of their own.
        by_uuid.get(wanted, found[0])["leases"].append(held(lease, names))
    for device in found:
        # In a container NVML tells the pids of the host, which here may be anybody's.
        known = device["kind"] == "cpu" or pids_are_the_hosts()
        device["processes"] = [
            describe(entry, workers) if known else {**entry, **UNKNOWN}
            for entry in device["processes"]
        ]
        device["holder"] = holder(device)
    return found


class Load:
    """The share of the processors' time that was worked, since one asked before.

    psutil has such a function, but it counts for each thread alone, and answers 0 to the
    first question of each.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before = psutil.cpu_times()
        self._share = 0.0

    def now(self) -> float:
        """Return the share, 0 to 1; the same again where hardly any time has passed."""
        with self._lock:
            times = psutil.cpu_times()
            spent = {name: getattr(times, name) - getattr(self._before, name) for name in _TIMES}
            total = sum(spent.values())
            if total >= _SHORTEST_S:
                self._before = times
                self._share = 1.0 - (spent["idle"] + spent.get("iowait", 0.0)) / total
            return min(1.0, max(0.0, self._share))


def cpu(workers: Iterable[int] = ()) -> Json:
    """Return the processor as a device; its processes are our workers."""
    memory = host_memory()
    return {
        "id": "cpu",
        "uuid": "cpu",
        "parent": None,
        "name": _cpu_name(),
        "kind": "cpu",
        "cores": cores(),
        "memory_total": memory.total,
        "memory_used": memory.total - memory.free,
        "utilization": _LOAD.now(),
        "temperature": None,
        "power_w": None,
        "power_limit_w": None,
        "processes": [{"pid": pid, "memory": resident(pid)} for pid in workers],
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def disk(folder: Path) -> Json:
    """Return size and free bytes of the disk that holds a folder."""
    usage = shutil.disk_usage(folder)
    return {"path": str(folder), "total": usage.total, "free": usage.free}


def describe(process: Json, workers: Workers) -> Json:
    """Return ``{pid, memory, user, program, job}`` of a process, as far as it may be known."""
    pid = process["pid"]
    user = program = None
    with suppress(psutil.Error):
        known = psutil.Process(pid)
        user, program = known.username(), known.name()
    return {**process, "user": user, "program": program, "job": workers.get(pid)}


def held(lease: Json, names: dict[str, Json]) -> Json:
    """Return ``{user, job, since, waiting, idle}``; of another user's job only the id is known."""
    job = lease["job"]
    return {
        "user": lease["user"],
        "job": names.get(job, {"id": job, "name": job}) if job else None,
        "since": lease["since"],
        "waiting": lease["device"] is None,
        "idle": lease["idle"],
    }


def holder(device: Json) -> str | None:
    """Return who uses a device in a few words: a job of ours, else users."""
    for process in device["processes"]:
        if process["job"]:
            return str(process["job"]["name"])
    users = {str(process["user"]) for process in device["processes"] if process["user"]}
    users |= {str(lease["user"]) for lease in device["leases"] if not lease["waiting"]}
    return ", ".join(sorted(users)) or None


def resident(pid: int) -> int | None:
    """Return the bytes of memory that a process holds, None if it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


@cache
def pids_are_the_hosts() -> bool:
    """Tell whether this process counts processes as the host does: it is in no container."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == HOSTS_PIDS
    except OSError:
        return True  # A system without namespaces.


@cache
def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


_LOAD = Load()
