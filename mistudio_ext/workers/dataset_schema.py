"""Bring tables with slightly different columns to one schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.readers.numbers import as_text

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows and bytes of one Arrow batch. Fixed, so that the same rows give the same file.
BATCH_ROWS = 1000
BATCH_BYTES = 32 << 20

#: Strings of one batch beyond this keep their 64-bit offsets.
_LARGE = 1 << 30


def plain(table: pa.Table) -> pa.Table:
    """Return the table without metadata, dictionaries, views and needless 64-bit offsets."""
    import pyarrow as pa

    table = table.replace_schema_metadata(None)
    for i, column in enumerate(table.schema):
        wanted = _plain_type(column.type, table.nbytes)
        if wanted != column.type:
            table = table.set_column(i, pa.field(column.name, wanted), table.column(i).cast(wanted))
        elif column.metadata or not column.nullable:
            table = table.set_column(i, pa.field(column.name, column.type), table.column(i))
    return table


def _plain_type(dtype: pa.DataType, n_bytes: int) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(dtype):
        return _plain_type(dtype.value_type, n_bytes)
    if t.is_string_view(dtype) or (t.is_large_string(dtype) and n_bytes < _LARGE):
        return pa.string()
    return dtype


def widen(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """Return a schema that holds the rows of both.

    Raises
    ------
    InvalidInputError
        ``mixed_types``, if a column's types cannot be brought together.
    """
    import pyarrow as pa

    found = {column.name: column.type for column in first}
    for column in second:
        if column.name not in found:
            found[column.name] = column.type
        elif found[column.name] != column.type:
            found[column.name] = _wider(column.name, found[column.name], column.type)
    return pa.schema(list(found.items()))


def _wider(name: str, first: pa.DataType, second: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    try:
        both = [pa.schema([(name, first)]), pa.schema([(name, second)])]
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        if not t.is_nested(first) and not t.is_nested(second):
            return pa.string()
        raise InvalidInputError(
            f"Column '{name}' holds {first} in some rows and {second} in others.",
            code="mixed_types",
            field="columns",
            hint="Choose the columns to import without it, or make its values alike.",
        ) from error


def cast(table: pa.Table, schema: pa.Schema, *, written_as_text: bool = False) -> pa.Table:
    """Return the table in a schema that :func:`widen` made for it.

    Parameters
    ----------
    table, schema
        The rows, and the schema that holds them.
    written_as_text
        Whether the numbers of the table were texts in the file: they become the same texts
        again, and what is empty an empty text.
    """
    import pyarrow as pa
    import pyarrow.types as t

    names = set(table.schema.names)
    columns: list[Any] = []
    for column in schema:
        if column.name not in names:
            missing = pa.nulls(table.num_rows, column.type)
            text = written_as_text and t.is_string(column.type)
            columns.append(missing.fill_null("") if text else missing)
            continue
        values = table.column(column.name)
        if written_as_text and t.is_string(column.type):
            columns.append(as_text(values))
            continue
        try:
            columns.append(values.cast(column.type))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
            columns.append(pa.array(values.to_pylist(), column.type))
    return pa.table(columns, schema=schema)


def batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the table as record batches of no more than 32 MiB where rows allow it.

    They are copies without slack, so that equal rows give equal bytes.
    """
    import pyarrow as pa

    if table.num_rows > 1 and table.nbytes > BATCH_BYTES:
        half = table.num_rows // 2
        yield from batches(table.slice(0, half))
        yield from batches(table.slice(half))
    else:
        compact = table.combine_chunks().take(pa.array(range(table.num_rows)))
        yield from compact.combine_chunks().to_batches()


def rebatched(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all tables in batches whose bounds depend on the rows alone."""
    import pyarrow as pa

    waiting: list[Any] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count < BATCH_ROWS:
            continue
        joined = pa.concat_tables(waiting)
        whole = count // BATCH_ROWS * BATCH_ROWS
        for first in range(0, whole, BATCH_ROWS):
            yield from batches(joined.slice(first, BATCH_ROWS))
        waiting, count = [joined.slice(whole)], count - whole
    if count:
        yield from batches(pa.concat_tables(waiting))


def read_parts(
    parts: Iterable[Path], schema: pa.Schema, *, written_as_text: bool = False
) -> Iterator[pa.Table]:
    """Yield the batches of stream files, each brought to ``schema`` as :func:`cast` does."""
    import pyarrow as pa

    for part in parts:
        with pa.ipc.open_stream(pa.memory_map(str(part))) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield cast(table, schema, written_as_text=written_as_text)
