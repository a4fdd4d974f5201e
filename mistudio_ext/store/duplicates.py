"""What a search for near duplicates found, beside the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistudio_ext.store.arrow import split_names
from mistudio_ext.store.replacing import write_json

#: Groups that are listed as examples, and rows of each.
EXAMPLES, ROWS_OF_EXAMPLE = 50, 10

#: How rows are compared; what another version found is not shown.
VERSION = 2


def found_path(split: Path, column: str) -> Path:
    """Return the file with a split's near duplicates."""
    return split / f"{column.replace('/', '_')}.near_duplicates.json"


def read_found(dataset: Path, column: str) -> dict[str, Any] | None:
    """Return ``{"threshold", "splits"}`` of a dataset; None if no search has ended."""
    splits = [read_split(dataset / name, column) for name in split_names(dataset)]
    known = [split for split in splits if split is not None]
    if not known:
        return None
    return {"threshold": known[0]["threshold"], "splits": known}


def write_found(
    split: Path, column: str, threshold: float, n_rows: int, groups: list[list[int]]
) -> dict[str, Any]:
    """Keep the groups of a split's rows that are alike, and return what is kept.

    Returns
    -------
    dict
        ``{"version", "name", "n_rows", "threshold", "groups", "duplicates", "share", "examples"}``;
        ``duplicates`` are the rows of all groups but each group's first.
    """
    duplicates = sum(len(rows) - 1 for rows in groups)
    found = {
        "version": VERSION,
        "name": split.name,
        "n_rows": n_rows,
        "threshold": threshold,
        "groups": len(groups),
        "duplicates": duplicates,
        "share": duplicates / n_rows if n_rows else 0.0,
        "examples": [rows[:ROWS_OF_EXAMPLE] for rows in groups[:EXAMPLES]],
    }
    write_json(found_path(split, column), found)
    return found


def read_split(split: Path, column: str) -> dict[str, Any] | None:
    """Return what was found in a split; None if no search has ended."""
    try:
        found = json.loads(found_path(split, column).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("version") == VERSION else None
