"""Types of JSON values, column by column, such that no value is changed.

A *shape* says which values a column has. It is widened as further rows come, and turned into
an Arrow type at the end. What no Arrow type holds as it is stays JSON: ``arrow.json``, which is
the ``Json`` type of ``datasets`` and gives the same objects, with the same keys, again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mistudio_ext.store.readers.arrow_types import list_of, values_of

if TYPE_CHECKING:
    import pyarrow as pa

#: ``null``, ``bool``, ``small`` (whole numbers that a float holds exactly), ``int``, ``float``,
#: ``str``, ``text`` (scalars of several types, written as text), ``json``,
#: ``("list", shape)``, ``("struct", ((key, shape), …))``.
Shape = str | tuple[str, Any]

#: Values nested deeper than this stay JSON; Arrow files cannot nest beyond 64 levels.
DEEPEST = 12

_SCALARS = frozenset(("bool", "small", "int", "float", "str", "text"))
_EXACT = 1 << 53


def shape_of(values: Sequence[Any], depth: int = 0) -> Shape:
    """Return the shape of a column.

    Parameters
    ----------
    values
        What ``json.loads`` gave, one value for each row.
    depth
        How deep the column is nested; 0 for a column of the file.
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return "null"
    if len(kinds) > 1:
        return _shape_of_mixed(values, kinds, depth)
    kind = kinds.pop()
    if kind is int:
        return _shape_of_ints(values, depth)
    if kind is list:
        return _shape_of_lists(values, depth)
    if kind is dict:
        return _shape_of_objects(values, depth)
    return {str: "str", bool: "bool", float: "float"}[kind]


def _shape_of_mixed(values: Sequence[Any], kinds: set[type], depth: int) -> Shape:
    if kinds == {int, float} and all(-_EXACT <= v <= _EXACT for v in values if type(v) is int):
        return "float"
    return "json" if depth or list in kinds or dict in kinds else "text"


def _shape_of_ints(values: Sequence[Any], depth: int) -> Shape:
    there = [value for value in values if value is not None]
    low, high = min(there), max(there)
    if low >= -_EXACT and high <= _EXACT:
        return "small"
    if low >= -(1 << 63) and high < 1 << 63:
        return "int"
    return "json" if depth else "text"


def _shape_of_lists(values: Sequence[Any], depth: int) -> Shape:
    if depth >= DEEPEST:
        return "json"
    items = [item for value in values if value is not None for item in value]
    return ("list", shape_of(items, depth + 1))


def _shape_of_objects(values: Sequence[Any], depth: int) -> Shape:
    there = [value for value in values if value is not None]
    keys = tuple(there[0])
    if not keys or depth >= DEEPEST or any(tuple(value) != keys for value in there):
        return "json"
    fields = ((key, shape_of([value[key] for value in there], depth + 1)) for key in keys)
    return ("struct", tuple(fields))


def joined(first: Shape, second: Shape, depth: int = 0) -> Shape:
    """Return the shape of columns that have values of both."""
    if first == second or second == "null":
        return first
    if first == "null":
        return second
    if isinstance(first, str) and isinstance(second, str) and "json" not in (first, second):
        pair = {first, second}
        if pair <= {"small", "int"}:
            return "int"
        if pair == {"small", "float"}:
            return "float"
        return "json" if depth else "text"
    if isinstance(first, str) or isinstance(second, str) or first[0] != second[0]:
        return "json"
    if first[0] == "list":
        return ("list", joined(first[1], second[1], depth + 1))
    if [key for key, _ in first[1]] != [key for key, _ in second[1]]:
        return "json"
    pairs = zip(first[1], second[1], strict=True)
    return ("struct", tuple((key, joined(a, b, depth + 1)) for (key, a), (_, b) in pairs))


def has_json(shape: Shape) -> bool:
    """Return whether a part of a column stays JSON."""
    if isinstance(shape, str):
        return shape == "json"
    return has_json(shape[1]) if shape[0] == "list" else any(has_json(s) for _, s in shape[1])


def arrow_type(shape: Shape) -> pa.DataType:
    """Return the Arrow type of a column."""
    import pyarrow as pa

    if isinstance(shape, str):
        return {
            "null": pa.null(),
            "bool": pa.bool_(),
            "small": pa.int64(),
            "int": pa.int64(),
            "float": pa.float64(),
            "json": pa.json_(),
        }.get(shape, pa.string())
    if shape[0] == "list":
        return pa.list_(arrow_type(shape[1]))
    return pa.struct([(key, arrow_type(part)) for key, part in shape[1]])


def column_of(values: Sequence[Any], shape: Shape) -> pa.Array:
    """Return values as an Arrow column of their shape."""
    import pyarrow as pa

    wanted = arrow_type(shape)
    if shape == "text":
        return pa.array([_literal(value) for value in values], wanted)
    if not has_json(shape):
        return pa.array(values, wanted)
    texts = [_encoded(value, shape) for value in values]
    return _marked(pa.array(texts, _storage(wanted)), wanted)


def _literal(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _encoded(value: Any, shape: Shape) -> Any:
    """Return a value with its JSON parts as JSON text."""
    if value is None or isinstance(shape, str):
        return (
            json.dumps(value, ensure_ascii=False)
            if shape == "json" and value is not None
            else value
        )
    if shape[0] == "list":
        return [_encoded(item, shape[1]) for item in value]
    return {key: _encoded(value[key], part) for key, part in shape[1]}


def _storage(dtype: pa.DataType) -> pa.DataType:
    """Return a type with strings in place of JSON."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(dtype, pa.BaseExtensionType):
        return pa.string()
    if t.is_list(dtype):
        return pa.list_(_storage(dtype.value_type))
    if t.is_struct(dtype):
        return pa.struct([(field.name, _storage(field.type)) for field in dtype])
    return dtype


def _marked(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return the same texts as JSON."""
    import pyarrow as pa
    import pyarrow.types as t

    if array.type == wanted:
        return array
    if isinstance(wanted, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(wanted, array)
    if t.is_struct(wanted):
        children = [_marked(array.field(i), wanted.field(i).type) for i in range(wanted.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    values, sizes = values_of(array)
    return list_of(_marked(values, wanted.value_type), sizes, array.is_null(), wanted)
