"""Reads a file with the readers of the product, as an import does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistudio_ext.store.readers import BadRows, Content, ReadAs, Settings, reader_of


@dataclass
class Read:
    """What came out of a file."""

    rows: list[dict[str, Any]]
    read_as: ReadAs
    bad_rows: BadRows

    @property
    def cells(self) -> list[list[Any]]:
        return [list(row.values()) for row in self.rows]


def read(
    path: Path,
    form: str,
    choice: str = "stop",
    *,
    block_bytes: int = 4 << 20,
    **options: Any,
) -> Read:
    """Read all rows of a file."""
    content = Content(path, path.name, block_bytes=block_bytes)
    reader = reader_of(form)
    assert reader is not None
    read_as = reader.settle(content, Settings.from_options(options))
    if read_as.doubt is not None:
        raise read_as.doubt
    bad_rows = BadRows(choice, path.name)
    tables = reader.tables(content, read_as.settings, bad_rows)
    return Read([row for table in tables for row in table.to_pylist()], read_as, bad_rows)
