"""Parquet and Arrow files (both the file and the stream format), told apart by their content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mistudio_ext.disk.scratch import scratch_file
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.readers.arrow_types import plain
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content
from mistudio_ext.store.readers.names import each_once
from mistudio_ext.store.readers.settings import ReadAs, Settings
from mistudio_ext.store.readers.utf8 import is_utf8, with_utf8

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of a table.
BATCH_ROWS = 1000

_PARQUET, _ARROW_FILE = b"PAR1", b"ARROW1"


def settle(content: Content, settings: Settings) -> ReadAs:
    """Return the settings as they are: these files say themselves how they are read."""
    form = "parquet" if content.head()[:4] == _PARQUET else "arrow"
    return ReadAs(settings, options={"format": form}, said=(form,))


def tables(content: Content, settings: Settings, bad_rows: BadRows) -> Iterator[pa.Table]:
    """Yield the rows, in types that a dataset can have.

    A row is broken if a text of it is not UTF-8, which neither format checks. ``keep`` puts
    U+FFFD for the bytes that are not. Rows are counted from 0.
    """
    bad_rows.unit = "row"
    row = 0
    with _opened(content) as file, _explained(content):
        columns = settings.extra.get("columns")
        for table in _read(file):
            table = table if columns is None else table.select(list(columns))
            yield checked(plain(table), row, bad_rows)
            row += table.num_rows


def _read(file: pa.NativeFile) -> Iterator[pa.Table]:
    """Yield the rows as they are in the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    magic = file.read(6)
    file.seek(0)
    if magic[:4] == _PARQUET:
        # Older programs count nanoseconds, which end in 2262; beyond, the date is another one.
        reader = pq.ParquetFile(file, coerce_int96_timestamp_unit="us")
        batches = reader.iter_batches(batch_size=BATCH_ROWS)
    elif magic == _ARROW_FILE:
        opened = pa.ipc.open_file(file)
        batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
    else:
        batches = iter(pa.ipc.open_stream(file))
    for batch in batches:
        for first in range(0, batch.num_rows, BATCH_ROWS):
            table = pa.Table.from_batches([batch.slice(first, BATCH_ROWS)])
            yield table.rename_columns(each_once(table.schema.names))


@contextmanager
def _explained(content: Content) -> Iterator[None]:
    """Turn what Arrow says about a damaged file into an error that names the file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InvalidInputError(
            f"{content.name} cannot be read: {' '.join(str(error).split())[:300]}",
            code="broken_file",
            field="path",
            hint="Check that the file is complete and in the format of its name.",
        ) from error


@contextmanager
def _opened(content: Content) -> Iterator[pa.NativeFile]:
    """Open a file to be read in any order, after unpacking it if it is compressed."""
    import pyarrow as pa

    if not content.is_compressed:
        with pa.memory_map(str(content.path)) as file:
            yield file
        return
    with scratch_file() as (unpacked, ask):
        for block in replace(content, limit=None).blocks():
            ask(len(block))
            unpacked.write(block)
        unpacked.seek(0)
        with pa.PythonFile(unpacked) as file:
            yield file


def checked(table: pa.Table, first: int, bad_rows: BadRows) -> pa.Table:
    """Return the table with texts that are UTF-8, its first row being number ``first``."""
    import pyarrow as pa

    wrong = [
        name
        for name, column in zip(table.schema.names, table.columns, strict=True)
        if not is_utf8(column)
    ]
    if not wrong:
        return table
    kept = []
    for i in range(table.num_rows):
        row = table.slice(i, 1)
        bad = next((name for name in wrong if not is_utf8(row.column(name))), None)
        reason = f"its column '{bad}' has bytes that are not UTF-8"
        if bad is None:
            kept.append(row)
        elif bad_rows.found(first + i, reason):
            columns = [with_utf8(column) for column in row.columns]
            kept.append(pa.Table.from_arrays(columns, schema=row.schema))
    return pa.concat_tables(kept) if kept else table.slice(0, 0)
