"""Extractions of a data folder, found without a server."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from mistudio_ext.activations import card, manifest
from mistudio_ext.activations.handle import Activations
from mistudio_ext.errors import ConflictError, NotFoundError
from mistudio_ext.paths import DataFolder


class ExtractionList(list[Activations]):
    """Handles, newest first; a table in a notebook."""

    def __repr__(self) -> str:
        return "[" + ",\n ".join(repr(acts) for acts in self) + "]"

    def _repr_html_(self) -> str:
        return card.table(self)


def scan(data: DataFolder, handle: Callable[[Path], Activations] = Activations) -> ExtractionList:
    """Return all extractions of a data folder, newest first.

    Parameters
    ----------
    data
        The data folder; may be missing or empty.
    handle
        Makes the handle of an extraction folder.

    Warns
    -----
    UserWarning
        For a folder whose manifest is damaged; it is left out.
    """
    folders = [path.parent for path in data.extraction("*").parent.glob(f"*/{manifest.FILE_NAME}")]
    found = ExtractionList()
    for folder in folders:
        try:
            found.append(handle(folder))
        except NotFoundError:
            continue  # deleted since the folder was listed
        except ConflictError as error:
            warnings.warn(str(error), stacklevel=2)
    found.sort(key=_age, reverse=True)
    return found


def find(
    data: DataFolder,
    name: str | os.PathLike[str],
    handle: Callable[[Path], Activations] = Activations,
) -> Activations:
    """Open an extraction by folder, id or name.

    Of several with the same name, the newest is opened.

    Parameters
    ----------
    data
        The data folder.
    name
        A folder (absolute, or relative with a separator in it), an id, or a
        name.
    handle
        Makes the handle of an extraction folder.

    Raises
    ------
    NotFoundError
        If there is none; the hint names the newest there are.

    Warns
    -----
    UserWarning
        If several have the name.
    """
    if (folder := as_folder(name)) is not None:
        return handle(folder)
    text = os.fspath(name)
    if "/" not in text and text not in ("", ".", ".."):
        by_id = data.extraction(text)
        if (by_id / manifest.FILE_NAME).is_file():
            return handle(by_id)
    every = scan(data, handle)
    named = [acts for acts in every if acts.name == text]
    if not named:
        known = ", ".join(acts.name for acts in every[:10])
        raise NotFoundError(
            f"There is no extraction '{text}' in {data.root}.",
            code="no_such_extraction",
            hint=f"There is {known}." if known else "There are none yet; ms.extract makes one.",
        )
    if len(named) > 1:
        others = ", ".join(acts.id for acts in named[1:4])
        warnings.warn(
            f"{len(named)} extractions are called '{text}'; this is the newest, {named[0].id}. "
            f"Open another by its id: {others}.",
            stacklevel=2,
        )
    return named[0]


def as_folder(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder that is meant, or None if it is a name or an id.

    Raises
    ------
    NotFoundError
        If it can only be a folder, and that is no extraction.
    """
    path = Path(name).expanduser()
    if (path / manifest.FILE_NAME).is_file():
        return path
    text = os.fspath(name)
    if isinstance(name, os.PathLike) or path.is_absolute() or text.startswith((".", "~")):
        manifest.read(path)
    return None


def _age(acts: Activations) -> tuple[str, str]:
    return str(acts.manifest.get("created_at") or ""), acts.id
