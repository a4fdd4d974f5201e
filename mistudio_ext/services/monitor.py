"""The monitor: what the machine does, sampled while somebody looks."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from mistudio_ext.catalog.records import now
from mistudio_ext.services import machine
from mistudio_ext.services.context import Context, Json

_log = logging.getLogger(__name__)

#: Seconds between two samples.
INTERVAL_S = 2.0

#: Samples that are kept: ten minutes.
KEPT = 300

#: What of a device is kept in the history.
_KEPT_FACTS = ("utilization", "memory_used", "temperature", "power_w")


class MonitorService:
    """Samples the machine in a thread of its own while somebody listens.

    With nobody listening nothing runs: a laptop's GPU may sleep. The history
    then has a gap, which its times show.
    """

    def __init__(self, context: Context, interval_s: float = INTERVAL_S) -> None:
        self._context = context
        self._interval_s = interval_s
        self._samples: deque[Json] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._listeners = 0
        self._alone = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest: tuple[float, Json] | None = None

    def listen(self) -> None:
        """Somebody looks: sample until :meth:`leave` was called as often."""
        with self._lock:
            self._listeners += 1
            if self._listeners > 1:
                return
            self._alone = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._alone,), name="mistudio-monitor", daemon=True
            )
            self._thread.start()

    def leave(self) -> None:
        """Somebody looks no more."""
        with self._lock:
            self._listeners = max(0, self._listeners - 1)
            if not self._listeners:
                self._alone.set()

    def close(self) -> None:
        """Stop sampling and wait for the thread."""
        with self._lock:
            self._listeners = 0
            self._alone.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def now(self) -> Json:
        """Return what the machine does now; a measurement younger than the interval is used."""
        latest = self._latest
        if latest is not None and time.monotonic() - latest[0] < self._interval_s:
            return latest[1]
        return self._measure()

    def history(self) -> Json:
        """Return ``{interval_s, samples: [{at, disk_free, devices: {id: {utilization, …}}}]}``."""
        return {"interval_s": self._interval_s, "samples": list(self._samples)}

    def _run(self, alone: threading.Event) -> None:
        while not alone.is_set():
            try:
                measured = self._measure()
            except Exception:  # noqa: BLE001 - the monitor goes on, the cause is logged
                _log.exception("The machine could not be looked at.")
            else:
                self._samples.append(_sample(measured))
                # Not kept for replay: in its place there is the history.
                self._context.bus.publish("system", "system/monitor", measured, keep=False)
            alone.wait(self._interval_s)

    def _measure(self) -> Json:
        measured = {
            "id": "monitor",
            "at": now(),
            "devices": machine.devices(self._workers(), self._context.jobs.leases()),
            "disk": machine.disk(self._context.settings.data_dir),
        }
        self._latest = (time.monotonic(), measured)
        return measured

    def _workers(self) -> machine.Workers:
        """Return the living workers of this data folder by pid."""
        jobs = self._context.jobs
        workers: machine.Workers = {}
        for job in self._context.catalog.jobs.list(state="running"):
            identity = jobs.folder(job.id).process()
            if identity is not None:
                workers[int(identity["pid"])] = {"id": job.id, "name": job.target_name}
        return workers


def _sample(measured: Json) -> Json:
    return {
        "at": measured["at"],
        "disk_free": measured["disk"]["free"],
        "devices": {
            device["uuid"] or device["id"]: {fact: device[fact] for fact in _KEPT_FACTS}
            for device in measured["devices"]
        },
    }
