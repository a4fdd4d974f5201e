"""A reporter that remembers what it was told."""

from __future__ import annotations

from typing import Any

from mistudio_ext.errors import CancelledError


class Recorder:
    """Stands where a job's reporter would.

    Parameters
    ----------
    cancel_after
        Raise CancelledError at the progress call with this number.
    """

    def __init__(self, cancel_after: int | None = None) -> None:
        self.phases: list[str] = []
        self.points: list[tuple[int, int | None, str]] = []
        self.warnings: list[str] = []
        self._left = cancel_after

    def phase(self, name: str, message: str = "") -> None:
        self.phases.append(name)

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        self.points.append((done, total, unit))
        if self._left is not None:
            self._left -= 1
            self.check_cancelled()

    def warn(self, code: str, message: str) -> None:
        self.warnings.append(code)

    def check_cancelled(self) -> None:
        if self._left is not None and self._left <= 0:
            raise CancelledError("The job was cancelled.")


def leftovers(data_dir: Any) -> list[str]:
    """Return what lies half-made or made below a data folder."""
    return sorted(p.relative_to(data_dir).as_posix() for p in data_dir.rglob("*") if p.is_file())
