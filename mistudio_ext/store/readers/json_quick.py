"""Blocks of JSON read by Arrow's reader, several times as fast as Python does.

That reader guesses dates, turns what does not fit into floats, does not tell an absent key from
null and does not look at UTF-8. So its answer is used only where none of that can have happened.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from mistudio_ext.store.readers.json_shapes import DEEPEST, Shape, arrow_type, has_json, joined

if TYPE_CHECKING:
    import pyarrow as pa

#: Arrow's reader crashes on values nested by the thousand, so lines with so many brackets are
#: kept from it.
_MOST_BRACKETS = 500

#: Of a file that begins with null Arrow's reader ends the whole process, and elsewhere it takes
#: null for an object without keys.
_NULL = re.compile(rb"^[ \t\r]*n", re.MULTILINE)

#: From here on floats leave out whole numbers.
_EXACT = float(1 << 53)


def read_quickly(
    raw: bytes, count: int | None, shapes: dict[str, Shape]
) -> tuple[pa.Table, dict[str, Shape]] | None:
    """Return the rows of a block, and the shapes of all columns up to it.

    Parameters
    ----------
    raw
        Documents of JSON, one after the other.
    count
        How many there are; None for one in each line.
    shapes
        Of the columns in the blocks before.

    Returns
    -------
    tuple or None
        None if it is not certain that the rows are what the file says.
    """
    import pyarrow as pa

    if not _is_shallow(raw) or _NULL.search(raw):
        return None
    try:
        raw.decode()
        table = _parsed(raw, _schema(shapes))
    except (UnicodeDecodeError, pa.ArrowException, RecursionError):
        return None
    n_rows = table.num_rows
    if not (_has_lines(raw, n_rows) if count is None else n_rows == count):
        return None
    found = dict(shapes)
    for name, column in zip(table.schema.names, table.columns, strict=True):
        shape = _shape(column.combine_chunks())
        if shape is None:
            return None
        found[name] = joined(shapes.get(name, "null"), shape)
        if not _is_kept(shape, found[name]):
            return None
    return table, found


def _schema(shapes: dict[str, Shape]) -> pa.Schema:
    """Return the types that are known already, so that they are not guessed again."""
    import pyarrow as pa

    known = ((name, arrow_type(shape)) for name, shape in shapes.items())
    return pa.schema([(name, dtype) for name, dtype in known if _is_complete(dtype)])


def _parsed(raw: bytes, known: pa.Schema) -> pa.Table:
    """Return what Arrow's reader makes of JSON, without dates."""
    import pyarrow as pa

    table = _read(raw, known)
    guessed = [field for field in table.schema if _without_dates(field.type) != field.type]
    if not guessed:
        return table
    texts = {field.name: _without_dates(field.type) for field in guessed}
    fields = {field.name: field.type for field in known} | texts
    # Columns that were named in advance come first, so the order of the file is put back.
    return _read(raw, pa.schema(list(fields.items()))).select(table.schema.names)


def _read(raw: bytes, known: pa.Schema) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json as arrow_json

    return arrow_json.read_json(
        pa.BufferReader(raw),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(raw) + 1),
        parse_options=arrow_json.ParseOptions(explicit_schema=known),
    )


def _without_dates(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_temporal(dtype):
        return pa.string()
    if t.is_list(dtype):
        return pa.list_(_without_dates(dtype.value_type))
    if t.is_struct(dtype):
        return pa.struct([(field.name, _without_dates(field.type)) for field in dtype])
    return dtype


def _is_complete(dtype: pa.DataType) -> bool:
    """Return whether Arrow's reader can be told a type: all of it is known, and nothing is JSON."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_null(dtype) or isinstance(dtype, pa.BaseExtensionType):
        return False
    return all(_is_complete(dtype.field(i).type) for i in range(dtype.num_fields))


def _is_shallow(raw: bytes) -> bool:
    """Return whether no line can be nested deeply."""
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets <= raw.count(b"\n") + _MOST_BRACKETS:
        return True
    codes = np.frombuffer(raw, np.uint8)
    places = np.flatnonzero((codes | 0x20) == 0x7B)
    ends = np.append(np.flatnonzero(codes == 0x0A), len(codes))
    return bool(np.diff(np.searchsorted(places, ends), prepend=0).max() <= _MOST_BRACKETS)


def _has_lines(raw: bytes, count: int) -> bool:
    """Return whether so many lines of a block are not empty."""
    if raw.count(b"\n") + (not raw.endswith(b"\n")) == count:
        return True
    return sum(bool(line.strip(b" \t\r")) for line in raw.split(b"\n")) == count


def _shape(array: pa.Array, depth: int = 0) -> Shape | None:
    """Return the shape of what Arrow read; None if it may not be what the file says."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    dtype = array.type
    if t.is_null(dtype):
        return "null"
    if t.is_boolean(dtype):
        return "bool"
    if t.is_string(dtype):
        return "str"
    if t.is_integer(dtype):
        ends = pc.min_max(array).as_py()
        low, high = ends["min"] or 0, ends["max"] or 0
        return "small" if low >= -_EXACT and high <= _EXACT else "int"
    if t.is_floating(dtype):
        largest = pc.max(pc.abs(array)).as_py() or 0.0
        # A whole number among fractions was rounded if it is beyond that.
        return "float" if largest < _EXACT else None
    if depth >= DEEPEST:
        return None
    if t.is_list(dtype):
        items = _shape(array.flatten(), depth + 1)
        return None if items is None else ("list", items)
    return _shape_of_struct(array, depth + 1)


def _shape_of_struct(array: pa.StructArray, depth: int) -> Shape | None:
    """Return the shape of objects whose keys are all there, in an order that does not matter."""
    there = array.filter(array.is_valid()) if array.null_count else array
    fields = []
    for i, field in enumerate(array.type):
        child = there.field(i)
        # Null stands for an absent key too, and Arrow does not keep the order of keys, which
        # chat templates write as it is in the arguments of calls.
        shape = None if child.null_count or field.type.num_fields else _shape(child, depth)
        if shape is None:
            return None
        fields.append((field.name, shape))
    return ("struct", tuple(fields)) if fields else None


def _is_kept(shape: Shape, wider: Shape) -> bool:
    """Return whether values stay what they are in the wider shape of the whole column."""
    if shape == "null":
        return True
    if has_json(wider) or (wider == "text" and shape != "str"):
        return False
    if isinstance(shape, str) or isinstance(wider, str):
        return True
    if shape[0] == "list":
        return _is_kept(shape[1], wider[1])
    return all(_is_kept(a, b) for (_, a), (_, b) in zip(shape[1], wider[1], strict=True))
