"""``jupyter mistudio doctor``: the environment, what is missing, and how to mend it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mistudio_ext._version import __version__
from mistudio_ext.catalog.filesystem import NETWORK, filesystem
from mistudio_ext.errors import MiStudioError
from mistudio_ext.services.context import free_bytes, human
from mistudio_ext.services.gpus import gpus
from mistudio_ext.settings import Settings, from_config_files

#: Distribution -> what does not work without it.
_NEEDED = {
    "jupyter_server": "the server half",
    "jupyterlab": "the panels in JupyterLab",
    "anywidget": "the panels in notebook cells",
    "numpy": "everything",
    "torch": "models and extraction",
    "transformers": "models and extraction",
    "datasets": "datasets",
    "bitsandbytes": "the formats q8 and q4",
    "nvidia-ml-py": "looking at NVIDIA GPUs",
}


@dataclass(frozen=True)
class Finding:
    """One checked thing."""

    what: str
    ok: bool
    detail: str
    mend: str | None = None


def run(arguments: argparse.Namespace) -> int:
    """Check everything; 1 if something must be mended."""
    settings = from_config_files(data_dir=arguments.data_dir)
    findings = [
        Finding("miStudio", True, f"{__version__}, Python {platform.python_version()}"),
        *packages(),
        extension("server extension", _server_extension),
        extension("lab extension", _lab_extension),
        data_folder(settings),
        catalog(settings),
        devices(),
    ]
    good = all(finding.ok for finding in findings)
    if arguments.json:
        print(json.dumps({"ok": good, "findings": [asdict(f) for f in findings]}))
        return 0 if good else 1
    for finding in findings:
        print(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.detail}")
        if finding.mend and not finding.ok:
            print(f"     {finding.mend}")
    return 0 if good else 1


def packages() -> list[Finding]:
    """Look for the packages that the design is made of."""
    found = []
    for name, purpose in _NEEDED.items():
        try:
            found.append(Finding(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            mend = f"pip install {name}"
            found.append(Finding(name, False, f"missing; {purpose} will not work", mend))
    return found


def extension(what: str, enabled: Callable[[], bool]) -> Finding:
    """Report whether one half of the extension is enabled."""
    if enabled():
        return Finding(what, True, "enabled")
    return Finding(
        what,
        False,
        "not enabled in this environment",
        "pip install --force-reinstall mistudio-ext, and start Jupyter from this environment",
    )


def _server_extension() -> bool:
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension import config

    manager: Any = config.ExtensionConfigManager(read_config_path=jupyter_config_path())
    return bool(manager.get_jpserver_extensions().get("mistudio_ext"))


def _lab_extension() -> bool:
    from jupyter_core.paths import jupyter_path

    folders = jupyter_path("labextensions")
    return any(
        (Path(folder) / "@mistudio/labextension/package.json").exists() for folder in folders
    )


def data_folder(settings: Settings) -> Finding:
    """Report where the data folder is and whether there is room."""
    free = free_bytes(settings.data_dir)
    detail = f"{settings.data_dir}, {human(free)} free"
    if free < settings.disk_reserve_bytes:
        return Finding(
            "data folder",
            False,
            detail,
            f"Free some space: {human(settings.disk_reserve_bytes)} must stay free.",
        )
    return Finding("data folder", True, detail)


def catalog(settings: Settings) -> Finding:
    """Open the catalog."""
    from mistudio_ext.catalog import Catalog

    try:
        Catalog(settings.db_url).close()
    except MiStudioError as error:
        return Finding("catalog", False, error.message, error.hint)
    kind = filesystem(settings.data_dir)
    network = f" (data folder on {kind})" if kind in NETWORK else ""
    return Finding("catalog", True, f"{settings.db_url}{network}")


def devices() -> Finding:
    """Report the NVIDIA GPUs."""
    found = gpus()
    if not found:
        return Finding("devices", True, "no NVIDIA GPU; extractions run on the CPU")
    names = [f"{g['name']} ({human(g['memory_total'] or 0)})" for g in found]
    return Finding("devices", True, ", ".join(names))
