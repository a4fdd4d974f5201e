"""How a worker tells what it does: an append-only file of events, ten a second at most."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from mistudio_ext import logs
from mistudio_ext.disk.full import is_full
from mistudio_ext.disk.spare import reserve
from mistudio_ext.errors import CancelledError, YieldedError

#: Seconds between two progress events.
INTERVAL_S = 0.1
#: Seconds between two looks at the log.
LOG_EVERY_S = 10.0
#: Bytes kept on the disk for the end of the log.
_LAST_WORDS = 64 << 10
#: Seconds over which the rate is averaged.
RATE_WINDOW_S = 10.0


class Reporter(Protocol):
    """What a worker's ``run(spec, report)`` is given."""

    def phase(self, name: str, message: str = "") -> None:
        """Say that a new phase begins (``downloading``, ``loading model``, ``extracting``)."""

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        """Say how far the phase is; raises CancelledError when the job was cancelled."""

    def warn(self, code: str, message: str) -> None:
        """Add a warning that is shown with the result."""

    def check_cancelled(self) -> None:
        """Raise CancelledError when the job was cancelled."""


class RateMeter:
    """Items per second over the last seconds of a phase."""

    def __init__(self, window_s: float = RATE_WINDOW_S) -> None:
        self._window_s = window_s
        self._points: deque[tuple[float, int]] = deque()

    def update(self, done: int, now: float) -> float | None:
        """Add a point and return the rate in items per second, None while unknown."""
        if self._points and done < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > self._window_s:
            self._points.popleft()
        (start, first), (end, last) = self._points[0], self._points[-1]
        if end - start < 1e-3 or last == first:
            return None
        return (last - first) / (end - start)


class FileReporter:
    """Writes events to ``events.jsonl``; listens to SIGTERM as the wish to cancel.

    Parameters
    ----------
    job_dir
        The job's folder.
    overdue
        Tells whether the job should give its device to others now.
    """

    def __init__(self, job_dir: Path, overdue: Callable[[], bool] = lambda: False) -> None:
        self._overdue = overdue
        self._fd = os.open(job_dir / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log, self._looked_at_log = job_dir / "log.txt", 0.0
        self._cancelled = False
        self._torn = False
        self._last_event = 0.0
        self._rate = RateMeter()
        self.warnings: list[dict[str, str]] = []

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to cancel."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._cancelled = True

    def phase(self, name: str, message: str = "") -> None:
        """Say that a new phase begins."""
        self._rate = RateMeter()
        self._last_event = 0.0
        self._write({"event": "phase", "phase": name, "message": message, "done": 0, "total": None})
        self.check_cancelled()

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        """Say how far the phase is; raises CancelledError when the job was cancelled."""
        self.check_cancelled()
        now = time.monotonic()
        finished = total is not None and done >= total
        if not finished and self._overdue():
            raise YieldedError("The job gave its device to others for a while.")
        if now - self._last_event < INTERVAL_S and not finished:
            return
        self._last_event = now
        rate = self._rate.update(done, now)
        left = None if rate is None or total is None else max(0.0, (total - done) / rate)
        self._write(
            {
                "event": "progress",
                "done": done,
                "total": total,
                "unit": unit,
                "message": message,
                "rate": rate,
                "eta_s": left,
            }
        )

    def warn(self, code: str, message: str) -> None:
        """Add a warning that is shown with the result, once."""
        warning = {"code": code, "message": message}
        if warning not in self.warnings:
            self.warnings.append(warning)
            self._write({"event": "warning", **warning})

    def close(self) -> None:
        """Write no more."""
        os.close(self._fd)

    def _look_at_log(self) -> None:
        self._looked_at_log = time.monotonic()
        logs.cut(self._log, logs.UNWATCHED_LIMIT)
        with contextlib.suppress(OSError):  # The disk is full by now, or it has no log.
            fd = os.open(self._log, os.O_WRONLY | os.O_APPEND)
            try:
                reserve(fd, _LAST_WORDS)
            finally:
                os.close(fd)

    def check_cancelled(self) -> None:
        """Raise CancelledError when the job was cancelled."""
        if self._cancelled:
            raise CancelledError("The job was cancelled.")

    def _write(self, event: dict[str, Any]) -> None:
        if time.monotonic() - self._looked_at_log > LOG_EVERY_S:
            self._look_at_log()
        line = json.dumps({"time": time.time(), **event}, separators=(",", ":")) + "\n"
        self._append(line.encode())

    def _append(self, line: bytes) -> None:
        """Add a line, unless the disk is full: progress is no reason for a job to fail."""
        data = b"\n" * self._torn + line
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            if not is_full(error):
                raise
            return
        # What was not written whole is no line; the next one begins anew.
        self._torn = written < len(data)
