"""miStudio for Jupyter: activations of language models, extracted, stored, opened as arrays.

>>> import mistudio_ext as ms
>>> acts = ms.extract("sample-model", "sample-stories", layers=[2, 5], name="run1")
>>> acts.wait()["resid_post", 2]

Importing this imports nothing else; every name is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mistudio_ext._version import __version__

if TYPE_CHECKING:
    from mistudio_ext import errors
    from mistudio_ext.activations.handle import Activations
    from mistudio_ext.client.datasets import add_dataset, dataset, datasets, delete
    from mistudio_ext.client.extract import extract
    from mistudio_ext.client.handles import Dataset, Tokenization
    from mistudio_ext.client.models import models
    from mistudio_ext.client.opening import list_extractions as list
    from mistudio_ext.client.opening import open_extraction as open
    from mistudio_ext.widgets.panels import (
        ActivationPanel,
        ArchitecturePanel,
        DatasetPanel,
        ExtractionPanel,
        JobsPanel,
        ModelPanel,
        MonitorPanel,
    )

__all__ = [
    "ActivationPanel",
    "Activations",
    "ArchitecturePanel",
    "Dataset",
    "DatasetPanel",
    "ExtractionPanel",
    "JobsPanel",
    "ModelPanel",
    "MonitorPanel",
    "Tokenization",
    "__version__",
    "add_dataset",
    "dataset",
    "datasets",
    "delete",
    "errors",
    "extract",
    "list",
    "models",
    "open",
]

#: Where each public name is defined: (module, name in it); None for the module itself.
_HOMES: dict[str, tuple[str, str | None]] = {
    "Activations": ("mistudio_ext.activations.handle", "Activations"),
    **{
        name: ("mistudio_ext.client.datasets", name)
        for name in ("add_dataset", "dataset", "datasets", "delete")
    },
    **{name: ("mistudio_ext.client.handles", name) for name in ("Dataset", "Tokenization")},
    "errors": ("mistudio_ext.errors", None),
    "extract": ("mistudio_ext.client.extract", "extract"),
    "list": ("mistudio_ext.client.opening", "list_extractions"),
    "models": ("mistudio_ext.client.models", "models"),
    "open": ("mistudio_ext.client.opening", "open_extraction"),
    **{
        panel: ("mistudio_ext.widgets.panels", panel)
        for panel in (
            "ActivationPanel",
            "ArchitecturePanel",
            "DatasetPanel",
            "ExtractionPanel",
            "JobsPanel",
            "ModelPanel",
            "MonitorPanel",
        )
    },
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    found = import_module(module)
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> Any:
    return sorted({*globals(), *__all__})


def _jupyter_server_extension_points() -> Any:
    """Tell Jupyter Server about the server extension."""
    from mistudio_ext.api.app import MiStudioApp

    return [{"module": "mistudio_ext.api.app", "app": MiStudioApp}]


def _jupyter_labextension_paths() -> Any:
    """Tell JupyterLab about the prebuilt extension."""
    return [{"src": "labextension", "dest": "@mistudio/labextension"}]
