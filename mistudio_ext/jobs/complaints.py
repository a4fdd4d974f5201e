"""Faults of the supervision itself, in the log once, however often they happen."""

from __future__ import annotations

import logging
from typing import Any

from mistudio_ext.disk.full import is_full
from mistudio_ext.errors import BusyError

_log = logging.getLogger(__name__)


class Complaints:
    """What goes wrong at present; each kind of fault is logged when it begins and when it ends."""

    def __init__(self) -> None:
        self._present: dict[str, tuple[Any, ...]] = {}

    def add(self, what: str, error: Exception) -> None:
        """Say that something went wrong, unless it did so the last time too.

        Parameters
        ----------
        what
            What was tried, as a message says it.
        error
            What was raised.
        """
        kind = (type(error), getattr(error, "errno", None), getattr(error, "code", None))
        if self._present.get(what) == kind:
            return
        self._present[what] = kind
        if is_full(error) or isinstance(error, BusyError):
            _log.warning("%s failed and is tried again: %s", what, " ".join(str(error).split()))
        else:
            _log.error("%s failed and is tried again.", what, exc_info=error)

    def clear(self, what: str) -> None:
        """Say that it went well."""
        if self._present.pop(what, None) is not None:
            _log.info("%s works again.", what)
