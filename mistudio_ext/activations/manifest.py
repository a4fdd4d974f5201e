"""The manifest of an extraction folder: what is in it, and in which state.

``manifest.json`` is written atomically, so that a reader never sees half of
it. Standard library only: server, workers and notebooks all use this module.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mistudio_ext.disk.atomic import write_whole
from mistudio_ext.disk.spare import drop_spare, make_spare
from mistudio_ext.errors import ConflictError, NotFoundError

#: Version of the manifest's layout.
SCHEMA_VERSION = 1

#: File name inside an extraction folder.
FILE_NAME = "manifest.json"

#: Bytes beyond a manifest's own that are kept on the disk, so that its end can be written.
_SPARE_BYTES = 16 << 10

#: States after which nothing more is written.
FINAL_STATES = frozenset({"done", "failed", "cancelled", "interrupted"})


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the manifest of an extraction folder.

    Parameters
    ----------
    folder
        The extraction folder.

    Returns
    -------
    dict
        The manifest as it was last written.

    Raises
    ------
    NotFoundError
        If the folder has no manifest.
    ConflictError
        If the manifest is unreadable, or of a newer version of miStudio.
    """
    path = Path(folder) / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"There is no extraction in {folder}.",
            code="no_manifest",
            hint="An extraction folder holds a manifest.json; mistudio_ext.list() shows all.",
        ) from None
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise ConflictError(
            f"The manifest {path} is damaged: {error}.",
            code="bad_manifest",
            hint="Run the extraction again; it goes on where it was.",
        ) from error
    if not isinstance(manifest, dict) or "schema_version" not in manifest:
        raise ConflictError(f"{path} is not a manifest of miStudio.", code="bad_manifest")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise ConflictError(
            f"{path} was written by a newer version of miStudio "
            f"(schema {manifest['schema_version']}, this one reads {SCHEMA_VERSION}).",
            code="newer_manifest",
            hint="Upgrade miStudio here.",
        )
    return manifest


def write(folder: str | os.PathLike[str], manifest: dict[str, Any]) -> None:
    """Replace the manifest of an extraction folder, atomically and durably.

    As long as more is to come, room for one more manifest is kept on the disk beside it, so that
    a final state can be written on a full disk too.

    Parameters
    ----------
    folder
        The extraction folder; made if it is not there.
    manifest
        What to write. ``schema_version`` is filled in, ``updated_at`` is set
        to now (ISO 8601, UTC).

    Raises
    ------
    OSError
        If the folder cannot be written; the old manifest is then still there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema_version": SCHEMA_VERSION,
        **manifest,
        "updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=_plain)
    file, data = folder / FILE_NAME, text.encode()
    write_whole(file, data, 0o666)
    if content.get("state") in FINAL_STATES:
        drop_spare(file)
    else:
        make_spare(file, len(data) + _SPARE_BYTES, 0o666)
    _sync_folder(folder)


def update(folder: str | os.PathLike[str], **changes: Any) -> dict[str, Any]:
    """Change top-level entries of the manifest and return the new one.

    Parameters
    ----------
    folder
        The extraction folder.
    **changes
        Entries to set, e.g. ``state="done", error=None``.

    Raises
    ------
    NotFoundError, ConflictError
        As :func:`read` does.
    """
    manifest = read(folder)
    if all(name in manifest and manifest[name] == value for name, value in changes.items()):
        return manifest
    write(folder, {**manifest, **changes})
    return read(folder)


def _plain(value: object) -> Any:
    """Turn what JSON does not know (paths, NumPy scalars, tuples in sets) into plain data."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be written to a manifest")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the file system lets a folder be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
