"""``ms.open`` and ``ms.list``: handles of extractions that are there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mistudio_ext.activations import listing, manifest
from mistudio_ext.activations.handle import Activations
from mistudio_ext.activations.listing import ExtractionList
from mistudio_ext.client.backend import (
    Backend,
    JobSource,
    data_dir,
    open_local_backend,
    server_backend,
)
from mistudio_ext.errors import NotFoundError, ServerError
from mistudio_ext.paths import DataFolder

Json = dict[str, Any]


def open_extraction(name: str | os.PathLike[str]) -> Activations:
    """Open an extraction by name, id or folder, finished or not.

    Parameters
    ----------
    name
        The name that was given, the id (``ext_…``), or the extraction folder.
        Of several with the same name, the newest is opened.

    Returns
    -------
    Activations
        A handle; opening costs the same for any size.

    Raises
    ------
    NotFoundError
        If there is none; the hint names those there are.
    ConflictError
        If its manifest is damaged or of a newer version.
    """
    if (folder := listing.as_folder(name)) is not None:
        return Activations(folder, source=_source_of(folder))
    text = os.fspath(name)
    records, backend = _records()
    for record in records:
        if text in (record["id"], record["name"]):
            return handle_of(record, JobSource(backend, record["id"]) if backend else None)
    return listing.find(DataFolder(data_dir()), name, _local_handle)


def list_extractions() -> ExtractionList:
    """Return a handle of every extraction that can be seen, newest first.

    Returns
    -------
    ExtractionList
        A list; shows itself as a table in a notebook.
    """
    records, backend = _records()
    if backend is None:
        return listing.scan(DataFolder(data_dir()), _local_handle)
    return ExtractionList(
        Activations(record["path"], source=JobSource(backend, record["id"]))
        for record in records
        if (Path(record["path"]) / manifest.FILE_NAME).is_file()
    )


def handle_of(record: Json, source: JobSource | None) -> Activations:
    """Return the handle of an extraction's record.

    Raises
    ------
    NotFoundError
        If its folder cannot be seen from here.
    """
    path = Path(record["path"])
    if not (path / manifest.FILE_NAME).is_file():
        raise NotFoundError(
            f"The extraction '{record['name']}' is in {path}, which cannot be seen from here.",
            code="folder_not_visible",
            hint="The kernel must run where the Jupyter server's data folder can be read.",
        )
    return Activations(path, source=source)


def _records() -> tuple[list[Json], Backend | None]:
    """Return the records of whoever keeps the catalog; none if there is nobody."""
    try:
        backend: Backend | None = server_backend() or open_local_backend()
        return (backend.extractions(), backend) if backend is not None else ([], None)
    except ServerError:
        # What is on the disk can be read without the server.
        return [], None


def _local_handle(folder: Path) -> Activations:
    return Activations(folder, source=_source_of(folder))


def _source_of(folder: Path) -> JobSource | None:
    """Return who runs the job of an extraction folder, as far as it is known and matters."""
    known = manifest.read(folder)
    if known.get("state") in manifest.FINAL_STATES:
        return None
    records, backend = _records()
    here = folder.absolute()
    if backend is not None and any(Path(record["path"]) == here for record in records):
        return JobSource(backend, str(known.get("id")))
    return None
