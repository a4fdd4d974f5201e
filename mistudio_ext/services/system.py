"""What this machine has: versions, devices, disk, memory, limits."""

from __future__ import annotations

import platform
import time

from mistudio_ext import sample
from mistudio_ext._version import __version__
from mistudio_ext.leases.memory import host_memory
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.monitor import MonitorService

#: Seconds for which the size of the data folder is taken as counted.
COUNT_AGAIN_S = 30.0


class SystemService:
    """Facts for the panels' footers and for support."""

    def __init__(self, context: Context, monitor: MonitorService) -> None:
        self._context = context
        self._monitor = monitor
        self._used = (float("-inf"), 0)

    def get(self) -> Json:
        """Return versions, devices, disk, memory, limits and capabilities."""
        settings = self._context.settings
        memory = host_memory()
        measured = self._monitor.now()
        devices = measured["devices"]
        return {
            "version": __version__,
            "python": platform.python_version(),
            "devices": devices,
            "memory": {"total": memory.total, "available": memory.free},
            "disk": {
                **measured["disk"],
                "reserve": settings.disk_reserve_bytes,
                "used_by_mistudio": self._used_bytes(),
            },
            "limits": {
                "max_running_jobs": settings.max_running_jobs,
                "max_upload_bytes": settings.max_upload_bytes,
                "disk_reserve_bytes": settings.disk_reserve_bytes,
                "quota_bytes": settings.quota_bytes,
                "allow_remote_code": settings.allow_remote_code,
                "allow_pickle": settings.allow_pickle,
            },
            "capabilities": {
                "gpu": len(devices) > 1,
                "remote_code": settings.allow_remote_code,
                "sources": ["sample", "path", "upload", "hub"],
            },
            "sample": {"dataset": sample.DATASET_NAME, "model": sample.MODEL_NAME},
        }

    def _used_bytes(self) -> int:
        """Return what counts against a quota, counted at most every half minute."""
        counted_at, n_bytes = self._used
        if time.monotonic() - counted_at > COUNT_AGAIN_S:
            n_bytes = self._context.used_bytes()
            self._used = (time.monotonic(), n_bytes)
        return n_bytes
