"""Cells of Arrow columns as Python values that a page can show, whatever their type."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from mistudio_ext.store import columns as cols

if TYPE_CHECKING:
    import pyarrow as pa


def cells(array: pa.Array) -> list[Any]:
    """Return the cells of a column as Python values.

    Columns of JSON text (``arrow.json``, the ``Json`` type of ``datasets``) come as the values
    that they hold, maps as lists of ``{"key", "value"}``. Bytes, images and audio come as short
    placeholders, and dates that Python has none for as ISO 8601 text.

    Parameters
    ----------
    array
        Any Arrow array; a chunked array too.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return [cell for chunk in array.chunks for cell in cells(chunk)]
    if not _needs_care(array.type):
        return list(array.to_pylist())
    return _cells(array)


def is_json(dtype: pa.DataType) -> bool:
    """Return whether a column of this type holds JSON text that stands for values."""
    return getattr(dtype, "extension_name", "") == "arrow.json"


@lru_cache(maxsize=4096)
def _needs_care(dtype: pa.DataType) -> bool:
    """Return whether ``to_pylist`` gives something else than is wanted, or fails."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(dtype, pa.BaseExtensionType) or t.is_temporal(dtype) or cols.is_binary(dtype):
        return True
    if (
        t.is_dictionary(dtype)
        or t.is_float16(dtype)
        or t.is_map(dtype)
        or t.is_run_end_encoded(dtype)
    ):
        return True
    if t.is_nested(dtype):
        return any(_needs_care(dtype.field(i).type) for i in range(dtype.num_fields))
    return False


def _cells(array: pa.Array) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    dtype = array.type
    if is_json(dtype):
        texts = array.storage.to_pylist()
        return [None if text is None else json.loads(text) for text in texts]
    if dtype == pa.uuid():
        return [None if value is None else str(value) for value in array.to_pylist()]
    if isinstance(dtype, pa.BaseExtensionType):
        return cells(array.storage)
    if t.is_dictionary(dtype):
        return cells(array.dictionary_decode())
    if t.is_run_end_encoded(dtype):
        return cells(pc.run_end_decode(array))
    if cols.is_binary(dtype):
        return _sizes(array)
    if t.is_float16(dtype):
        return list(array.cast(pa.float32()).to_pylist())
    if t.is_temporal(dtype):
        return _times(array)
    if t.is_struct(dtype):
        return _structs(array)
    if t.is_nested(dtype) and not t.is_union(dtype):
        return _lists(array)
    return list(array.to_pylist())


def _sizes(array: pa.Array) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_binary_view(array.type):
        array = array.cast(pa.large_binary())
    return [None if n is None else f"<{n:,} bytes>" for n in pc.binary_length(array).to_pylist()]


def _times(array: pa.Array) -> list[Any]:
    """Return dates and times; as text where Python has no such date, or counts less finely."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_interval(array.type):
        return [None if value is None else str(value) for value in array.to_pylist()]
    if getattr(array.type, "unit", None) != "ns":
        try:
            return list(array.to_pylist())
        except (OverflowError, ValueError, pa.ArrowException):
            pass
    return [_time(cell) for cell in array]


def _time(cell: pa.Scalar) -> Any:
    import pyarrow as pa
    import pyarrow.types as t

    dtype = cell.type
    unit = getattr(dtype, "unit", "ms" if t.is_date64(dtype) else "day")
    if cell.is_valid and unit != "ns":
        try:
            return cell.as_py()
        except (OverflowError, ValueError, pa.ArrowException):
            pass
    if not cell.is_valid:
        return None
    count = int(cell.value)
    if t.is_duration(dtype):
        return f"{count} {unit}"
    return _iso(count, unit, date=not t.is_time(dtype), zone=bool(getattr(dtype, "tz", None)))


def _iso(count: int, unit: str, *, date: bool, zone: bool) -> str:
    """Return a time since 1970 (or midnight) in ISO 8601, for any year; zoned ones in UTC."""
    if unit == "day":
        return _civil(count)
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    seconds, fraction = divmod(count, 10**digits)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock += f".{fraction:0{digits}}" if fraction else ""
    return (f"{_civil(days)}T{clock}" if date else clock) + ("+00:00" if zone else "")


def _civil(days: int) -> str:
    """Return the date so many days after 1970-01-01 (H. Hinnant, chrono-compatible dates)."""
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return f"{year + era * 400 + (month <= 2):04}-{month:02}-{day:02}"


def _structs(array: pa.StructArray) -> list[Any]:
    import pyarrow.compute as pc

    index = cols.media_field(array.type)
    if index is not None:
        return _sizes(pc.struct_field(array, [index]))
    names = [array.type.field(i).name for i in range(array.type.num_fields)]
    if not names:
        return list(array.to_pylist())
    # What stands behind a null is anything, so it takes the null of the struct.
    columns = [cells(pc.struct_field(array, [i])) for i in range(len(names))]
    valid = array.is_valid().to_pylist()
    rows = zip(valid, *columns, strict=True)
    return [dict(zip(names, row, strict=True)) if there else None for there, *row in rows]


def _lists(array: pa.Array) -> list[Any]:
    import pyarrow.compute as pc
    import pyarrow.types as t

    valid = array.is_valid().to_pylist()
    if t.is_map(array.type):
        keys, items = cells(array.keys), cells(array.items)
        pairs = [{"key": key, "value": value} for key, value in zip(keys, items, strict=True)]
        ends = array.offsets.to_pylist()
        return [pairs[ends[i] : ends[i + 1]] if there else None for i, there in enumerate(valid)]
    values = iter(cells(array.flatten()))
    sizes = pc.list_value_length(array).to_pylist()
    rows = zip(valid, sizes, strict=True)
    return [list(islice(values, size)) if there else None for there, size in rows]
