"""What the machine does right now: processor, memory, disk, GPUs, and who uses them."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from mistudio_ext.leases.memory import host_memory
from mistudio_ext.services.gpus import gpus

Json = dict[str, Any]

#: pid of a worker -> ``{id, name}`` of its job.
Workers = dict[int, Json]


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
        device["processes"] = [describe(entry, workers) for entry in device["processes"]]
        device["holder"] = holder(device)
    return found


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
        "utilization": psutil.cpu_percent() / 100.0,
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
    # In a container NVML tells the host's pids, which mean nothing here.
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
def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
