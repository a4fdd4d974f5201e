"""Bring Arrow columns to the types that a dataset in the data folder has.

``datasets`` opens what is stored, so each type must be one that it knows. Encodings
(dictionaries, run ends, views) become plain values, maps become lists of ``{"key", "value"}``,
extension types become what they are stored as, and values that no type of ``datasets`` holds
(unions, calendar intervals) become JSON.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mistudio_ext.store.cells import cells, is_json
from mistudio_ext.store.columns import as_json

if TYPE_CHECKING:
    import pyarrow as pa

#: Texts of one table beyond this keep their 64-bit offsets.
_LARGE = 1 << 30


def plain(table: pa.Table) -> pa.Table:
    """Return the table without metadata, and with columns of types that can be stored."""
    import pyarrow as pa

    columns: list[Any] = []
    for column in table.columns:
        wanted = _stored(column.type)
        if column.type == pa.large_string() and column.nbytes < _LARGE:
            wanted = pa.string()
        if wanted != column.type:
            column = converted(column, wanted)
        columns.append(column)
    fields = [
        pa.field(name, column.type)
        for name, column in zip(table.schema.names, columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def converted(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Return a column in the type that :func:`_stored` gave for it."""
    import pyarrow as pa

    if _castable(column.type):
        try:
            return column.cast(wanted)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    return pa.chunked_array([_converted(chunk, wanted) for chunk in column.chunks], wanted)


def _castable(dtype: pa.DataType) -> bool:
    """Return whether Arrow's cast can be asked: it writes UUIDs raw, and breaks list views."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(dtype, pa.BaseExtensionType) or t.is_list_view(dtype):
        return False
    children = (dtype.field(i).type for i in range(dtype.num_fields))
    return not t.is_large_list_view(dtype) and all(map(_castable, children))


@lru_cache(maxsize=4096)
def _stored(dtype: pa.DataType) -> pa.DataType:
    """Return the type in which a column of this type is stored."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(dtype, pa.BaseExtensionType):
        if is_json(dtype) or type(dtype).__module__.startswith("datasets."):
            return dtype
        return pa.string() if dtype == pa.uuid() else _stored(_storage(dtype))
    if t.is_dictionary(dtype) or t.is_run_end_encoded(dtype):
        return _stored(dtype.value_type)
    if t.is_string_view(dtype):
        return pa.string()
    if t.is_binary_view(dtype):
        return pa.binary()
    if t.is_decimal32(dtype) or t.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    if t.is_union(dtype) or t.is_interval(dtype):
        return pa.json_()
    if t.is_map(dtype):
        pair = [("key", _stored(dtype.key_type)), ("value", _stored(dtype.item_type))]
        return pa.list_(pa.struct(pair))
    if t.is_fixed_size_list(dtype):
        return pa.list_(_stored(dtype.value_type), dtype.list_size)
    if t.is_large_list(dtype):
        return pa.large_list(_stored(dtype.value_type))
    if t.is_list(dtype) or t.is_list_view(dtype) or t.is_large_list_view(dtype):
        return pa.list_(_stored(dtype.value_type))
    if t.is_struct(dtype):
        return pa.struct([(field.name, _stored(field.type)) for field in dtype])
    return dtype


def _storage(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.bool_() if dtype == pa.bool8() else dtype.storage_type


def _converted(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Convert what Arrow itself does not cast, level by level."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    dtype = array.type
    if dtype == wanted:
        return array
    if isinstance(dtype, pa.BaseExtensionType):
        if dtype == pa.uuid():
            return pa.array(cells(array), wanted)
        return _converted(array.storage, wanted) if dtype != pa.bool8() else array.cast(wanted)
    if is_json(wanted):
        texts = [None if cell is None else json.dumps(as_json(cell)) for cell in cells(array)]
        return pa.ExtensionArray.from_storage(wanted, pa.array(texts, pa.string()))
    if t.is_dictionary(dtype):
        return _converted(array.dictionary_decode(), wanted)
    if t.is_run_end_encoded(dtype):
        return _converted(pc.run_end_decode(array), wanted)
    if t.is_struct(dtype):
        children = [
            _converted(array.field(i), wanted.field(i).type) for i in range(wanted.num_fields)
        ]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if t.is_nested(dtype):
        values, sizes = values_of(array)
        values = _converted(values, wanted.value_type)
        return list_of(values, sizes, array.is_null(), wanted)
    return array.cast(wanted)


def list_of(values: pa.Array, sizes: Any, nulls: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return lists of so many items each: the reverse of :func:`values_of`."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_fixed_size_list(wanted):
        return pa.FixedSizeListArray.from_arrays(values, type=wanted, mask=nulls)
    large = t.is_large_list(wanted)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64 if large else np.int32)
    kind = pa.LargeListArray if large else pa.ListArray
    return kind.from_arrays(pa.array(ends), values, type=wanted, mask=nulls)


def values_of(array: pa.Array) -> tuple[pa.Array, Any]:
    """Return the items of all lists (or maps) one after the other, and how many each has."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_map(array.type):
        ends = np.asarray(array.offsets)
        first, last = int(ends[0]), int(ends[-1])
        pairs = [array.keys.slice(first, last - first), array.items.slice(first, last - first)]
        return pa.StructArray.from_arrays(pairs, names=["key", "value"]), np.diff(ends)
    if t.is_fixed_size_list(array.type):
        size = array.type.list_size
        return array.values.slice(array.offset * size, len(array) * size), np.full(len(array), size)
    # What stands behind a null is passed over by flatten, so that it counts as empty.
    return array.flatten(), np.asarray(pc.list_value_length(array).fill_null(0))
