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

from mistudio_ext.services.gpus import gpus

Json = dict[str, Any]

#: pid of a worker -> ``{id, name}`` of its job.
Workers = dict[int, Json]


def devices(workers: Workers | None = None) -> list[Json]:
    """Return the processor and the GPUs with their load and the processes on them.

    Parameters
    ----------
    workers
        Our own workers; other processes are named by their user and program.
    """
    workers = workers or {}
    found = [cpu(workers), *gpus()]
    for device in found:
        device["processes"] = [describe(entry, workers) for entry in device["processes"]]
        device["holder"] = holder(device["processes"])
    return found


def cpu(workers: Iterable[int] = ()) -> Json:
    """Return the processor as a device; its processes are our workers."""
    memory = psutil.virtual_memory()
    return {
        "id": "cpu",
        "uuid": "cpu",
        "parent": None,
        "name": _cpu_name(),
        "kind": "cpu",
        "cores": cores(),
        "memory_total": memory.total,
        "memory_used": memory.total - memory.available,
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


def holder(processes: list[Json]) -> str | None:
    """Return who uses a device in a few words: a job of ours, else a user."""
    for process in processes:
        if process["job"]:
            return str(process["job"]["name"])
    users = sorted({str(p["user"]) for p in processes if p["user"]})
    return ", ".join(users) or None


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
