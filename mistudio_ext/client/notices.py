"""What a request did not get, said where it was asked for."""

from __future__ import annotations

import warnings
from typing import Any


def tell(record: dict[str, Any]) -> None:
    """Warn of what of a request has no effect, for example a second name.

    Parameters
    ----------
    record
        As it was answered; ``notices`` are its ``{code, field, message, hint}``.
    """
    for text in texts(record):
        # The caller of ms.extract, ms.add_dataset or a method of ms.models.
        warnings.warn(text, UserWarning, stacklevel=3)


def texts(record: dict[str, Any]) -> list[str]:
    """Return the notices of an answer, each as one line."""
    return [f"{n['message']} {n.get('hint') or ''}".strip() for n in record.get("notices") or ()]
