"""Rows that were imported, read back by ``datasets``, are those that were written."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.store.arrow import open_split
from tests.store.readers.test_json import as_imported, drawn_rows, drawn_value, same

Import = Callable[..., dict[str, Any]]
Rows = list[dict[str, Any]]


def read_back(data_dir: Path) -> Rows:
    from datasets import load_from_disk

    return list(load_from_disk(str(data_dir / "datasets/ds_1"))["train"])


def stored(data_dir: Path) -> Rows:
    return open_split(data_dir / "datasets/ds_1", "train").rows(0, 10_000)


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def close(first: Any, second: Any) -> bool:
    """Compare as :func:`same`; what ``datasets`` parses of JSON columns loses some digits."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(close(first[k], second[k]) for k in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(close, first, second))
    if isinstance(first, float) or isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-9)
    return same(first, second)


def small(value: Any) -> bool:
    """Return whether no integer is too large for what ``datasets`` parses JSON with."""
    if isinstance(value, dict):
        return all(map(small, value.values()))
    if isinstance(value, list):
        return all(map(small, value))
    return not isinstance(value, int) or -(2**63) <= value < 2**64


@pytest.mark.parametrize("seed", range(25))
def test_drawn_lines_are_read_back(
    seed: int, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    rows = [{"text": "first"}, *drawn_rows(5000 + seed)]
    wanted = as_imported(rows)
    import_dataset(write(tmp_path / "a.jsonl", rows), text_column="text")
    found = stored(data_dir)
    assert len(found) == len(wanted)
    assert all(same(here, there) for here, there in zip(found, wanted, strict=True))
    if small(rows):
        for here, there in zip(read_back(data_dir), wanted, strict=True):
            assert close(here, there)


@pytest.mark.parametrize("seed", range(15))
def test_drawn_parquet_files_are_read_back(
    seed: int, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """The oracle is pyarrow's own reader."""
    dice = random.Random(seed)
    kinds = dice.choices(["text", "int", "float", "flag", "list", "object", "turns"], k=4)
    n_rows = dice.choice([1, 30, 2500])
    table = pa.table(
        {
            "text": [f"row {i}" for i in range(n_rows)],
            **{
                f"c{i}": [drawn_value(dice, kind) for _ in range(n_rows)]
                for i, kind in enumerate(kinds)
                if kind != "list"
            },
            "tags": pa.array([["a", None], None, []] * n_rows)[:n_rows],
        }
    )
    folder = tmp_path / "in"
    folder.mkdir()
    cut = dice.randint(0, n_rows)
    for i, part in enumerate((table.slice(0, cut), table.slice(0, 0), table.slice(cut))):
        pq.write_table(part, folder / f"part-{i}.parquet", row_group_size=dice.choice([1, 700]))
    import_dataset(folder, text_column="text")
    assert stored(data_dir) == table.to_pylist()[:10_000]
    assert read_back(data_dir) == table.to_pylist()


LATE: dict[str, tuple[list[Any], list[Any], list[Any], str]] = {
    "null, then text": ([None] * 3, ["x"], [None] * 3 + ["x"], "string"),
    "whole, then fractions": ([1, 2], [0.5], [1.0, 2.0, 0.5], "double"),
    "exact, then fractions": ([2**53 + 1], [0.5], ["9007199254740993", "0.5"], "string"),
    "fractions, then exact": (
        [0.5, 1.0],
        [2**53 + 1],
        ["0.5", "1.0", "9007199254740993"],
        "string",
    ),
    "whole, then huge": ([1], [2**64], ["1", "18446744073709551616"], "string"),
    "flags, then numbers": ([True], [0], ["true", "0"], "string"),
    "fractions, then text": ([1e-12, 1e22], ["x"], ["1e-12", "1e+22", "x"], "string"),
    "text, then lists": (["[1]"], [[1]], ["[1]", [1]], "json"),
    "other keys": ([{"a": 1}], [{"b": "x"}], [{"a": 1}, {"b": "x"}], "json"),
    "other values": ([{"a": 1}], [{"a": "x"}], [{"a": 1}, {"a": "x"}], "struct<a: json>"),
    "other items": ([[1]], [["x"], [None]], [[1], ["x"], [None]], "list<json>"),
    "exact items": ([[2**53 + 1]], [[0.5]], [[2**53 + 1], [0.5]], "json"),
}


@pytest.mark.parametrize("case", LATE)
def test_types_that_come_late_change_no_value(
    case: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """In a later file, behind what is written already."""
    first, second, wanted, dtype = LATE[case]
    for name, values in (("0", first), ("1", second)):
        write(tmp_path / f"in/{name}.jsonl", [{"text": "a", "v": value} for value in values])
    result = import_dataset(tmp_path / "in", text_column="text")
    assert [row["v"] for row in stored(data_dir)] == wanted
    assert [row["v"] for row in read_back(data_dir)] == wanted
    assert result["columns"][1] == {"name": "v", "dtype": dtype}


def test_types_that_come_late_in_one_large_file(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    rows = [{"text": "p" * 900, "v": None, "w": i, "x": 2**60} for i in range(12_000)]
    import_dataset(
        write(tmp_path / "a.jsonl", [*rows, {"text": "z", "v": "late", "w": 0.5, "x": 0.5}])
    )
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert split.n_rows == 12_001
    first, last = split.take([0, 12_000], ["v", "w", "x"])
    assert first == {"v": None, "w": 0.0, "x": str(2**60)}
    assert last == {"v": "late", "w": 0.5, "x": "0.5"}


def test_invalid_utf8_never_gets_into_the_data_folder(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """From files and from datasets that were saved."""
    from datasets import Dataset

    bad = pa.array([b"ok", b"caf\xe9"]).cast(pa.string(), safe=False)
    Dataset(pa.table({"text": bad})).save_to_disk(str(tmp_path / "saved"))
    pq.write_table(pa.table({"text": bad}), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_bytes(b'[{"text": "ok"}, {"text": "caf\xe9"}]')
    for i, name in enumerate(("saved", "a.parquet", "a.json")):
        with pytest.raises(ValueError, match="UTF-8"):
            import_dataset(tmp_path / name)
        place = tmp_path / f"data-{i}"
        place.mkdir()
        result = import_dataset(tmp_path / name, data_dir=place, options={"bad_rows": "keep"})
        assert result["bad_rows"][0]["count"] == 1
        assert [row["text"] for row in read_back(place)] == ["ok", "caf\ufffd"]


def test_maps_and_far_dates_need_no_care(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    table = pa.table(
        {
            "text": ["a"],
            "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "when": pa.array([300_000_000_000], pa.timestamp("s")),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    result = import_dataset(tmp_path / "a.parquet", columns=["text"])
    assert result["columns"] == [{"name": "text", "dtype": "string"}]
    other = tmp_path / "other"
    other.mkdir()
    import_dataset(tmp_path / "a.parquet", data_dir=other)
    assert stored(other) == [
        {"text": "a", "m": [{"key": "k", "value": 1}], "when": "11476-08-15T05:20:00"}
    ]
