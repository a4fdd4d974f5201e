"""``ms.datasets``, ``ms.dataset``, ``ms.add_dataset`` and ``ms.delete``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.client.calls import NOUNS, calls, find
from mistudio_ext.client.extract import place_of
from mistudio_ext.client.handles import Dataset
from mistudio_ext.client.notices import tell

Json = dict[str, Any]


def datasets() -> list[Dataset]:
    """Return all datasets, newest first."""
    asked = calls()
    return [Dataset(record, asked) for record in asked.records("datasets")]


def dataset(name: str) -> Dataset:
    """Return the dataset with this name or id.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    asked = calls()
    return Dataset(find(asked, name, ("datasets",))[1], asked)


def add_dataset(
    source: str | os.PathLike[str],
    *,
    name: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    splits: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    text_column: str | None = None,
    max_rows: int | None = None,
    token: str | None = None,
    **options: Any,
) -> Dataset:
    """Import a dataset; returns at once, or what is there already.

    Parameters
    ----------
    source
        A file or folder that the server can read, a repository on the Hugging Face Hub, or
        ``"sample-stories"``.
    name
        A name for it; None makes one.
    config, revision
        Of a repository.
    splits, columns, text_column, max_rows
        Only some splits, columns or first rows; the column with the text.
    token
        For a gated repository; kept in memory only. None takes that of the standard place.
    **options
        How a file, or each file of a folder, is read; what is not given is detected.
        ``format``: ``"csv"``, ``"json"``, ``"text"``, ``"parquet"`` or ``"arrow"``;
        ``encoding``; ``bad_rows``: ``"stop"``, ``"skip"`` or ``"keep"``. Of CSV also
        ``delimiter``, ``header`` (bool), ``quoting`` (``"standard"``, ``"backslash"`` or
        ``"none"``) and ``types``, a dict of column to ``"text"``, ``"integer"`` or
        ``"number"``. Of JSON ``field``: the one with the rows, if the file is one object.

    Raises
    ------
    InvalidInputError, NotFoundError, AccessDeniedError
        What is wrong with the request, in ``field``.
    """
    body: Json = {
        **_source(source),
        "name": name,
        "config": config,
        "revision": revision,
        "splits": splits and list(splits),
        "columns": columns and list(columns),
        "text_column": text_column,
        "max_rows": max_rows,
        "token": token,
        "options": options or None,
    }
    asked = calls()
    given = {key: value for key, value in body.items() if value is not None}
    record = asked.add_dataset(given)
    tell(record)
    return Dataset(record, asked)


def delete(*names: str) -> int:
    """Delete extractions, models or datasets by name or id, and return the bytes that came free.

    All are looked up before the first is deleted.

    Raises
    ------
    NotFoundError
        If a name is unknown: nothing was deleted.
    ConflictError
        If a running job needs one of them; those before it are gone.
    """
    asked = calls()
    found = [find(asked, name, NOUNS) for name in names]
    return sum(int(asked.remove(noun, record["id"])["freed_bytes"]) for noun, record in found)


def _source(source: str | os.PathLike[str]) -> Json:
    if source == sample.DATASET_NAME:
        return {"source": "sample"}
    place = place_of(source)
    if Path(place).is_absolute():
        return {"source": "path", "path": place}
    return {"source": "hub", "repo_id": place}
