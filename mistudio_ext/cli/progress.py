"""A job's progress as one line on standard error."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from mistudio_ext.client.notices import texts

#: Seconds between lines where the output is no terminal.
QUIET_S = 5.0


def duration(seconds: float) -> str:
    """Return seconds for people: ``1:05 min``, ``12 s``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


def tell(record: dict[str, Any]) -> None:
    """Say on stderr what of a request has no effect, for example a second name."""
    for text in texts(record):
        print(f"note: {text}", file=sys.stderr)


def number(value: float) -> str:
    """Return a number for people: ``12,345``."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"


def describe(job: dict[str, Any]) -> str:
    """Return what a job does, how far it is, how fast, and how long it will take."""
    parts = [f"{job['target']['name']}: {job['phase'] or job['state']}"]
    unit = job["unit"]
    if job["total"]:
        share = f"{number(job['done'])} of {number(job['total'])} {unit}"
        parts.append(f"{job['progress']:.0%} ({share})")
    elif job["done"]:
        parts.append(f"{number(job['done'])} {unit}")
    if job["rate"] and job["state"] == "running":
        parts.append(f"{number(job['rate'])} {unit}/s")
    if job["eta_s"] is not None and job["state"] == "running":
        parts.append(f"{duration(job['eta_s'])} left")
    return ", ".join(part.strip() for part in parts)


class ProgressLine:
    """Writes over one line in a terminal, and a line now and then elsewhere."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._last = ""
        self._written_at = -QUIET_S

    def show(self, job: dict[str, Any]) -> None:
        """Show a job's progress."""
        line = describe(job)
        if line == self._last:
            return
        if self._terminal:
            print(f"\r\x1b[2K{line}", end="", file=self._out, flush=True)
        elif line.split(",")[0] != self._last.split(",")[0] or (
            time.monotonic() - self._written_at >= QUIET_S
        ):
            print(line, file=self._out, flush=True)
            self._written_at = time.monotonic()
        else:
            return
        self._last = line

    def end(self) -> None:
        """Leave the line."""
        if self._terminal and self._last:
            print(file=self._out, flush=True)
        self._last = ""
