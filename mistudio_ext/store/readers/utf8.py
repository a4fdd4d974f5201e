"""Texts of Arrow columns that are not UTF-8, at whatever depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def is_utf8(column: pa.ChunkedArray) -> bool:
    """Return whether all texts of a column are UTF-8."""
    return all(_is_utf8(chunk) for chunk in column.chunks)


def with_utf8(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column with U+FFFD in place of bytes that are not UTF-8."""
    import pyarrow as pa

    return pa.chunked_array([_with_utf8(chunk) for chunk in column.chunks], column.type)


def _is_utf8(array: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.types as t

    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _is_utf8(array.storage)
    if t.is_string(dtype) or t.is_large_string(dtype):
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            return False
        return True
    if t.is_struct(dtype):
        return all(_is_utf8(array.field(i)) for i in range(dtype.num_fields))
    return not t.is_nested(dtype) or _is_utf8(array.flatten())


def _with_utf8(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.types as t

    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(dtype, _with_utf8(array.storage))
    if t.is_string(dtype) or t.is_large_string(dtype):
        raw = array.cast(pa.large_binary()).to_pylist()
        return pa.array([None if b is None else b.decode("utf-8", "replace") for b in raw], dtype)
    if t.is_struct(dtype) and dtype.num_fields:
        children = [_with_utf8(array.field(i)) for i in range(dtype.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(dtype), mask=array.is_null())
    if not t.is_nested(dtype) or t.is_struct(dtype):
        return array
    from mistudio_ext.store.readers.arrow_types import list_of, values_of

    values, sizes = values_of(array)
    return list_of(_with_utf8(values), sizes, array.is_null(), dtype)
