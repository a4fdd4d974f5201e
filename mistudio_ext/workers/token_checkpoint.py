"""How far a tokenization is, beside its files, so that an interrupted one goes on there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mistudio_ext.store.replacing import write_json

#: Seconds between two checkpoints; each waits for the disk.
INTERVAL_S = 5.0

_NAME = "progress.json"


class Checkpoint:
    """The state of a half-made tokenization.

    Parameters
    ----------
    folder
        ``tokenizations/<id>``.
    identity
        What decides the ids; a state of another one is of no use.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self._path = folder / _NAME
        self._identity = identity
        self._last = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """Return the state that an earlier process kept, None if there is none to go on from."""
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("identity") != self._identity:
            return None
        state = found.get("state")
        return state if isinstance(state, dict) else None

    def keep(self, state: Callable[[], dict[str, Any]], *, always: bool = False) -> None:
        """Keep the state if it is time; what it speaks of must be on the disk."""
        if always or time.monotonic() - self._last >= INTERVAL_S:
            write_json(self._path, {"identity": self._identity, "state": state()})
            self._last = time.monotonic()

    def remove(self) -> None:
        """Forget the state: the tokenization is whole."""
        self._path.unlink(missing_ok=True)
