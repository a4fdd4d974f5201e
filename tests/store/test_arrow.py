"""Rows of a split, memory-mapped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store.arrow import Split, forget, open_split, split_names

ROWS = [{"text": f"row {i}", "n": i} for i in range(2345)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    import datasets

    rows = datasets.Dataset.from_list(ROWS)
    whole = datasets.DatasetDict({"validation": rows.select(range(10)), "train": rows})
    whole.save_to_disk(str(tmp_path / "ds"), num_shards={"train": 4, "validation": 1})
    return tmp_path / "ds"


def test_rows_across_files_and_batches(dataset: Path) -> None:
    split = open_split(dataset, "train")
    assert len(split) == len(ROWS)
    assert split.column_names == ["text", "n"]
    assert split.rows(0, 5000) == ROWS
    assert split.rows(580, 20) == ROWS[580:600]
    assert split.rows(2340, 50, ["n"]) == [{"n": n} for n in range(2340, 2345)]
    assert split.rows(9999, 5) == []
    assert split.take([2344, 0, 587]) == [ROWS[2344], ROWS[0], ROWS[587]]
    with pytest.raises(NotFoundError, match="no row 2345"):
        split.take([2345])


def test_batches_know_their_first_row(dataset: Path) -> None:
    split = open_split(dataset, "train")
    seen = 0
    for first, batch in split.iter_batches(["n"], 100, 2000):
        assert batch.column(0).to_pylist() == list(range(first, first + batch.num_rows))
        assert first == 100 + seen
        seen += batch.num_rows
    assert seen == 1900


def test_splits_in_the_order_of_the_dataset(dataset: Path) -> None:
    assert split_names(dataset) == ["validation", "train"]
    (dataset / "dataset_dict.json").unlink()
    assert split_names(dataset) == ["train", "validation"]


@pytest.mark.parametrize("name", ["test", "", "..", "train/../train"])
def test_a_split_that_is_not_there(name: str, dataset: Path) -> None:
    with pytest.raises(NotFoundError, match="validation, train") as caught:
        open_split(dataset, name)
    assert (caught.value.code, caught.value.field) == ("no_such_split", "split")


def test_a_column_that_is_not_there(dataset: Path) -> None:
    with pytest.raises(InvalidInputError, match="text, n") as caught:
        open_split(dataset, "train").rows(0, 1, ["body"])
    assert caught.value.code == "no_such_column"


def test_opened_splits_are_kept_until_forgotten(dataset: Path) -> None:
    first = open_split(dataset, "train")
    assert open_split(dataset, "train") is first
    forget(dataset)
    assert open_split(dataset, "train") is not first


def test_a_damaged_file_is_named(dataset: Path) -> None:
    path = next((dataset / "validation").glob("*.arrow"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InvalidInputError, match=path.name):
        open_split(dataset, "validation")


def test_bytes_are_shown_as_their_size(tmp_path: Path) -> None:
    media = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "raw": pa.array([b"12345", None], pa.binary()),
            "image": pa.array([{"bytes": b"x" * 2000, "path": "a.png"}, None], media),
        }
    )
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    assert Split(tmp_path).rows() == [
        {"raw": "<5 bytes>", "image": "<2,000 bytes>"},
        {"raw": None, "image": None},
    ]


def test_the_store_needs_no_heavy_library(dataset: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from mistudio_ext.store import samples
assert "pyarrow" not in sys.modules
found = samples.page(Path({str(dataset)!r}), None, "text", 0, 3, q="ROW")
assert found["total"] == 2355, found
heavy = {{"torch", "transformers", "datasets", "pandas"}} & set(sys.modules)
assert not heavy, heavy
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_a_state_that_cannot_be_read_falls_back_to_the_names(dataset: Path) -> None:
    (dataset / "train/state.json").write_text(json.dumps({"_data_files": [{"name": 1}]}))
    assert len(open_split(dataset, "train")) == len(ROWS)
