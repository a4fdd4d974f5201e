"""Bring tables with slightly different columns to one schema."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols
from mistudio_ext.store.cells import cells, is_json
from mistudio_ext.store.readers.arrow_types import list_of, values_of
from mistudio_ext.store.readers.numbers import as_text

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows and bytes of one Arrow batch. Fixed, so that the same rows give the same file.
BATCH_ROWS = 1000
BATCH_BYTES = 32 << 20


class LossyCastError(ValueError):
    """Values of a column do not fit into its wider type unchanged.

    Parameters
    ----------
    column
        Its name.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def widen(first: pa.Schema, second: pa.Schema, unfit: Collection[str] = ()) -> pa.Schema:
    """Return a schema that holds the rows of both.

    Parameters
    ----------
    first, second
        Schemas of types that :func:`mistudio_ext.store.readers.arrow_types.plain` gives.
    unfit
        Columns whose values fit no number type unchanged: they become text.

    Raises
    ------
    InvalidInputError
        ``mixed_types``, if a column holds bytes in some rows and something else in others.
    """
    import pyarrow as pa

    found = {column.name: column.type for column in first}
    for column in second:
        if column.name in found:
            found[column.name] = _wider(column.name, found[column.name], column.type)
        else:
            found[column.name] = column.type
    for name in unfit:
        found[name] = _unfit(found[name])
    return pa.schema(list(found.items()))


def _unfit(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    return pa.json_() if t.is_nested(dtype) or is_json(dtype) else pa.string()


def _wider(name: str, first: pa.DataType, second: pa.DataType, depth: int = 0) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    if first == second or t.is_null(second):
        return first
    if t.is_null(first):
        return second
    if cols.is_binary(first) and cols.is_binary(second):
        return pa.large_binary()
    if has_bytes(first) != has_bytes(second):
        raise InvalidInputError(
            f"Column '{name}' holds {first} in some rows and {second} in others.",
            code="mixed_types",
            field="columns",
            hint="Choose the columns to import without it, or make its values alike.",
        )
    if _is_list(first) and _is_list(second):
        items = _wider(name, first.value_type, second.value_type, depth + 1)
        large = t.is_large_list(first) or t.is_large_list(second)
        return pa.large_list(items) if large else pa.list_(items)
    if t.is_struct(first) and t.is_struct(second):
        return _wider_struct(name, first, second, depth)
    if t.is_nested(first) or t.is_nested(second) or is_json(first) or is_json(second):
        return pa.json_()
    return _wider_scalar(first, second) or (pa.json_() if depth else pa.string())


def _wider_struct(
    name: str, first: pa.StructType, second: pa.StructType, depth: int
) -> pa.DataType:
    import pyarrow as pa

    others = {field.name: field.type for field in second}
    here = {field.name: field.type for field in first}
    if others.keys() != here.keys() and not has_bytes(first):
        return pa.json_()
    for key, dtype in others.items():
        here[key] = _wider(name, here.get(key, dtype), dtype, depth + 1)
    return pa.struct(list(here.items()))


def _wider_scalar(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the type that holds both kinds of values; None if only text does."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_decimal(first) != t.is_decimal(second):
        return None
    both = [pa.schema([("x", first)]), pa.schema([("x", second)])]
    try:
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def has_bytes(dtype: pa.DataType) -> bool:
    """Return whether a part of a column holds raw bytes."""
    if cols.is_binary(dtype):
        return True
    return any(has_bytes(dtype.field(i).type) for i in range(dtype.num_fields))


def _is_list(dtype: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_list(dtype) or t.is_large_list(dtype) or t.is_fixed_size_list(dtype))


def cast(table: pa.Table, schema: pa.Schema, *, written_as_text: bool = False) -> pa.Table:
    """Return the table in a schema that :func:`widen` made for it.

    Parameters
    ----------
    table, schema
        The rows, and the schema that holds them.
    written_as_text
        Whether the numbers of the table were texts in the file: they become the same texts
        again, and what is empty an empty text.

    Raises
    ------
    LossyCastError
        If a value would change, like a whole number that no float holds.
    """
    import pyarrow as pa
    import pyarrow.types as t

    columns: list[Any] = []
    names = {name: i for i, name in enumerate(table.schema.names)}
    for column in schema:
        if column.name not in names:
            missing = pa.nulls(table.num_rows, column.type)
            text = written_as_text and t.is_string(column.type)
            columns.append(missing.fill_null("") if text else missing)
            continue
        values = table.column(names[column.name])
        if written_as_text and t.is_string(column.type):
            columns.append(as_text(values))
            continue
        try:
            chunks = [_cast(chunk, column.type) for chunk in values.chunks]
        except pa.ArrowInvalid as error:
            if _is_text(column.type) or is_json(column.type):
                raise
            raise LossyCastError(column.name) from error
        columns.append(pa.chunked_array(chunks, column.type))
    return pa.table(columns, schema=schema)


def _cast(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.types as t

    if array.type == wanted:
        return array
    if t.is_null(array.type):
        return pa.nulls(len(array), wanted)
    if is_json(wanted):
        texts = [None if cell is None else _json(cell) for cell in cells(array)]
        return pa.ExtensionArray.from_storage(wanted, pa.array(texts, pa.string()))
    if _is_text(wanted) and not (t.is_integer(array.type) or _is_text(array.type)):
        values = map(cols.as_json, cells(array))
        return pa.array([v if v is None or type(v) is str else _json(v) for v in values], wanted)
    if t.is_struct(wanted):
        return _cast_struct(array, wanted)
    if _is_list(wanted):
        items, sizes = values_of(array)
        return list_of(_cast(items, wanted.value_type), sizes, array.is_null(), wanted)
    return array.cast(wanted)


def _is_text(dtype: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(dtype) or t.is_large_string(dtype))


def _cast_struct(array: pa.StructArray, wanted: pa.StructType) -> pa.StructArray:
    import pyarrow as pa

    children = []
    for field in wanted:
        at = array.type.get_field_index(field.name)
        missing = pa.nulls(len(array), field.type)
        children.append(_cast(array.field(at), field.type) if at >= 0 else missing)
    return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())


def _json(value: Any) -> str:
    return json.dumps(cols.as_json(value), ensure_ascii=False)


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
        compact = table.combine_chunks().take(pa.array(np.arange(table.num_rows)))
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
