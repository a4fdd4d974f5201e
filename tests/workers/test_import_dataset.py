"""Datasets from files and folders."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.errors import CancelledError, MiStudioError
from mistudio_ext.store.arrow import open_split
from tests.workers.recorder import Recorder, leftovers

Import = Callable[..., dict[str, Any]]
ROWS = [{"text": f"Text number {i}", "n": i} for i in range(2500)]


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    match "".join(path.suffixes):
        case ".jsonl":
            path.write_text(lines)
        case ".jsonl.gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case ".jsonl.zst":
            path.write_bytes(pa.compress(lines.encode(), codec="zstd", asbytes=True))
        case ".json":
            path.write_text(json.dumps(rows))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=700)
        case ".csv":
            path.write_text("text,n\n" + "".join(f"{r['text']},{r['n']}\n" for r in rows))
        case ".tsv":
            path.write_text("text\tn\n" + "".join(f"{r['text']}\t{r['n']}\n" for r in rows))
        case ".arrow":
            table = pa.Table.from_pylist(rows)
            with pa.ipc.new_stream(path, table.schema) as stream:
                stream.write_table(table)
        case ".txt":
            path.write_text("".join(row["text"] + "\n" for row in rows))
    return path


FORMATS = ["jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet", "csv", "tsv", "arrow", "txt"]


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_of_each_format_keeps_its_rows(
    extension: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    report = Recorder()
    result = import_dataset(write(tmp_path / f"file.{extension}"), report)
    assert result["splits"][0]["name"] == "train"
    assert result["n_rows"] == 2500
    assert result["text_column"] == "text"
    split = open_split(data_dir / "datasets/ds_1", "train")
    columns = ["text"] if extension == "txt" else ["text", "n"]
    assert split.rows(0, 2500) == [{name: row[name] for name in columns} for row in ROWS]
    assert report.points[-1] == (2500, 2500, "rows")
    assert not list((data_dir / "tmp").iterdir())


def test_what_is_written_opens_with_datasets_itself(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    import datasets

    import_dataset(write(tmp_path / "file.jsonl"))
    opened = datasets.load_from_disk(str(data_dir / "datasets/ds_1"))
    assert opened["train"][2400] == ROWS[2400]


def test_a_saved_dataset_keeps_splits_order_and_chosen_rows(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    import datasets

    whole = datasets.Dataset.from_list(ROWS)
    picked = whole.select(range(2499, -1, -3))
    saved = datasets.DatasetDict({"test": picked, "train": whole})
    saved.save_to_disk(str(tmp_path / "saved"), num_shards={"train": 3, "test": 1})
    result = import_dataset(tmp_path / "saved")
    assert [split["name"] for split in result["splits"]] == ["test", "train"]
    split = open_split(data_dir / "datasets/ds_1", "test")
    assert split.rows(0, 3) == [ROWS[2499], ROWS[2496], ROWS[2493]]


def test_the_fingerprint_is_of_the_content(tmp_path: Path, import_dataset: Import) -> None:
    path = write(tmp_path / "file.jsonl")
    first = import_dataset(path, data_dir=tmp_path / "one")
    again = import_dataset(path, data_dir=tmp_path / "two")
    as_parquet = import_dataset(write(tmp_path / "file.parquet"), data_dir=tmp_path / "three")
    changed = import_dataset(
        write(tmp_path / "changed.jsonl", [*ROWS[:-1], {"text": "Other", "n": 2499}]),
        data_dir=tmp_path / "four",
    )
    assert first["fingerprint"] == again["fingerprint"] == as_parquet["fingerprint"]
    assert changed["fingerprint"] != first["fingerprint"]


def test_a_folder_with_a_card_knows_configurations_and_separators(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = tmp_path / "repo"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: en\n  sep: ';'\n  data_files:\n"
        "  - {split: train, path: data/en-train.csv}\n  - {split: test, path: data/en-test.csv}\n"
        "- config_name: de\n  data_files: data/de.csv\n---\n"
    )
    for name in ("en-train", "en-test", "de"):
        (folder / f"data/{name}.csv").write_text(f"text;n\nThis is {name};3\n")
    result = import_dataset(folder, config="en", splits=["test"])
    assert (result["config"], result["n_rows"]) == ("en", 1)
    split = open_split(data_dir / "datasets/ds_1", "test")
    assert split.rows() == [{"text": "This is en-test", "n": 3}]
    with pytest.raises(MiStudioError, match="en, de") as caught:
        import_dataset(folder)
    assert (caught.value.code, caught.value.field) == ("config_needed", "config")
    with pytest.raises(LookupError, match="en, de") as lookup:
        import_dataset(folder, config="fr")
    assert getattr(lookup.value, "code", None) == "no_such_config"


def test_columns_that_change_their_type_on_the_way_are_widened(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = tmp_path / "parts"
    write(folder / "train-0.jsonl", [{"text": "a", "v": 1, "w": None}] * 1500)
    write(folder / "train-1.jsonl", [{"text": "b", "v": 2.5, "w": "late"}] * 1500)
    write(folder / "train-2.jsonl", [{"text": "c", "v": "three", "new": [1]}] * 10)
    result = import_dataset(folder)
    assert {c["name"]: c["dtype"] for c in result["columns"]} == {
        "text": "string",
        "v": "string",
        "w": "string",
        "new": "list<int64>",
    }
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert split.take([0, 1500, 3009]) == [
        {"text": "a", "v": "1", "w": None, "new": None},
        {"text": "b", "v": "2.5", "w": "late", "new": None},
        {"text": "c", "v": "three", "w": None, "new": [1]},
    ]


def test_chosen_columns_and_first_rows(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    result = import_dataset(write(tmp_path / "file.jsonl"), columns=["text"], max_rows=1001)
    assert result["n_rows"] == 1001
    assert result["columns"] == [{"name": "text", "dtype": "string"}]


@pytest.mark.parametrize(
    ("row", "text_column"),
    [
        ({"id": 1, "content": "x"}, "content"),
        ({"title": "short", "review": "a much longer text"}, "review"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages"),
        ({"conversations": [{"from": "human", "value": "hi"}], "id": "abc"}, "conversations"),
        ({"input_ids": [1, 2, 3]}, None),
    ],
)
def test_the_text_column_is_found(
    row: dict[str, Any], text_column: str | None, tmp_path: Path, import_dataset: Import
) -> None:
    result = import_dataset(write(tmp_path / "file.jsonl", [row] * 3))
    assert result["text_column"] == text_column


def broken_files(folder: Path) -> dict[str, Path]:
    lines = write(folder / "lines.jsonl").read_text().splitlines()
    lines[1234] = '{"text": "cut off'
    (folder / "lines.jsonl").write_text("\n".join(lines))
    csv = write(folder / "table.csv").read_text().splitlines()
    csv[700] = "one,two,three,four"
    (folder / "table.csv").write_text("\n".join(csv))
    parquet = write(folder / "cut.parquet")
    parquet.write_bytes(parquet.read_bytes()[:500])
    (folder / "latin.txt").write_bytes(b"fine\nna\xefve\n")
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' * 9999)[:40])
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("lines.jsonl", "lines.jsonl, line 1235"),
        ("table.csv", "table.csv, line 701"),
        ("latin.txt", "latin.txt, line 2"),
        ("cut.parquet", "cut.parquet"),
        ("cut.jsonl.gz", "cut.jsonl.gz"),
    ],
)
def test_a_broken_file_is_named_with_its_line(
    name: str, where: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match=where) as caught:
        import_dataset(broken_files(tmp_path / "in")[name])
    assert getattr(caught.value, "code", None) == "broken_file"
    assert leftovers(data_dir) == []


BAD_INPUTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nothing there": ("no_such_path", "nothing.jsonl", {}),
    "no bytes": ("empty_dataset", "empty.jsonl", {}),
    "no rows": ("empty_dataset", "only-header.csv", {}),
    "no files": ("empty_dataset", "empty", {}),
    "a paper": ("unknown_format", "paper.pdf", {}),
    "pictures": ("unknown_format", "pictures", {}),
    "numbers": ("no_text_column", "numbers.jsonl", {}),
    "half copied": ("broken_file", "saved", {}),
    "no text column": ("no_such_column", "good.jsonl", {"text_column": "body"}),
    "no column": ("no_such_column", "good.jsonl", {"columns": ["text", "body"]}),
    "no split": ("no_such_split", "good.jsonl", {"splits": ["dev"]}),
    "no room": ("no_space", "good.jsonl", {"reserve": 1 << 60}),
}


@pytest.fixture
def bad_inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write(folder / "good.jsonl")
    write(folder / "numbers.jsonl", [{"n": 1}])
    (folder / "empty.jsonl").touch()
    (folder / "only-header.csv").write_text("text,n\n")
    (folder / "paper.pdf").write_bytes(b"%PDF")
    (folder / "empty").mkdir()
    (folder / "pictures").mkdir()
    (folder / "pictures/a.png").write_bytes(b"png")
    (folder / "saved").mkdir()
    (folder / "saved/state.json").write_text("{}")
    return folder


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_says_what_is_wrong_and_leaves_nothing(
    case: str, bad_inputs: Path, data_dir: Path, import_dataset: Import
) -> None:
    code, name, settings = BAD_INPUTS[case]
    with pytest.raises(MiStudioError) as caught:
        import_dataset(bad_inputs / name, **settings)
    assert caught.value.code == code
    assert caught.value.hint
    assert leftovers(data_dir) == []


def test_a_text_column_is_offered_and_of_many_asked_for(
    tmp_path: Path, import_dataset: Import
) -> None:
    path = write(tmp_path / "wide.jsonl", [{f"n{i}": i for i in range(7)}])
    with pytest.raises(MiStudioError) as caught:
        import_dataset(path)
    *offered, asked = caught.value.remedies
    assert [each["change"] for each in offered] == [{"text_column": f"n{i}"} for i in range(5)]
    assert asked["ask"] == "text_column"


def test_cancelling_leaves_nothing(tmp_path: Path, data_dir: Path, import_dataset: Import) -> None:
    with pytest.raises(CancelledError):
        import_dataset(write(tmp_path / "file.jsonl"), Recorder(cancel_after=2))
    assert leftovers(data_dir) == []


def test_long_rows_do_not_make_huge_batches(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    write(tmp_path / "long.jsonl", [{"text": "x" * 200_000}] * 400)
    assert import_dataset(tmp_path / "long.jsonl")["n_rows"] == 400
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert max(batch.nbytes for _, batch in split.iter_batches()) <= 32 << 20


@pytest.mark.parametrize(
    ("name", "content", "lines", "rows", "kept"),
    [
        (
            "a.jsonl",
            b'{"text": "x"}\n{bad\n[1]\n\n{"text": "y"}',
            [2, 3],
            ["x", "y"],
            ["x", "{bad", "[1]", "y"],
        ),
        (
            "a.csv",
            b'n,text\n1,x\ntoo,many,here\n2,"y\nz"\n3\n4,v\xef\n',
            [3, 6, 7],
            ["x", "y\nz"],
            ["x", "many,here", "y\nz", None, "v\ufffd"],
        ),
        ("a.txt", b"x\nna\xefve\ny\n", [2], ["x", "y"], ["x", "na\ufffdve", "y"]),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"text": "x"}\n{"text": \n'),
            [2],
            ["x"],
            ["x", '{"text": '],
        ),
    ],
    ids=["jsonl", "csv", "txt", "gzip"],  # Bytes of gzip hold the time; a name must not.
)
def test_bad_rows_are_left_out_or_kept_and_counted(
    name: str,
    content: bytes,
    lines: list[int],
    rows: list[str],
    kept: list[str | None],
    tmp_path: Path,
    data_dir: Path,
    import_dataset: Import,
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MiStudioError):
        import_dataset(tmp_path / name)
    counted = {"file": name, "count": len(lines), "lines": lines}
    for choice, n_kept, wanted in (("skip", 0, rows), ("keep", len(lines), kept)):
        shutil.rmtree(data_dir / "datasets/ds_1", ignore_errors=True)
        report = Recorder()
        result = import_dataset(tmp_path / name, report, options={"bad_rows": choice})
        assert result["bad_rows"] == [{**counted, "kept": n_kept}]
        assert report.warnings == ["bad_rows"]
        split = open_split(data_dir / "datasets/ds_1", "train")
        assert [row["text"] or None for row in split.rows()] == wanted


def test_what_was_detected_can_be_imported(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    from mistudio_ext.store.detect import detect

    content = "1;Élan vital\n2;Vol à voile et autres choses\n".encode("cp1252")
    (tmp_path / "upload").write_bytes(content)
    found = detect(tmp_path / "upload", "export.csv")
    result = import_dataset(
        tmp_path / "upload", options=found["options"], text_column=found["text_column"]
    )
    assert result["text_column"] == "column_1"
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert split.rows(0, 1) == [{"column_0": 1, "column_1": "Élan vital"}]


@pytest.mark.parametrize(
    "options", [{"encoding": "klingon"}, {"bad_rows": "perhaps"}, {"format": "docx"}]
)
def test_options_that_cannot_be(
    options: dict[str, str], tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    with pytest.raises(MiStudioError) as caught:
        import_dataset(write(tmp_path / "file.jsonl"), options=options)
    assert caught.value.code in ("bad_option", "unknown_format")
    assert leftovers(data_dir) == []
