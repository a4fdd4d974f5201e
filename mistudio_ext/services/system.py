"""What this machine has: versions, devices, disk, memory, limits."""

from __future__ import annotations

import platform
import shutil
import time
from pathlib import Path

import psutil

from mistudio_ext import sample
from mistudio_ext._version import __version__
from mistudio_ext.services.context import Context, Json, folder_bytes
from mistudio_ext.services.gpus import gpus

#: Seconds for which the size of the data folder is taken as counted.
COUNT_AGAIN_S = 30.0


class SystemService:
    """Facts for the panels' footers and for support."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._used = (float("-inf"), 0)

    def get(self) -> Json:
        """Return versions, devices, disk, memory, limits and capabilities."""
        settings = self._context.settings
        memory = psutil.virtual_memory()
        disk = shutil.disk_usage(settings.data_dir)
        devices = [cpu(), *gpus()]
        return {
            "version": __version__,
            "python": platform.python_version(),
            "devices": devices,
            "memory": {"total": memory.total, "available": memory.available},
            "disk": {
                "path": str(settings.data_dir),
                "total": disk.total,
                "free": disk.free,
                "reserve": settings.disk_reserve_bytes,
                "used_by_mistudio": self._used_bytes(),
            },
            "limits": {
                "max_running_jobs": settings.max_running_jobs,
                "max_upload_bytes": settings.max_upload_bytes,
                "disk_reserve_bytes": settings.disk_reserve_bytes,
            },
            "capabilities": {
                "gpu": len(devices) > 1,
                "remote_code": settings.allow_remote_code,
                "sources": ["sample", "path", "upload", "hub"],
            },
            "sample": {"dataset": sample.DATASET_NAME, "model": sample.MODEL_NAME},
        }

    def _used_bytes(self) -> int:
        """Return the size of the data folder, counted at most every half minute."""
        counted_at, n_bytes = self._used
        if time.monotonic() - counted_at > COUNT_AGAIN_S:
            n_bytes = folder_bytes(self._context.settings.data_dir)
            self._used = (time.monotonic(), n_bytes)
        return n_bytes


def cpu() -> Json:
    """Return the processor as a device."""
    memory = psutil.virtual_memory()
    return {
        "id": "cpu",
        "name": _cpu_name(),
        "kind": "cpu",
        "cores": psutil.cpu_count(),
        "memory_total": memory.total,
        "memory_used": memory.total - memory.available,
        "utilization": psutil.cpu_percent() / 100.0,
        "temperature": None,
        "holder": None,
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
