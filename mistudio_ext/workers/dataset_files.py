"""Read one data file as Arrow tables, and say where it is broken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError, MiStudioError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.cells import cells
from mistudio_ext.store.files import COMPRESSIONS, FORMATS, split_extension
from mistudio_ext.store.readers import BadRows, Content, ReadAs, Settings, reader_of
from mistudio_ext.store.readers.content import refuse_other_format, refuse_stand_in

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of the tables that a file is read in.
BATCH_ROWS = 1000


def unknown_format(name: str, field_name: str = "path") -> InvalidInputError:
    """Return the error for a file that is in no format we read."""
    return InvalidInputError(
        f"{name} is in no format that can be read as text.",
        code="unknown_format",
        field=field_name,
        hint=f"Use {', '.join(FORMATS)}, plain or with {', '.join(COMPRESSIONS)}, "
        "or a folder made by save_to_disk.",
    )


def import_datasets() -> Any:
    """Import ``datasets`` without the torch that it would load for tensors we never ask for."""
    if "datasets" not in sys.modules and "torch" not in sys.modules:
        before = os.environ.get("USE_TORCH")
        os.environ["USE_TORCH"] = "0"
        try:
            import datasets
        finally:
            if before is None:
                del os.environ["USE_TORCH"]
            else:
                os.environ["USE_TORCH"] = before
    import datasets

    datasets.disable_progress_bars()
    return datasets


@dataclass
class DataFile:
    """One file of a split.

    Parameters
    ----------
    path
        Where it lies.
    reader
        ``json``, ``csv``, ``parquet``, ``arrow`` or ``text``.
    settings
        What the request, the file's extension or the dataset card say about reading it.
    features
        Column types that the dataset card gives, if it does.
    fetch
        Brings the file to ``path`` before it is read, if it is not there.
    bad_rows
        Told about broken rows; None stops at the first.
    read_as
        How the file is read, once it was looked at.
    """

    path: Path
    reader: str
    settings: Settings = field(default_factory=Settings)
    features: Any = None
    fetch: Callable[[], object] | None = None
    bad_rows: BadRows | None = None
    read_as: ReadAs | None = None

    def estimated_bytes(self) -> int:
        """Return about how many bytes of Arrow the file becomes."""
        size = self.path.stat().st_size
        if self.reader == "parquet":
            try:
                import pyarrow.parquet as pq

                meta = pq.read_metadata(self.path)
            except (OSError, ValueError):
                return size
            groups = (meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            return int(1.2 * sum(groups))
        return size * COMPRESSIONS.get(split_extension(self.path.name)[1], 1)

    def known_rows(self) -> int | None:
        """Return the number of rows where the file tells it, or its lines do.

        A CSV file has fewer rows than that where values run over several lines.
        """
        if self.fetch is not None:
            return None
        if self.reader == "parquet":
            try:
                import pyarrow.parquet as pq

                return int(pq.read_metadata(self.path).num_rows)
            except (OSError, ValueError):
                return None
        extension, compression = split_extension(self.path.name)
        if compression or extension not in (".jsonl", ".ndjson", ".txt", ".csv", ".tsv"):
            return None
        lines, last = 0, b"\n"
        with self.path.open("rb") as file:
            while block := file.read(1 << 22):
                lines += block.count(b"\n")
                last = block[-1:]
        header = self.reader == "csv" and self.settings.header is not False
        return lines + (last != b"\n") - header

    def tables(self) -> Iterator[pa.Table]:
        """Yield the file's rows as tables of at most 1,000 rows.

        Raises
        ------
        InvalidInputError
            ``broken_file``, naming the file and, where known, the line.
        """
        if self.fetch is not None:
            self.fetch()
        if self.path.stat().st_size == 0:
            return
        try:
            refuse_stand_in(self.content, may_be_html=self.reader == "text")
            refuse_other_format(self.content, self.reader)
            yield from self._rows()
        except (MiStudioError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise self._broken(error) from error

    @property
    def content(self) -> Content:
        """The file's bytes, as readers take them."""
        return Content(self.path, self.path.name)

    def _rows(self) -> Iterator[pa.Table]:
        reader = reader_of(self.reader)
        self.read_as = reader.settle(self.content, self.settings)
        if self.read_as.doubt is not None:
            raise self.read_as.doubt
        if self.bad_rows is None:
            self.bad_rows = BadRows("stop", self.path.name)
        for table in reader.tables(self.content, self.read_as.settings, self.bad_rows):
            yield self._with_features(table)

    def _with_features(self, table: pa.Table) -> pa.Table:
        """Return the table in the column types that the dataset card gives."""
        import pyarrow as pa

        if self.features is None:
            return table
        columns = {
            name: _of_type(column, self.features.get(name))
            for name, column in zip(table.schema.names, table.columns, strict=True)
        }
        declared = [name for name in self.features if name in columns]
        return pa.table({name: columns[name] for name in dict.fromkeys([*declared, *columns])})

    def _broken(self, error: Exception) -> InvalidInputError:
        return InvalidInputError(
            f"{self.path.name} cannot be read: {_reason(error)}",
            code="broken_file",
            field="path",
            hint="Check that the file is complete and in the format of its name.",
        )


def _of_type(column: pa.ChunkedArray, feature: Any) -> Any:
    """Return a column in the type that a dataset card gives it."""
    import pyarrow as pa

    if feature is None:
        return column
    from datasets import Features
    from datasets.table import cast_array_to_feature

    wanted = Features({"x": feature}).arrow_schema.field("x").type
    if column.type == wanted:
        return column
    if cols.has_json(column.type) and not cols.has_json(wanted):
        # Objects with different keys: the card says which there are.
        try:
            return pa.array(cells(column), wanted)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return column
    return cast_array_to_feature(column, feature)


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 300 else text[:297] + "…"
