"""Imports of delimited values and texts: types over the whole file, folders, options."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.arrow import open_split
from mistudio_ext.store.detect import detect
from tests.workers.recorder import Recorder, leftovers

Import = Callable[..., dict[str, Any]]
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "1a" * 32 + "\nsize 330454481\n"


def rows_of(data_dir: Path) -> list[dict[str, Any]]:
    split = open_split(data_dir / "datasets/ds_1", "train")
    return split.rows(0, len(split))


def test_a_column_that_is_text_late_keeps_all_its_texts(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """The first megabytes look like numbers or nothing; the last row says otherwise."""
    n = 30_000
    lines = [f"{i},{i}.5,,{'' if i % 2 else i},{'some words ' * 15}" for i in range(n)]
    lines.append("007,1e5,late,NA,y")
    path = tmp_path / "a.csv"
    path.write_text("whole,broken,empty,gaps,text\n" + "\n".join(lines) + "\n")
    assert path.stat().st_size > 4 << 20, "more than one block"
    result = import_dataset(path)
    assert {column["dtype"] for column in result["columns"]} == {"string"}
    with path.open(newline="") as file:
        wanted = list(csv.DictReader(file))
    rows = rows_of(data_dir)
    assert len(rows) == n + 1
    assert rows == wanted


def test_types_are_said_and_empty_cells_are_null_among_numbers_only(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,n,x,none,code\na,1,0.5,,007\n,,,,\n")
    result = import_dataset(path)
    assert {c["name"]: c["dtype"] for c in result["columns"]} == {
        "text": "string", "n": "int64", "x": "double", "none": "string", "code": "string",
    }  # fmt: skip
    assert rows_of(data_dir) == [
        {"text": "a", "n": 1, "x": 0.5, "none": "", "code": "007"},
        {"text": "", "n": None, "x": None, "none": "", "code": ""},
    ]


@pytest.mark.parametrize("seed", range(6))
def test_what_pandas_writes_comes_back(
    seed: int, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    import pandas as pd

    draw = random.Random(seed)
    n = 300
    words = ["NA", "null", 'say "hi"', "two\nlines", "a, b; c", "", "日本", "007", "1e5"]
    frame = pd.DataFrame(
        {
            "text": [" ".join(draw.choices(words, k=3)) for _ in range(n)],
            "word": draw.choices(words, k=n),
            "n": [draw.randint(-(2**63), 2**63 - 1) for _ in range(n)],
            "x": [draw.gauss(0, 1) * 10 ** draw.randint(-20, 20) for _ in range(n)],
            "gap": [draw.choice([None, 1.5, 2.0]) for _ in range(n)],
        }
    )
    suffix = draw.choice(["", ".gz", ".bz2", ".xz"])
    path = tmp_path / f"a.csv{suffix}"
    frame.to_csv(
        path,
        index=seed % 2 == 0,
        sep=draw.choice(",;\t|"),
        encoding=draw.choice(["utf-8", "utf-8-sig", "utf-16"][: 2 if suffix else 3]),
        quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        lineterminator=draw.choice(["\n", "\r\n"]),
    )
    import_dataset(path)
    wanted = [
        {key: None if value != value else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]
    for i, row in enumerate(rows_of(data_dir)):
        assert row.pop("index", i) == i
        assert row == wanted[i]


def test_options_go_to_each_file_of_a_folder(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, row in (("a", "1;hello, world;2,5"), ("b", "2;bye, all;3,5")):
        (folder / f"{name}.csv").write_text(f"id;text;x\n{row}\n")
    found = import_dataset(folder)
    assert found["options"]["delimiter"] == ";"
    assert [row["text"] for row in rows_of(data_dir)] == ["hello, world", "bye, all"]
    said = import_dataset(
        folder,
        data_dir=tmp_path / "again",
        options={"delimiter": ";", "types": {"id": "text"}, "header": True},
    )
    assert said["columns"][0] == {"name": "id", "dtype": "string"}
    with pytest.raises(MiStudioError, match=r"line 2 "):
        import_dataset(folder, data_dir=tmp_path / "third", options={"delimiter": ","})


WITHOUT_EFFECT: dict[str, tuple[str, dict[str, Any]]] = {
    "delimiter of JSON": ("a.jsonl", {"delimiter": ";"}),
    "header of text": ("a.txt", {"header": False}),
    "types of text": ("a.txt", {"types": {"text": "text"}}),
    "encoding of Parquet": ("a.parquet", {"encoding": "utf-8"}),
    "delimiter of a folder of text": ("texts", {"delimiter": ";"}),
    "delimiter of a saved dataset": ("saved", {"delimiter": ";"}),
    "format of a folder": ("texts", {"format": "csv"}),
}


@pytest.mark.parametrize("case", WITHOUT_EFFECT)
def test_an_option_without_effect_is_refused(
    case: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "in"
    (folder / "texts").mkdir(parents=True)
    (folder / "texts/a.txt").write_text("x\n")
    (folder / "a.txt").write_text("x\n")
    (folder / "a.jsonl").write_text('{"text": "x"}\n')
    pq.write_table(pa.table({"text": ["x"]}), folder / "a.parquet")
    datasets.Dataset.from_dict({"text": ["x"]}).save_to_disk(str(folder / "saved"))
    name, options = WITHOUT_EFFECT[case]
    with pytest.raises(MiStudioError) as caught:
        import_dataset(folder / name, options=options)
    assert (caught.value.code, caught.value.field) == ("bad_option", next(iter(options)))
    assert leftovers(data_dir) == []
    if (folder / name).is_file():
        with pytest.raises(MiStudioError) as caught:
            detect(folder / name, given=options)
        assert caught.value.field == next(iter(options))


@pytest.mark.parametrize(
    "options",
    [{"quoting": "some"}, {"types": {"text": "date"}}, {"types": ["text"]}, {"header": "yes"}],
)
def test_options_that_cannot_be(
    options: dict[str, Any], tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n")
    with pytest.raises(MiStudioError) as caught:
        import_dataset(tmp_path / "a.csv", options=options)
    assert (caught.value.code, caught.value.field) == ("bad_option", next(iter(options)))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt", "a.parquet", "a.csv.gz", "folder"])
@pytest.mark.parametrize("pointer", [LFS, "../.git/annex/objects/x1/K9/MD5E-s9--0f.csv\n"])
def test_a_pointer_is_not_the_file(
    name: str, pointer: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        (path / "a.csv").write_text(pointer)
    else:
        path.write_text(pointer)
        with pytest.raises(MiStudioError) as caught:
            detect(path)
        assert caught.value.code == "lfs_pointer"
    with pytest.raises(MiStudioError) as caught:
        import_dataset(path)
    assert (caught.value.code, caught.value.field) == ("lfs_pointer", "path")


def test_what_is_unusual_is_said(tmp_path: Path, import_dataset: Import) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("5;“Good”\n5;“Bad”\n".encode("cp1252"))
    report = Recorder()
    result = import_dataset(path, report)
    assert result["options"] == {
        "format": "csv", "encoding": "cp1252", "delimiter": ";", "header": False,
    }  # fmt: skip
    assert report.warnings == ["read_as", "read_as"]
    assert detect(path)["options"] == result["options"]


def test_rows_that_a_value_may_have_swallowed_are_told(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """Two marks that balance by chance: nobody can be sure, so a person is asked to look."""
    path = tmp_path / "a.tsv"
    path.write_text('src\ttext\n1\t"Hello there\n2\tand bye"\n3\tthree\n')
    report = Recorder()
    import_dataset(path, report)
    assert report.warnings == ["read_as"]
    assert "choose quoting none" in detect(path)["notes"][0]
    import_dataset(path, data_dir=tmp_path / "again", options={"quoting": "none"})
    harmless = tmp_path / "b.tsv"
    harmless.write_text('src\ttext\n1\t"two\nlines"\n')
    report = Recorder()
    import_dataset(harmless, report, data_dir=tmp_path / "third")
    assert report.warnings == []


def test_a_web_page_is_no_table(tmp_path: Path, import_dataset: Import) -> None:
    (tmp_path / "a.csv").write_text("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n")
    with pytest.raises(MiStudioError) as caught:
        import_dataset(tmp_path / "a.csv")
    assert caught.value.code == "web_page"


TEXTS = {
    "bom": (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"]),
    "form feeds": ("a\fb\nc\u2028d\ne\x85f\n".encode(), ["a\fb", "c\u2028d", "e\x85f"]),
    "utf-16": ("é\r\nb".encode("utf-16"), ["é", "b"]),
    "utf-16 without a mark": ("one\ntwo\n".encode("utf-16-le"), ["one", "two"]),
    "carriage returns": (b"a\rb\r", ["a", "b"]),
    "quotation marks of Windows": ("“x”\n".encode("cp1252"), ["“x”"]),
    "empty lines": (b"a\n\nb\n", ["a", "", "b"]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_lines_of_text(case: str, tmp_path: Path, data_dir: Path, import_dataset: Import) -> None:
    content, lines = TEXTS[case]
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    import_dataset(path)
    assert [row["text"] for row in rows_of(data_dir)] == lines
    assert [row["text"] for row in detect(path)["preview"]] == lines


def test_cards_say_how_their_files_are_written(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    card = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n{}---\n"
    (folder / "a.csv").write_text('# made by hand\n1|"NA\n2|b\n')
    options = "  sep: '|'\n  skiprows: 1\n  names: [n, text]\n  quoting: 3\n"
    (folder / "README.md").write_text(card.format(options))
    import_dataset(folder)
    assert rows_of(data_dir) == [{"n": 1, "text": '"NA'}, {"n": 2, "text": "b"}]
    (folder / "README.md").write_text(card.format("  comment: '#'\n"))
    with pytest.raises(MiStudioError, match="comment='#'") as caught:
        import_dataset(folder, data_dir=tmp_path / "again")
    assert caught.value.code == "unknown_option"
