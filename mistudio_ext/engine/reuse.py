"""Arrays that another extraction has made already: linked, not computed again.

Only what would come out the same bit for bit is taken: the same model, token ids, storage
dtype, layout and plan of batches, on the same processor, by the same versions. What is
taken is read once and must have its checksum, so damage does not spread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine.arrays import ArrayFile, checksum_of
from mistudio_ext.errors import MiStudioError

#: What must be the same in two manifests, beside the versions.
_SAME = ("engine", "plan", "n_samples", "n_tokens")
_SAME_SPEC = ("model_fingerprint", "quantization", "dtype", "layout", "positions", "context")
_SAME_VERSIONS = ("torch", "transformers", "bitsandbytes")
#: Files whose content must be the same: which tokens were read, and how they were cut.
_INDEX = ("tokens.npy", "offsets.npy")

Taken = dict[str, dict[str, Any]]


def take(files: Sequence[ArrayFile], folders: Sequence[str], wanted: dict[str, Any]) -> Taken:
    """Link what finished extractions hold of ``files``.

    Parameters
    ----------
    files
        The arrays of the extraction to come; what is in their place is replaced.
    folders
        Extractions to look into, the best first.
    wanted
        The manifest of the extraction to come, with ``files`` of its tokens and offsets.

    Returns
    -------
    dict
        File name → its entry in the manifest, with ``taken_from`` (``id``, ``name``).
    """
    taken: Taken = {}
    for folder in map(Path, folders):
        try:
            source = manifests.read(folder)
        except MiStudioError:
            continue
        if not _comparable(source, wanted):
            continue
        for file in files:
            name = file.path.name
            entry = source["files"].get(name)
            if entry is not None and name not in taken and _linked(folder / name, file, entry):
                origin = {"id": source.get("id"), "name": source.get("name")}
                taken[name] = {**entry, "taken_from": entry.get("taken_from") or origin}
    return taken


def intact(files: Sequence[ArrayFile], taken: Taken) -> bool:
    """Return whether what an earlier run took is still there, unchanged."""
    named = {file.path.name: file for file in files}
    return all(
        name in named and named[name].matches() and checksum_of(named[name].path) == e["checksum"]
        for name, e in taken.items()
    )


def warnings_of(folders: Sequence[str], taken: Taken) -> list[dict[str, str]]:
    """Return what was said of the values of the arrays that were taken."""
    hooks = {str(entry["hook"]) for entry in taken.values()}
    found: list[dict[str, str]] = []
    for folder in folders:
        with contextlib.suppress(MiStudioError):
            for warning in manifests.read(folder).get("warnings") or ():
                if warning["message"].split(": ")[0] in hooks and warning not in found:
                    found.append(warning)
    return found


def _comparable(source: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if source.get("state") != "done" or any(source.get(k) != wanted.get(k) for k in _SAME):
        return False
    spec, versions = source.get("spec") or {}, source.get("versions") or {}
    if not spec.get("model_fingerprint"):
        return False  # Of an earlier release: nobody knows of which weights.
    return (
        all(spec.get(key) == wanted["spec"].get(key) for key in _SAME_SPEC)
        and all(versions.get(key) == wanted["versions"].get(key) for key in _SAME_VERSIONS)
        and all(
            (source["files"].get(name) or {}).get("checksum") == wanted["files"][name]["checksum"]
            for name in _INDEX
        )
    )


def _linked(source: Path, file: ArrayFile, entry: dict[str, Any]) -> bool:
    """Put a second name for a finished array in place of ``file``; False where that cannot be."""
    file.path.unlink(missing_ok=True)
    try:
        os.link(source, file.path)
    except OSError:
        return False  # Gone, another disk, or a file system without links: it is computed.
    if file.matches() and checksum_of(file.path) == entry.get("checksum"):
        return True
    file.path.unlink()
    return False
