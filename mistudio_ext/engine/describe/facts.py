"""Facts for display, each found by itself: one that cannot be found leaves its place empty."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Facts:
    """Finds facts and remembers why some are unknown.

    Attributes
    ----------
    unknown
        Name of a fact → why it could not be found.
    """

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}

    def find(self, name: str, how: Callable[[], T]) -> T | None:
        """Return what ``how`` finds; if it fails, None, and the reason is kept.

        A model of a kind that nobody has seen may fail in any way here, and shall be usable all
        the same. Only memory that runs out is not a matter of the model.
        """
        try:
            return how()
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # noqa: BLE001
            text = " ".join(str(error).split())[:200]
            self.unknown[name] = f"{type(error).__name__}: {text}"
            _log.warning("%s of a model is unknown: %s", name, self.unknown[name])
            return None

    def find_all(self, how: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Return each fact under its name."""
        return {name: self.find(name, each) for name, each in how.items()}

    def listed(self) -> list[dict[str, str]]:
        """Return ``[{"fact", "reason"}]`` for the record of the model."""
        return [{"fact": name, "reason": reason} for name, reason in self.unknown.items()]
