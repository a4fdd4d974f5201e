"""What becomes of rows that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mistudio_ext.errors import InvalidInputError

#: What can be done with a broken row.
CHOICES = ("stop", "skip", "keep")

#: Broken rows whose line and reason are remembered.
LISTED = 1000


def bad_choice(choice: object) -> InvalidInputError:
    """Return the error for what is none of :data:`CHOICES`."""
    return InvalidInputError(
        f"bad_rows cannot be {choice!r}.",
        code="bad_option",
        field="bad_rows",
        hint="Choose stop, skip or keep.",
    )


@dataclass
class BadRows:
    """Counts the broken rows of one file, and says what becomes of each.

    Readers call :meth:`found` at the moment they meet a broken row, so all three choices
    share one idea of what is broken.

    Parameters
    ----------
    choice
        ``stop`` with an error, ``skip`` the row, or ``keep`` what can be read of it.
    file
        Name of the file, for messages.
    hint
        What to do about a broken row, where a reader knows more than the usual.
    unit
        ``line``, or ``row`` for formats without lines.
    looks_like
        Encoding that the file may be in, where it is not the one that it is read in.

    Attributes
    ----------
    count, kept : int
        Broken rows, and how many of them were kept.
    listed : list of (int, str)
        Line and reason of the first 1,000.
    note : str or None
        What is strange about rows that are not broken, without a full stop.
    """

    choice: str
    file: str
    hint: str | None = None
    unit: str = "line"
    looks_like: str | None = None
    count: int = 0
    kept: int = 0
    listed: list[tuple[int, str]] = field(default_factory=list)
    note: str | None = None

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise bad_choice(self.choice)

    def found(self, line: int, reason: str, *, whole: bool = True, hint: str | None = None) -> bool:
        """Record a broken row, and return whether to keep what can be read of it.

        Parameters
        ----------
        line
            Line where the row begins, counted from 1.
        reason
            What is wrong with it, without a full stop.
        whole
            False for a row that is cut off, of which nothing is kept.
        hint
            What to do about it, where that is not to fix the line.

        Raises
        ------
        InvalidInputError
            ``broken_file`` if the choice is ``stop``.
        """
        if self.choice == "stop":
            raise InvalidInputError(
                f"{self.file}, {self.unit} {line} cannot be read: {reason}.",
                code="broken_file",
                field="path",
                hint=hint
                or self.hint
                or f"Fix that {self.unit}, or choose to skip or to keep rows that cannot be read.",
                remedies=self._remedies(),
            )
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append((line, reason))
        keep = self.choice == "keep" and whole
        self.kept += keep
        return keep

    def _remedies(self) -> list[dict[str, Any]]:
        choices: list[tuple[str, dict[str, str]]] = [
            ("Skip broken rows", {"bad_rows": "skip"}),
            ("Keep them", {"bad_rows": "keep"}),
        ]
        if self.looks_like:
            choices.insert(0, (f"Read it as {self.looks_like}", {"encoding": self.looks_like}))
        return [{"label": label, "change": {"options": options}} for label, options in choices]

    def summary(self) -> dict[str, Any]:
        """Return ``{"file", "count", "kept", "lines"}`` of the rows found."""
        return {
            "file": self.file,
            "count": self.count,
            "kept": self.kept,
            "lines": [line for line, _ in self.listed],
        }

    def sentence(self) -> str:
        """Return in one sentence what became of the broken rows."""
        lines = ", ".join(str(line) for line, _ in self.listed[:10])
        more = ", …" if self.count > 10 else ""
        left_out = self.count - self.kept
        parts = [f"{n:,} {what}" for n, what in ((self.kept, "kept"), (left_out, "left out")) if n]
        return (
            f"Rows of {self.file} that could not be read: {' and '.join(parts)}; "
            f"{self.unit}s {lines}{more} ({self.listed[0][1]})."
        )
