"""What a file is, seen from its beginning."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.detect import PROBE_BYTES, detect

LINES = "".join(json.dumps({"id": i, "text": f"Text {i}"}) + "\n" for i in range(50))
CSV = "id;story;year\n" + "".join(f'{i};"Once, there; was {i} of them";19{i}\n' for i in range(30))

CASES: dict[str, tuple[str, bytes, dict[str, Any]]] = {
    "jsonl": ("a.jsonl", LINES.encode(), {"format": "json", "encoding": "utf-8"}),
    "gz": ("a.jsonl.gz", gzip.compress(LINES.encode()), {"format": "json", "encoding": "utf-8"}),
    "no name": ("upload", LINES.encode(), {"format": "json", "encoding": "utf-8"}),
    "utf-16": ("a.jsonl", LINES.encode("utf-16"), {"format": "json", "encoding": "utf-16"}),
    "an array": (
        "a.json",
        json.dumps([{"text": "x"}, {"text": "y"}], indent=1).encode(),
        {"format": "json", "encoding": "utf-8"},
    ),
    "csv": (
        "a.csv",
        CSV.encode(),
        {"format": "csv", "encoding": "utf-8", "delimiter": ";", "header": True},
    ),
    "csv from Excel": (
        "a.csv",
        CSV.replace("Once", "Élan").encode("cp1252"),
        {"format": "csv", "encoding": "cp1252", "delimiter": ";", "header": True},
    ),
    "csv without header": (
        "a.csv",
        b"1,A long sentence about it.\n2,Another one of them.\n",
        {"format": "csv", "encoding": "utf-8", "delimiter": ",", "header": False},
    ),
    "tsv": (
        "a.tsv",
        b"text\tn\nhello, you\t1\n",
        {"format": "csv", "encoding": "utf-8", "delimiter": "\t", "header": True},
    ),
    "txt": ("a.txt", b"One line.\nAnother.\n", {"format": "text", "encoding": "utf-8"}),
}
TEXT = {"csv": "story", "csv from Excel": "story", "csv without header": "column_1"}


@pytest.mark.parametrize("case", CASES)
def test_files_are_what_they_are(case: str, tmp_path: Path) -> None:
    name, content, options = CASES[case]
    (tmp_path / name).write_bytes(content)
    found = detect(tmp_path / name)
    assert found["options"] == options
    assert found["text_column"] == TEXT.get(case, "text")
    assert found["problems"] == []
    assert found["preview"]
    assert found["bytes"] == len(content)
    assert found["compression"] == ("gz" if case == "gz" else None)


def test_columns_are_described(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    assert detect(tmp_path / "a.csv")["columns"] == [
        {"name": "id", "kind": "number"},
        {"name": "story", "kind": "text"},
        {"name": "year", "kind": "number"},
    ]
    turns = {"messages": [{"role": "user", "content": "x" * 400}], "n": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(turns))
    found = detect(tmp_path / "a.jsonl")
    assert [column["kind"] for column in found["columns"]] == ["chat", "number"]
    assert found["text_column"] == "messages"
    assert len(found["preview"][0]["messages"]) == 300


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table = pa.table({"body": ["a", "b"], "raw": pa.array([b"123", None])})
    pq.write_table(table, tmp_path / "upload")
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as stream:
        stream.write_table(table)
    for name in ("upload", "a.arrow"):
        found = detect(tmp_path / name)
        assert found["text_column"] == "body"
        assert found["preview"][0] == {"body": "a", "raw": "<3 bytes>"}


def test_broken_rows_are_listed_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{bad\n[1]\n{"text": "y"}\n')
    assert [p["line"] for p in detect(tmp_path / "a.jsonl")["problems"]] == [2, 3]
    (tmp_path / "a.csv").write_text("text,n\na,1\nb,2,3\nc,4\n")
    (problem,) = detect(tmp_path / "a.csv")["problems"]
    assert problem == {"line": 3, "message": "3 values instead of 2"}


def test_only_the_beginning_of_a_large_file_is_read(tmp_path: Path) -> None:
    row = json.dumps({"text": "x" * 1000}) + "\n"
    (tmp_path / "a.jsonl").write_text(row * (3 * PROBE_BYTES // len(row)))
    found = detect(tmp_path / "a.jsonl")
    assert (found["text_column"], found["problems"]) == ("text", [])


def test_what_is_said_is_not_guessed(tmp_path: Path) -> None:
    """The delimiter that a person names gives other columns; so do encoding and header."""
    path = tmp_path / "a.csv"
    path.write_bytes(
        "a,b|text\n1,2|Gr\xfc\xdfe von hier, sagt sie\n3,4|noch, eine, Zeile\n".encode("cp1252")
    )
    assert len(detect(path)["columns"]) == 2
    said = detect(path, given={"delimiter": ","})
    assert [column["name"] for column in said["columns"]] == ["a", "b|text"]
    assert said["options"]["delimiter"] == ","
    assert [problem["line"] for problem in said["problems"]] == [2, 3]
    nameless = detect(path, given={"header": False, "delimiter": "|"})
    assert [column["name"] for column in nameless["columns"]] == ["column_0", "column_1"]
    assert nameless["preview"][0]["column_1"] == "text"
    assert nameless["options"]["header"] is False
    assert detect(path, given={"encoding": "CP1252"})["preview"][0]["text"].startswith(
        "Gr\xfc\xdfe"
    )
    assert "\ufffd" in detect(path, given={"encoding": "utf8"})["preview"][0]["text"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": 8}, "encoding"),
        ({"encoding": "hex"}, "encoding"),
        ({"encoding": "idna"}, "encoding"),
        ({"encoding": "undefined"}, "encoding"),
        ({"encoding": "utf-8\0"}, "encoding"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": 8}, "delimiter"),
        ({"delimiter": "\n"}, "delimiter"),
    ],
)
def test_what_cannot_be_said(given: dict[str, Any], field: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    with pytest.raises(MiStudioError) as caught:
        detect(tmp_path / "a.csv", given=given)
    assert (caught.value.code, caught.value.field) == ("bad_option", field)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.jsonl", b"", "empty_dataset"),
        ("a.pdf", b"%PDF-1.7\x00\x01\x02", "unknown_format"),
        ("a.parquet", b"PAR1 and no more", "broken_file"),
        ("a.jsonl.gz", b"no gzip at all", "broken_file"),
    ],
)
def test_what_cannot_be_read(name: str, content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MiStudioError) as caught:
        detect(tmp_path / name)
    assert caught.value.code == code
    with pytest.raises(MiStudioError) as caught:
        detect(tmp_path / "nothing")
    assert caught.value.code == "no_such_path"
