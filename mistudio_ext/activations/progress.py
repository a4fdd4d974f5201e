"""A progress bar: in a notebook's cell, in a terminal, or as sparse lines in a log."""

from __future__ import annotations

import html
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

_CELL_EVERY, _TERMINAL_EVERY, _LOG_EVERY = 0.25, 0.1, 30.0


@dataclass(frozen=True)
class Progress:
    """How far an extraction is."""

    name: str
    state: str
    done: int
    total: int | None
    unit: str
    fraction: float | None = None
    message: str = ""
    rate: float | None = None
    eta_s: float | None = None

    def line(self) -> str:
        """Return it as one line of text."""
        if self.done or self.total:
            count = f"{self.done:,}" + (f" of {self.total:,}" if self.total else "")
            parts = [f"{self.name}: {count} {self.unit}"]
        else:
            parts = [f"{self.name}: {self.state}"]
        if self.fraction is not None:
            parts.append(f"{self.fraction:.0%}")
        if self.rate:
            parts.append(f"{self.rate:,.0f} {self.unit}/s")
        if self.eta_s is not None and self.state != "done":
            parts.append(f"{duration(self.eta_s)} left")
        if self.state in ("queued", "running"):
            parts.append(self.message)
        elif self.state != parts[0].rpartition(" ")[2]:
            parts.append(self.state)
        return " · ".join(part for part in parts if part)


class Display(Protocol):
    """Something that shows progress."""

    def show(self, progress: Progress) -> None:
        """Show it, if the last time is long enough ago."""

    def close(self) -> None:
        """Show the last state and end the line."""


def choose_display() -> Display:
    """Return the display for where this runs."""
    if in_notebook():
        return _Cell()
    return _Lines(sys.stderr.isatty())


def in_notebook() -> bool:
    """Return whether this is a Jupyter kernel, without importing IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def duration(seconds: float) -> str:
    """Return ``4 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def bar(fraction: float | None, label: str) -> str:
    """Return a progress bar as HTML.

    Parameters
    ----------
    fraction
        0 to 1; None while it is not known.
    label
        What it is the progress of, for screen readers.
    """
    value = "" if fraction is None else f' value="{min(max(fraction, 0.0), 1.0):.4f}"'
    return (
        f'<progress max="1"{value} aria-label="{html.escape(label, quote=True)}" '
        'style="width: 100%; accent-color: var(--jp-brand-color1, #1976d2)"></progress>'
    )


class _Lines:
    """One line on stderr that is written over; in a log, a new line now and then."""

    def __init__(self, terminal: bool) -> None:
        self._every = _TERMINAL_EVERY if terminal else _LOG_EVERY
        self._terminal = terminal
        self._shown = time.monotonic() - (self._every if terminal else 0.0)
        self._last: Progress | None = None

    def show(self, progress: Progress) -> None:
        self._last = progress
        if time.monotonic() - self._shown >= self._every:
            self._write()

    def close(self) -> None:
        if self._terminal and self._last is not None:
            self._write()
            sys.stderr.write("\n")

    def _write(self) -> None:
        if self._last is not None:
            line = self._last.line()
            sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
            sys.stderr.flush()
            self._shown = time.monotonic()


class _Cell:
    """An output of the running cell that is updated in place."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._shown = -_CELL_EVERY
        self._last: Progress | None = None
        self._made = False

    def show(self, progress: Progress) -> None:
        self._last = progress
        if time.monotonic() - self._shown >= _CELL_EVERY:
            self._write()

    def close(self) -> None:
        self._write()

    def _write(self) -> None:
        if self._last is None:
            return
        from IPython.display import display, update_display

        bundle: dict[str, Any] = {
            "text/html": _cell_html(self._last),
            "text/plain": self._last.line(),
        }
        show: Callable[..., Any] = update_display if self._made else display
        show(bundle, raw=True, display_id=self._id)
        self._made = True
        self._shown = time.monotonic()


def _cell_html(progress: Progress) -> str:
    fraction = 1.0 if progress.state == "done" else progress.fraction
    if progress.state not in ("queued", "running", "done"):
        fraction = progress.fraction or 0.0
    return (
        '<div class="jp-mistudio-wait" style="max-width: 480px; '
        'color: var(--jp-ui-font-color1, inherit); font-size: 13px">'
        f"{bar(fraction, progress.name)}"
        f'<div style="font-variant-numeric: tabular-nums">{html.escape(progress.line())}</div>'
        "</div>"
    )
