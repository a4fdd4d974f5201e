"""Pages of samples."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store import samples
from mistudio_ext.store.columns import as_text, detect_text_column
from mistudio_ext.store.tokens import Tokenization

TEXTS = ["The Cat sat.", "A dog.", "cat and CAT", "", "İstanbul 🙂 cat"]


def save(path: Path, rows: list[dict[str, Any]], split: str = "train") -> Path:
    table = pa.Table.from_pylist(rows)
    (path / split).mkdir(parents=True)
    with pa.ipc.new_stream(str(path / split / "data.arrow"), table.schema) as stream:
        stream.write_table(table, max_chunksize=2)
    return path


def tokenization(path: Path, lengths: list[int], rows: list[int], split: str = "train") -> Path:
    path.mkdir()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    np.save(path / "tokens.npy", np.arange(offsets[-1], dtype=np.uint16) % 7)
    np.save(path / "offsets.npy", offsets)
    np.save(path / "rows.npy", np.array(rows, np.int64))
    np.save(path / "starts.npy", np.zeros(len(rows), np.int32))
    manifest = {"dataset": {"split": split}, "tokenizer": {"vocab_size": 7}}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    save(tmp_path / "ds", [{"text": text, "n": i} for i, text in enumerate(TEXTS)])
    return save(tmp_path / "ds", [{"text": "Only cat.", "n": 9}], "test")


def shown(found: dict[str, Any]) -> list[tuple[str, int]]:
    return [(sample["split"], sample["index"]) for sample in found["samples"]]


def test_a_page_of_one_split_and_of_all(dataset: Path) -> None:
    one = samples.page(dataset, "train", "text", 1, 2)
    assert (one["total"], one["offset"]) == (5, 1)
    assert one["samples"][0] == {
        "index": 1,
        "split": "train",
        "text": "A dog.",
        "n_tokens": None,
        "highlights": [],
    }
    every = samples.page(dataset, None, "text", 4, 10)
    assert every["total"] == 6
    assert shown(every) == [("train", 4), ("test", 0)]


def test_search_marks_each_match(dataset: Path) -> None:
    found = samples.page(dataset, None, "text", q="CAT")
    assert shown(found) == [("train", 0), ("train", 2), ("train", 4), ("test", 0)]
    assert found["total"] == 4
    for sample in found["samples"]:
        assert sample["highlights"]
        for start, end in sample["highlights"]:
            assert sample["text"][start:end].lower() == "cat"
    assert samples.page(dataset, "train", "text", q="  ")["total"] == 5
    with pytest.raises(InvalidInputError) as caught:
        samples.page(dataset, "train", "text", q="(")
    assert (caught.value.code, caught.value.field) == ("bad_query", "q")


def test_further_columns(dataset: Path) -> None:
    found = samples.page(dataset, "test", "text", columns=["n"])
    assert found["samples"][0]["columns"] == {"n": 9}


def test_columns_of_all_kinds_are_json(tmp_path: Path) -> None:
    day = dt.date(2026, 1, 2)
    row = {"text": "x", "d": day, "b": b"123", "n": float("nan"), "l": [{"b": b"1", "x": 1.5}]}
    dataset = save(tmp_path / "kinds", [row])
    found = samples.page(dataset, None, "text", columns=["d", "b", "n", "l"])
    shown = json.loads(json.dumps(found, allow_nan=False))["samples"][0]["columns"]
    assert shown == {
        "d": "2026-01-02",
        "b": "<3 bytes>",
        "n": "nan",
        "l": [{"b": "<1 bytes>", "x": 1.5}],
    }


def test_lengths_filter_and_are_shown(dataset: Path, tmp_path: Path) -> None:
    folder = tokenization(tmp_path / "tok", [3, 2, 5, 1], [0, 1, 2, 2])
    found = samples.page(dataset, "train", "text", tokenization=folder)
    assert [sample["n_tokens"] for sample in found["samples"]] == [3, 2, 6, 0, 0]
    some = samples.page(dataset, "train", "text", tokenization=folder, min_tokens=3, max_tokens=5)
    assert shown(some) == [("train", 0)]
    both = samples.page(dataset, "train", "text", q="cat", tokenization=folder, min_tokens=4)
    assert shown(both) == [("train", 2)]
    with pytest.raises(InvalidInputError) as caught:
        samples.page(dataset, "train", "text", min_tokens=3)
    assert caught.value.code == "not_tokenized"


def test_turns_and_ids(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yes"}]
    chat = save(tmp_path / "chat", [{"messages": turns}])
    sample = samples.page(chat, None, "messages", q="yes")["samples"][0]
    assert sample["text"] == "user: Hi <b>\nassistant: Yes"
    assert sample["turns"] == turns
    assert sample["highlights"] == [[24, 27]]
    ids = save(tmp_path / "ids", [{"input_ids": [4, 5, 6]}, {"input_ids": [7]}])
    found = samples.page(ids, None, None, min_tokens=2)
    assert found["samples"][0]["text"] == "4 5 6"
    assert (found["total"], found["samples"][0]["n_tokens"]) == (1, 3)


@pytest.mark.parametrize(("offset", "limit"), [(-1, 5), (0, -1), (0, 100_000)])
def test_pages_that_cannot_be(offset: int, limit: int, dataset: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        samples.page(dataset, "train", "text", offset, limit)
    assert caught.value.code == "bad_page"


def test_missing_column_split_and_tokenization(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="text, n"):
        samples.page(dataset, "train", "body")
    with pytest.raises(NotFoundError):
        samples.page(dataset, "dev", "text")
    with pytest.raises(NotFoundError):
        samples.page(dataset, "train", "text", tokenization=tmp_path / "nothing")


def test_a_tokenization_knows_its_samples(tmp_path: Path) -> None:
    found = Tokenization(tokenization(tmp_path / "tok", [3, 4], [0, 2]))
    assert (len(found), found.n_tokens, found.packed) == (2, 7, False)
    assert found.lengths.tolist() == [3, 4]
    assert found.sample(1).tolist() == [3, 4, 5, 6]
    assert found.row_lengths.tolist() == [3, 0, 4]
    assert found.counts().tolist() == [1] * 7
    with pytest.raises(NotFoundError):
        found.sample(2)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"title": "a", "Text": "b"}, "Text"),
        ({"prompt": "a", "messages": [{"role": "u", "content": "c"}]}, "messages"),
        ({"a": "short", "b": "rather longer"}, "b"),
        ({"input_ids": [1], "label": "x"}, None),
        ({"n": 1}, None),
    ],
)
def test_the_text_column_is_found(row: dict[str, Any], expected: str | None) -> None:
    assert detect_text_column(pa.Table.from_pylist([row]).schema, [row]) == expected


def test_cells_as_text() -> None:
    assert as_text(None) == ""
    assert as_text([{"from": "human", "value": "hi"}]) == "human: hi"
    assert as_text({"role": ["a"], "content": ["b"]}) == "a: b"
    parts = [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image"}]}]
    assert as_text(parts) == "user: see\n[image]"
    assert as_text({"x": "é"}) == '{"x": "é"}'


def test_a_sequence_of_tokens_is_found(tmp_path: Path) -> None:
    found = Tokenization(tokenization(tmp_path / "tok", [10, 4, 9], [0, 1, 2]))
    tokens = found.tokens.tolist()
    for wanted in ([3], [5, 6, 0], [6, 0], [2, 3, 4, 5], [3, 3]):
        expected = [
            at
            for begin, end in pairwise(found.offsets.tolist())
            for at in range(begin, end)
            if tokens[at:end][: len(wanted)] == wanted
        ]
        assert found.find(wanted).tolist() == expected
    assert found.locate(found.find([3])).tolist() == [0, 1, 2]
    with pytest.raises(InvalidInputError):
        found.find([])


def test_rows_by_the_values_of_columns(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": f"row {i}", "language": ("en", "de", None)[i % 3], "n": i, "odd": bool(i % 2)}
        for i in range(12)
    ]
    dataset = save(tmp_path / "ds", [{**row, "tags": [1]} for row in rows])

    def found(*where: tuple[str, str], **more: Any) -> list[int]:
        page = samples.page(dataset, "train", more.pop("column", "text"), where=where, **more)
        assert page["total"] == len(page["samples"])
        return [sample["index"] for sample in page["samples"]]

    assert found(("language", "de")) == [1, 4, 7, 10]
    assert found(("language", "de"), ("odd", "true")) == [1, 7]
    assert found(("n", "7")) == found(("n", "7"), q="row") == [7]
    assert found(("n", "7"), q="rows") == found(("language", "fr")) == []
    assert found(("odd", "false"), column="language", q="DE") == [4, 10]
    for column, value, code in [
        ("n", "seven", "bad_filter"),
        ("tags", "1", "bad_filter"),
        ("none", "1", "no_such_column"),
    ]:
        with pytest.raises(InvalidInputError) as caught:
            found((column, value))
        assert caught.value.code == code
