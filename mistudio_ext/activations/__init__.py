"""Extraction folders as a notebook sees them: handles, checks, listing. Needs NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mistudio_ext.activations.folder import find, scan
    from mistudio_ext.activations.handle import Activations
    from mistudio_ext.activations.verify import verify

__all__ = ["Activations", "find", "scan", "verify"]


def __getattr__(name: str) -> Any:
    # Lazy, so that the server can import .manifest and .journal without NumPy.
    if name == "Activations":
        from mistudio_ext.activations.handle import Activations

        return Activations
    if name in ("find", "scan"):
        from mistudio_ext.activations import folder

        return getattr(folder, name)
    if name == "verify":
        from mistudio_ext.activations.verify import verify

        return verify
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
