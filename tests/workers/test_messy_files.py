"""Files that are not quite what their name says: the right rows, or one error that helps."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store import samples
from mistudio_ext.store.arrow import open_split
from mistudio_ext.store.detect import detect

Import = Callable[..., dict[str, Any]]


@pytest.fixture
def rows_of(tmp_path: Path, data_dir: Path, import_dataset: Import) -> Callable[..., Any]:
    """Return a function that imports a file and gives its rows as they are shown."""

    def run(name: str, content: bytes | str, **options: Any) -> list[dict[str, Any]]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = import_dataset(path, options=options)
        columns = [column["name"] for column in result["columns"]]
        page = samples.page(
            data_dir / "datasets/ds_1", None, result["text_column"], columns=columns
        )
        return [row["columns"] for row in page["samples"]]

    return run


def refusal(run: Callable[[], object]) -> MiStudioError:
    with pytest.raises(MiStudioError) as caught:
        run()
    return caught.value


def test_null_in_place_of_a_row_ends_no_process(tmp_path: Path) -> None:
    contents = ["null", " \r\nnull\nnull\n", 'null\n{"text": "a"}\n', "[null]", "[\nnull]"]
    for i, content in enumerate(contents):
        (tmp_path / f"{i}.json").write_text(content)
    code = "import sys; from pathlib import Path; from mistudio_ext.store.detect import detect; "
    code += "[print(detect(Path(path))['problems']) for path in sys.argv[1:]]"
    paths = sorted(map(str, tmp_path.glob("*.json")))
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[{'line': ") == done.stdout.count("\n") == len(contents)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "a"}\nnull\n{"text": "b"}\n'),
        ("a.json", '[{"text": "a"}, null, {"text": "b"}]'),
        ("b.json", '[\n{"text": "a"},\n  null,\n{"text": "b"}\n]'),
    ],
)
def test_null_is_a_broken_row(name: str, content: str, rows_of: Callable[..., Any]) -> None:
    assert rows_of(name, content, bad_rows="skip") == [{"text": "a"}, {"text": "b"}]
    error = refusal(lambda: rows_of(name, content))
    assert error.code == "broken_file"
    assert "it is no JSON object" in error.message


@pytest.mark.parametrize("depth", [100, 190])
def test_values_nested_by_the_hundred_come_back(depth: int, rows_of: Callable[..., Any]) -> None:
    rows = [
        {"text": "a", "v": json.loads("[" * depth + "]" * depth)},
        {"text": "b", "v": json.loads('{"k":' * depth + "1" + "}" * depth)},
    ]
    for row in rows:
        assert rows_of("a.jsonl", json.dumps(row)) == [row]


@pytest.mark.parametrize("depth", [250, 900, 100_000])
@pytest.mark.parametrize("pair", ["[]", ('{"k":', "}")])
def test_deeper_ones_are_broken_rows(
    depth: int, pair: Any, tmp_path: Path, rows_of: Callable[..., Any]
) -> None:
    middle = "" if pair == "[]" else "1"
    deep = '{"text": "a", "v": ' + pair[0] * depth + middle + pair[1] * depth + "}\n"
    content = deep + '{"text": "b"}\n'
    assert rows_of("a.jsonl", content, bad_rows="skip") == [{"text": "b"}]
    assert "nested too deeply" in refusal(lambda: rows_of("a.jsonl", content)).message
    assert detect(tmp_path / "a.jsonl")["problems"][0]["line"] == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_number_of_thousands_of_digits_is_named(
    name: str, tmp_path: Path, rows_of: Callable[..., Any]
) -> None:
    row = '{"text": "a", "v": ' + "9" * 5000 + "}"
    content = f'[{row}, {{"text": "b"}}]' if name == "a.json" else f'{row}\n{{"text": "b"}}\n'
    assert rows_of(name, content, bad_rows="skip") == [{"text": "b"}]
    error = refusal(lambda: rows_of(name, content))
    assert "line 1" in error.message
    assert "too large" in error.message
    assert "too large" in detect(tmp_path / name)["problems"][0]["message"]


def test_the_rows_are_in_a_field_only_if_all_its_items_are_objects(
    rows_of: Callable[..., Any],
) -> None:
    row = {"text": "beta", "tags": [{"a": 1}, False]}
    assert rows_of("a.json", json.dumps(row)) == [row]


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_without_the_mark_that_its_encoding_needs(
    name: str, encoding: str, tmp_path: Path, rows_of: Callable[..., Any]
) -> None:
    content = '[{"text": "abcd"}]' if name == "a.json" else "text,n\nabcd,1\n"
    for run in (
        lambda: rows_of(name, content, encoding=encoding),
        lambda: detect(tmp_path / name, None, {"encoding": encoding}),
    ):
        error = refusal(run)
        assert (error.code, error.field) == ("broken_file", "encoding")
        assert "byte order mark" in error.message


def test_ascii_is_ascii_where_it_is_asked_for(rows_of: Callable[..., Any]) -> None:
    content = "id,text\n1,é\n2,b\n"
    assert rows_of("a.csv", content, encoding="ascii", bad_rows="skip") == [{"id": 2, "text": "b"}]
    error = refusal(lambda: rows_of("a.csv", content, encoding="ascii"))
    assert "line 2" in error.message
    assert "ASCII" in error.message


@pytest.mark.parametrize("header", ["text,n\n", "text,n\r\n"])
def test_only_the_first_mark_of_a_file_is_a_byte_order_mark(
    header: str, rows_of: Callable[..., Any]
) -> None:
    rows = rows_of("a.csv", f"{header}\ufeffa,1\n\ufeffb,2\n")
    assert rows == [{"text": "\ufeffa", "n": 1}, {"text": "\ufeffb", "n": 2}]
    assert rows_of("b.csv", f"\ufeff{header}a,1\n") == [{"text": "a", "n": 1}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,text\n1,hello\n2,bye\n", [{"id": 1, "text": "hello"}, {"id": 2, "text": "bye"}]),
        ("text\nhello, world\nfoo, bar\n", [{"text": "hello, world"}, {"text": "foo, bar"}]),
        ("id\ttext\n1\ta, b\n2\tc, d\n", [{"id": 1, "text": "a, b"}, {"id": 2, "text": "c, d"}]),
    ],
)
def test_a_tsv_file_is_read_as_it_was_shown(
    content: str, expected: list[dict[str, Any]], tmp_path: Path, rows_of: Callable[..., Any]
) -> None:
    assert rows_of("a.tsv", content) == expected
    assert detect(tmp_path / "a.tsv")["preview"] == expected


def _workbook() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    return content.getvalue()


def _table() -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), content)
    return content.getvalue()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_workbook(), "Excel workbook"),
        (_table(), "Parquet"),
        (gzip.compress(b"id,text\n1,a\n"), "gzip"),
        (pa.compress(b"id,text\n", codec="zstd", asbytes=True), "zstd"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "PDF"),
    ],
)
def test_another_format_under_the_name_of_a_text_is_named(
    name: str, content: bytes, said: str, rows_of: Callable[..., Any]
) -> None:
    error = refusal(lambda: rows_of(name, content))
    assert (error.code, error.field) == ("wrong_format", "format")
    assert said in error.message
    assert error.hint


@pytest.mark.parametrize(
    "content", ['{"text": "a, b"}\n{"text": "c, d"}\n', '[{"text": "a"}, {"text": "b"}]', "[\n{}]"]
)
def test_json_is_no_csv(content: str, tmp_path: Path, rows_of: Callable[..., Any]) -> None:
    assert refusal(lambda: rows_of("a.csv", content)).code == "wrong_format"
    assert detect(tmp_path / "a.csv")["notes"] == ["a.csv looks like JSON, not CSV."]


def test_the_format_that_was_named_is_taken(rows_of: Callable[..., Any]) -> None:
    rows = [{"text": "a, b"}, {"text": "c, d"}]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    assert rows_of("a.csv", content, format="json") == rows
    assert rows_of("b.csv", _table(), format="parquet") == [{"text": "a"}]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_two_columns_of_one_name_are_both_kept(
    name: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    names = ["text", "v", "text", "text.1"]
    table = pa.Table.from_arrays([pa.array([x]) for x in ("a", 1, "b", "c")], names=names)
    if name == "a.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        with pa.ipc.new_file(str(tmp_path / name), table.schema) as file:
            file.write_table(table)
    import_dataset(tmp_path / name)
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert split.rows(0, 1) == [{"text": "a", "v": 1, "text.2": "b", "text.1": "c"}]


@pytest.mark.parametrize("key", ['"a\\u0000b": 1', '"m": {"a\\u0000b": 1}'])
def test_a_name_that_cannot_be_kept_is_refused(key: str, rows_of: Callable[..., Any]) -> None:
    error = refusal(lambda: rows_of("a.jsonl", f'{{"text": "x", {key}}}\n'))
    assert error.code == "bad_column_name"
    assert "a\\0b" in error.message
