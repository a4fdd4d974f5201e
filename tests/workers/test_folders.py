"""Which files of a folder are read, and what is said about the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.arrow import open_split
from tests.workers.recorder import Recorder

Import = Callable[..., dict[str, Any]]


class Warned(Recorder):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def warn(self, code: str, message: str) -> None:
        super().warn(code, message)
        self.said.append(message)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def texts(data_dir: Path, split: str = "train") -> list[str]:
    return [row["text"] for row in open_split(data_dir / "datasets/ds_1", split).rows()]


def test_files_of_another_format_are_named(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = write(
        tmp_path / "in",
        {
            "a.csv": "text\ncsv1\ncsv2\n",
            "b.csv": "text\ncsv3\n",
            "c.jsonl": '{"text": "json1"}\n',
            "notes.pdf": "%PDF",
            "README.md": "# About",
            "LICENSE": "MIT",
            ".hidden/d.csv": "text\nno\n",
        },
    )
    report = Warned()
    import_dataset(folder, report)
    assert texts(data_dir) == ["csv1", "csv2", "csv3"]
    assert report.warnings == ["left_out", "left_out"]
    assert report.said == [
        "Left out: c.jsonl (it is json, and the others are csv).",
        "Left out: notes.pdf (it is in no format that can be read).",
    ]


def test_files_that_no_split_has_are_in_train(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """``datasets`` takes one file that is called test for the whole dataset."""
    files = {"chapter1.txt": "a\n", "chapter2.txt": "b\n", "test-chapter.txt": "c\n"}
    result = import_dataset(write(tmp_path / "in", files))
    assert result["n_rows"] == 3
    assert texts(data_dir) == ["a", "b"]
    assert texts(data_dir, "test") == ["c"]


NAMES = ["q?.txt", "data[1].txt", "*.txt", "a{b}.txt", "x::y.txt", "a#b.txt", "[!a].txt"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_patterns(
    name: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    others = {"qa.txt": "no\n", "data1.txt": "no\n", "ab.txt": "no\n", "x.txt": "no\n"}
    folder = write(tmp_path / "in", {name: "mine\n", **others})
    assert import_dataset(folder / name)["n_rows"] == 1
    assert texts(data_dir) == ["mine"]


@pytest.mark.parametrize("name", NAMES)
def test_names_in_folders_and_on_cards_are_no_patterns(
    name: str, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - {}\n---\n"
    files = {name: "mine\n", f"{name}/{name}".replace(".txt/", "/"): "deep\n", "data1.txt": "no\n"}
    folder = write(tmp_path / name.replace(".txt", ""), files)
    assert import_dataset(folder)["n_rows"] == 3
    write(folder, {"README.md": card.format(json.dumps(name))})
    import_dataset(folder, data_dir=write(tmp_path / "second", {"x": ""}))
    assert texts(tmp_path / "second") == ["mine"]


def test_patterns_on_cards_are_patterns(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    card = '---\nconfigs:\n- config_name: default\n  data_files: "data[12].txt"\n---\n'
    files = {"data1.txt": "1\n", "data2.txt": "2\n", "data3.txt": "3\n", "README.md": card}
    report = Warned()
    import_dataset(write(tmp_path / "in", files), report)
    assert texts(data_dir) == ["1", "2"]
    assert report.warnings == []  # The card says which files there are.


def test_each_file_is_read_by_its_own_extension(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    files = {"a.tsv": "text\tn\na, b\t1\n", "b.tsv": "text\tn\nc\t2\n", "c.csv": "text,n\nd,3\n"}
    import_dataset(write(tmp_path / "in", files))
    assert texts(data_dir) == ["a, b", "c", "d"]


def test_a_folder_that_holds_itself_is_read_once(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    folder = write(tmp_path / "in", {"a.txt": "a\n", "sub/b.txt": "b\n"})
    (folder / "sub/again").symlink_to(folder, target_is_directory=True)
    import_dataset(folder)
    assert texts(data_dir) == ["a", "b"]


def test_types_on_a_card_are_taken_for_each_table(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """Also where a column is absent from the first rows, and for objects with other keys."""
    card = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': bad
          '1': good
  - name: meta
    struct:
    - name: a
      dtype: int64
    - name: b
      dtype: int64
configs:
- config_name: default
  data_files: a.jsonl
---
"""
    rows = [{"text": "a"}] * 1500 + [{"text": "b", "label": "good", "meta": {"b": 1}}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    import_dataset(write(tmp_path / "in", {"README.md": card, "a.jsonl": lines}))
    split = open_split(data_dir / "datasets/ds_1", "train")
    assert split.take([0, 1500]) == [
        {"text": "a", "label": None, "meta": None},
        {"text": "b", "label": 1, "meta": {"a": None, "b": 1}},
    ]


def test_options_of_a_card_that_change_rows_are_taken_or_refused(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files: a.json\n  {}\n---\n"
    content = json.dumps({"good": [{"text": "x"}], "bad": [{"text": "y"}]})
    folder = write(tmp_path / "in", {"README.md": card.format("field: good"), "a.json": content})
    import_dataset(folder)
    assert texts(data_dir) == ["x"]
    write(folder, {"README.md": card.format("chunksize: 100")})
    with pytest.raises(MiStudioError, match="several lists of rows"):
        import_dataset(folder, data_dir=write(tmp_path / "second", {"x": ""}))
