"""Room on the disk: a reserve that is never used up, and a user's quota."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mistudio_ext.errors import NoSpaceError


def human(n_bytes: float) -> str:
    """Return bytes for people: ``1.5 GB`` for 1500000000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(n_bytes) < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


@dataclass(frozen=True)
class DiskLimits:
    """What a piece of work may take of the disk.

    Attributes
    ----------
    reserve_bytes
        Free space that must stay on the disk.
    quota_bytes
        What all of a user's data may take together; 0 is no quota.
    used_bytes
        What they take when the work begins; read only where there is a quota.
    """

    reserve_bytes: int = 0
    quota_bytes: int = 0
    used_bytes: int = 0

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> DiskLimits:
        """Return the limits in a worker's spec."""
        return cls(
            int(spec.get("disk_reserve_bytes") or 0),
            int(spec.get("quota_bytes") or 0),
            int(spec.get("used_bytes") or 0),
        )

    def to_dict(self) -> dict[str, int]:
        """Return the limits as they stand in a worker's spec."""
        return {
            "disk_reserve_bytes": self.reserve_bytes,
            "quota_bytes": self.quota_bytes,
            "used_bytes": self.used_bytes,
        }

    def check(self, what: str, n_bytes: int, free: int, written: int = 0) -> None:
        """Raise NoSpaceError unless so many bytes fit.

        Parameters
        ----------
        what
            Subject of the message, such as ``The dataset stories``.
        n_bytes
            What is still to be written; 0 only asks whether the limits are kept.
        free
            Free bytes on the disk now.
        written
            What the work has written since ``used_bytes`` was counted.

        Raises
        ------
        NoSpaceError
            ``no_space`` for the disk, ``quota_exceeded`` for the quota.
        """
        if n_bytes > free - self.reserve_bytes:
            raise NoSpaceError(
                f"{what} needs {_amount(n_bytes)}, but {human(free)} are free "
                f"and {human(self.reserve_bytes)} of them are kept in reserve.",
                hint=f"Free {human(n_bytes + self.reserve_bytes - free)} or more, choose another "
                "data folder, or take less.",
                needed_bytes=n_bytes + self.reserve_bytes,
                free_bytes=free,
            )
        if not self.quota_bytes:
            return
        used = self.used_bytes + written
        if used + n_bytes > self.quota_bytes:
            raise NoSpaceError(
                f"{what} needs {_amount(n_bytes)}, but {human(used)} of your quota of "
                f"{human(self.quota_bytes)} are used.",
                code="quota_exceeded",
                needed_bytes=n_bytes,
                free_bytes=max(0, self.quota_bytes - used),
                hint="Delete what you no longer need: the Machine panel shows what takes the "
                "space. Or ask your administrator for a larger quota.",
            )


def _amount(n_bytes: int) -> str:
    return f"about {human(n_bytes)}" if n_bytes > 0 else "more room"
