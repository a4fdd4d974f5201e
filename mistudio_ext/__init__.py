"""miStudio for Jupyter: activations of language models, extracted, stored, opened as arrays."""

from __future__ import annotations

from typing import Any

from mistudio_ext._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension is."""
    from mistudio_ext.api.app import MiStudioApp

    return [{"module": "mistudio_ext.api.app", "app": MiStudioApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the prebuilt extension is."""
    return [{"src": "labextension", "dest": "@mistudio/labextension"}]
