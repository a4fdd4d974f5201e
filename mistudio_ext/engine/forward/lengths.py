"""The lengths of a run's samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lengths:
    """The lengths of a run's samples, and its tokens in all."""

    longest: int
    shortest: int
    n_tokens: int = 0

    @property
    def ragged(self) -> bool:
        """Whether samples differ in length."""
        return self.shortest != self.longest
