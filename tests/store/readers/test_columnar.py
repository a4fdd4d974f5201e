"""Parquet and Arrow files, whatever types they have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.cells import cells
from mistudio_ext.store.columns import as_json
from mistudio_ext.store.detect import detect
from mistudio_ext.store.readers import BadRows, Content, Settings, columnar
from mistudio_ext.store.readers.arrow_types import plain

Rows = list[dict[str, Any]]
FAR = 300_000_000_000

#: Name -> (column, what a page shows of it).
COLUMNS: dict[str, tuple[Callable[[], pa.Array], list[Any]]] = {
    "far dates": (
        lambda: pa.array([FAR, 0, None], pa.timestamp("s")),
        ["11476-08-15T05:20:00", "1970-01-01T00:00:00", None],
    ),
    "dates before all": (
        lambda: pa.array([-(10**12), 2**62], pa.timestamp("s")),
        ["-29719-04-05T22:13:20", "146138514283-06-19T07:45:04"],
    ),
    "far days": (lambda: pa.array([10**7, 1], pa.date32()), ["29349-01-26", "1970-01-02"]),
    "nanoseconds": (
        lambda: pa.array([1, None], pa.timestamp("ns", "UTC")),
        ["1970-01-01T00:00:00.000000001+00:00", None],
    ),
    "time zones": (
        lambda: pa.array([1], pa.timestamp("us", "Europe/Paris")),
        ["1970-01-01T01:00:00.000001+01:00"],
    ),
    "a zone that is none": (
        lambda: pa.array([1], pa.timestamp("s", "Nowhere/X")),
        ["1970-01-01T00:00:01+00:00"],
    ),
    "times": (lambda: pa.array([1, None], pa.time64("ns")), ["00:00:00.000000001", None]),
    "durations": (lambda: pa.array([5, None], pa.duration("ns")), ["5 ns", None]),
    "far dates in lists": (
        lambda: pa.array([[FAR], None, []], pa.list_(pa.timestamp("s"))),
        [["11476-08-15T05:20:00"], None, []],
    ),
    "far dates in structs": (
        lambda: pa.array([{"a": FAR}, None], pa.struct([("a", pa.timestamp("s"))])),
        [{"a": "11476-08-15T05:20:00"}, None],
    ),
    "numbers that are none": (
        lambda: pa.array([1.5, float("nan"), float("-inf")]),
        [1.5, "nan", "-inf"],
    ),
    "half floats": (lambda: pa.array([1.5, float("nan")], pa.float16()), [1.5, "nan"]),
    "decimals": (lambda: pa.array(["1.50"]).cast(pa.decimal128(5, 2)), ["1.50"]),
    "bytes": (lambda: pa.array([b"abc", None]), ["<3 bytes>", None]),
    "bytes in lists": (lambda: pa.array([[b"abc"], None]), [["<3 bytes>"], None]),
    "maps": (
        lambda: pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        [[{"key": "k", "value": 1}], None, []],
    ),
    "maps in lists": (
        lambda: pa.array([[[("k", 1)], []], None], pa.list_(pa.map_(pa.string(), pa.int64()))),
        [[[{"key": "k", "value": 1}], []], None],
    ),
    "maps in structs": (
        lambda: pa.array(
            [{"m": [("k", 1)]}, None], pa.struct([("m", pa.map_(pa.string(), pa.int64()))])
        ),
        [{"m": [{"key": "k", "value": 1}]}, None],
    ),
    "dictionaries": (lambda: pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", None]),
    "dictionaries in lists": (
        lambda: pa.ListArray.from_arrays(
            pa.array([0, 1, 3]), pa.array(["a", "b", "a"]).dictionary_encode()
        ),
        [["a"], ["b", "a"]],
    ),
    "views": (lambda: pa.array(["a", None], pa.string_view()), ["a", None]),
    "views of lists": (
        lambda: pa.array([[1, 2], None, [3]], pa.list_view(pa.int8())),
        [[1, 2], None, [3]],
    ),
    "large texts": (lambda: pa.array(["a", None], pa.large_string()), ["a", None]),
    "large lists": (
        lambda: pa.array([["a"], None], pa.large_list(pa.large_string())),
        [["a"], None],
    ),
    "runs": (
        lambda: pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), ["x", "y"]),
        ["x", "y", "y"],
    ),
    "no values": (lambda: pa.nulls(2), [None, None]),
    "lists of a size": (
        lambda: pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
        [[1, 2], None, [3, 4]],
    ),
    "unions": (
        lambda: pa.UnionArray.from_sparse(
            pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]
        ),
        [1, "y"],
    ),
    "UUIDs": (
        lambda: pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16))),
        ["30303030-3030-3030-3030-303030303030"],
    ),
    "JSON": (
        lambda: pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": [1e-12]}', None])),
        [{"a": [1e-12]}, None],
    ),
    "tensors": (
        lambda: pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int8(), [2, 2]),
            pa.array([[1, 2, 3, 4]], pa.list_(pa.int8(), 4)),
        ),
        [[1, 2, 3, 4]],
    ),
    "64 bits without a sign": (lambda: pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_all_types_are_stored_and_shown(name: str) -> None:
    """In types that ``datasets`` knows, sliced or not, and as JSON on a page."""
    from datasets import Features

    make, shown = COLUMNS[name]
    for array, wanted in ((make(), shown), (make().slice(1), shown[1:])):
        assert as_json(cells(array)) == wanted
        table = plain(pa.table({"v": array}))
        table.validate(full=True)
        Features.from_arrow_schema(table.schema)
        found = as_json(cells(table.column("v")))
        assert found == wanted
        json.dumps(found, allow_nan=False)


def rows_of(path: Path, bad_rows: str = "stop") -> tuple[Rows, BadRows]:
    broken = BadRows(bad_rows, path.name)
    tables = columnar.tables(Content(path, path.name), Settings(), broken)
    return [row for table in tables for row in table.to_pylist()], broken


def not_utf8() -> pa.Array:
    return pa.array([b"ok", b"caf\xe9", b"x"]).cast(pa.string(), safe=False)


@pytest.mark.parametrize(
    "column",
    [
        not_utf8,
        lambda: pa.ListArray.from_arrays(pa.array([0, 1, 2, 3]), not_utf8()),
        lambda: pa.StructArray.from_arrays([not_utf8()], names=["a"]),
        lambda: not_utf8().dictionary_encode(),
    ],
    ids=["text", "list", "struct", "dictionary"],
)
@pytest.mark.parametrize("form", ["parquet", "stream", "file"])
def test_bytes_that_are_not_utf8_are_found(
    column: Callable[[], pa.Array], form: str, tmp_path: Path
) -> None:
    """Neither format checks them, and no reader does."""
    table = pa.table({"n": [0, 1, 2], "text": column()})
    path = tmp_path / "a"
    if form == "parquet":
        pq.write_table(table, path)
    else:
        make = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
        with make(str(path), table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(MiStudioError, match="row 1 cannot be read: its column 'text'"):
        rows_of(path)
    rows, broken = rows_of(path, "skip")
    assert [row["n"] for row in rows] == [0, 2]
    assert "rows 1" in broken.sentence()
    rows, _ = rows_of(path, "keep")
    assert "caf\ufffd" in str(rows[1]["text"])


def test_files_are_told_apart_by_their_content(tmp_path: Path) -> None:
    """The look before the import reads what the import reads."""
    table = pa.table({"text": ["a", "b"] * 1500})
    pq.write_table(table, tmp_path / "a.parquet")
    for name, make in (("stream.arrow", pa.ipc.new_stream), ("file.arrow", pa.ipc.new_file)):
        with make(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    for path in sorted(tmp_path.iterdir()):
        rows, _ = rows_of(path)
        assert rows == table.to_pylist()
        found = detect(path)
        assert found["columns"] == [{"name": "text", "kind": "text"}]
        assert found["preview"][0] == {"text": "a"}


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    table = pa.table({"text": [str(i) for i in range(5000)]})
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    path.write_bytes(path.read_bytes()[:-100])
    for look in (rows_of, detect):
        with pytest.raises(MiStudioError, match=name) as caught:
            look(path)
        assert caught.value.code == "broken_file"


def test_old_timestamps_keep_years_that_nanoseconds_end_before(tmp_path: Path) -> None:
    when = pa.array([32503680000], pa.timestamp("s"))  # The year 3000.
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"when": when}), path, use_deprecated_int96_timestamps=True)
    rows, _ = rows_of(path)
    assert str(rows[0]["when"]) == "3000-01-01 00:00:00"


def test_time_grows_with_the_columns_not_with_their_square(tmp_path: Path) -> None:
    """What is done for each column is counted; a clock would measure the machine."""
    from mistudio_ext.store.readers import arrow_types

    pa_table = pa.table({f"c{i}": ["x"] for i in range(3000)})
    pq.write_table(pa_table, tmp_path / "a.parquet")
    arrow_types._stored.cache_clear()
    (table,) = columnar.tables(
        Content(tmp_path / "a.parquet", "a.parquet"), Settings(), BadRows("stop", "a")
    )
    assert table.num_columns == 3000
    info = arrow_types._stored.cache_info()
    assert info.hits + info.misses == 3000
