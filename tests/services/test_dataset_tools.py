"""One dataset, tokenised with a tokenizer's folder, through everything that is done with it."""

from __future__ import annotations

import csv
import errno
import io
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext import sample
from mistudio_ext.errors import ConflictError, InvalidInputError, NotFoundError
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import wait

Json = dict[str, Any]
TOKENIZER = str(sample.MODEL_DIR)
STORY = "The old baker had three brown dogs and one grey cat who slept near the warm oven"
ROWS = [
    STORY + ".",
    "The cat saw the dog.",
    "",
    STORY + " today.",
    "The cat saw the dog.",
    "A bird sang.",
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(from_config_files(data_dir=tmp_path_factory.mktemp("data")))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def dataset(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Json:
    path = tmp_path_factory.mktemp("files") / "stories.jsonl"
    lines = [json.dumps({"text": text, "n": i}) for i, text in enumerate(ROWS)]
    path.write_text("\n".join(lines) + "\n")
    dataset, job = studio.datasets.create({"source": "path", "path": str(path)})
    assert wait(studio, job)["state"] == "done"
    return studio.datasets.get(dataset["id"])


@pytest.fixture(scope="module")
def tokenization(studio: Studio, dataset: Json) -> Json:
    body = {"tokenizer": TOKENIZER, "context": 64}
    record, job = studio.tokenizations.create(dataset["id"], body)
    assert wait(studio, job)["state"] == "done", studio.jobs.get(record["job_id"])
    again, no_job = studio.tokenizations.create(dataset["id"], body)
    assert (again["id"], no_job) == (record["id"], None)
    return studio.tokenizations.get(dataset["id"], record["id"])


def test_a_folder_is_enough_for_a_tokenizer(tokenization: Json) -> None:
    assert tokenization["model_id"] is None
    assert tokenization["tokenizer"]["path"] == TOKENIZER
    assert tokenization["skipped"]["empty"] == 1


def test_tokens_are_found_and_marked(studio: Studio, dataset: Json, tokenization: Json) -> None:
    search = studio.dataset_views.samples
    found = search(dataset["id"], tokens=" cat saw", tokenization=tokenization["id"])
    assert [s["index"] for s in found["samples"]] == [1, 4]
    ((start, end),) = found["samples"][0]["highlights"]
    assert found["samples"][0]["text"][start:end].strip() == "cat saw"
    assert len(found["samples"][0]["token_spans"]) == 1
    ids = found["searched"]["token_ids"]
    page = search(dataset["id"], token_ids=ids, tokenization=tokenization["id"], limit=1)
    assert (page["total"], len(page["samples"])) == (2, 1)
    both = search(
        dataset["id"],
        token_ids=ids[:1],
        query="oven",
        tokenization=tokenization["id"],
        min_tokens=5,
        columns=["n"],
    )
    assert [s["columns"]["n"] for s in both["samples"]] == [0, 3]
    with pytest.raises(InvalidInputError) as caught:
        search(dataset["id"], tokens="cat")
    assert caught.value.code == "not_tokenized"


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"where": ["nonsense"]}, "bad_filter", "where"),
        ({"where": ["none:1"]}, "no_such_column", "column"),
        ({"column": "none"}, "no_such_column", "column"),
        ({"count": "some"}, "bad_count", "count"),
    ],
)
def test_pages_that_cannot_be_asked_for(
    studio: Studio, dataset: Json, asked: Json, code: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        studio.dataset_views.samples(dataset["id"], **asked)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_near_duplicates_are_found_by_a_job(studio: Studio, dataset: Json) -> None:
    assert studio.near_duplicates.get(dataset["id"])["state"] == "none"
    job = studio.near_duplicates.start(dataset["id"], {"threshold": 0.8})["job"]
    assert wait(studio, job)["state"] == "done"
    found = studio.near_duplicates.get(dataset["id"])
    assert (found["state"], found["threshold"]) == ("ready", 0.8)
    (split,) = found["splits"]
    assert split["examples"] == [[0, 3], [1, 4]]
    assert split["duplicates"] == 2
    with pytest.raises(InvalidInputError, match="threshold"):
        studio.near_duplicates.start(dataset["id"], {"threshold": 2})


def test_the_export_is_what_datasets_opens(
    studio: Studio, dataset: Json, tokenization: Json
) -> None:
    from datasets import load_from_disk

    for padding in ("max_length", "none"):
        started = studio.exports.start(dataset["id"], tokenization["id"], {"padding": padding})
        assert wait(studio, started["job"])["state"] == "done"
        saved = load_from_disk(started["path"])
        assert len(saved) == tokenization["n_samples"]
        rows = [row["input_ids"] for row in saved]
        masks = [row["attention_mask"] for row in saved]
        assert sum(map(sum, masks)) == tokenization["n_tokens"]
        assert ({len(ids) for ids in rows} == {64}) == (padding == "max_length")
        assert saved["row"] == [0, 1, 3, 4, 5]


def test_statistics_as_files(studio: Studio, dataset: Json, tokenization: Json) -> None:
    name, kind, text = studio.dataset_views.export_statistics(
        dataset["id"], tokenization["id"], "csv"
    )
    assert (name.endswith(".csv"), kind.split(";")[0]) == (True, "text/csv")
    table = dict(csv.reader(io.StringIO(text)))
    assert int(table["n_tokens"]) == tokenization["n_tokens"]
    _, _, text = studio.dataset_views.export_statistics(dataset["id"], None, "json")
    assert json.loads(text)["splits"][0]["duplicates"] == 1


def test_previews_of_own_texts_rows_and_turns(studio: Studio, dataset: Json) -> None:
    preview = studio.previews.preview
    own = preview({"tokenizer": TOKENIZER, "texts": ["The cat."], "context": 9})
    assert own["texts"] == ["The cat."]
    real = preview({"tokenizer": TOKENIZER, "dataset": dataset["id"], "rows": [1, 5]})
    assert real["texts"] == [ROWS[1], ROWS[5]]
    with pytest.raises(InvalidInputError) as caught:
        preview(
            {
                "tokenizer": TOKENIZER,
                "texts": [[{"role": "user", "content": "x"}]],
                "chat_template": True,
            }
        )
    assert caught.value.code == "no_chat_template"
    with pytest.raises(InvalidInputError) as caught:
        preview({"tokenizer": str(Path(TOKENIZER).parent), "texts": ["x"]})
    assert caught.value.code == "no_tokenizer"


def test_presets(studio: Studio) -> None:
    presets = studio.tokenization_presets
    made = presets.create({"name": "Packed", "settings": {"mode": "pack", "context": 128}})
    with pytest.raises(ConflictError):
        presets.create({"name": "Packed", "settings": {}})
    with pytest.raises(InvalidInputError) as caught:
        presets.create({"name": "Odd", "settings": {"mode": "odd"}})
    assert caught.value.field == "mode"
    changed = presets.change(made["id"], {"name": "Packed 128"})
    assert [row["name"] for row in presets.list()] == [changed["name"]]
    assert presets.delete(made["id"])["deleted"] == [made["id"]]
    with pytest.raises(NotFoundError):
        presets.get(made["id"])


def test_lists_and_deletion_with_a_look_before(
    studio: Studio, dataset: Json, tokenization: Json, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mistudio_ext.audit")
    assert studio.datasets.list(query="STORI", sort="name", order="asc")
    assert studio.datasets.list(state="failed") == []
    with pytest.raises(InvalidInputError):
        studio.datasets.list(sort="colour")
    look = studio.datasets.deletion_preview([dataset["id"], "ds_unknown"])
    assert [item["kind"] for item in look["items"]] == ["dataset", "tokenization"]
    assert [failed["id"] for failed in look["failed"]] == ["ds_unknown"]
    assert studio.datasets.get(dataset["id"])
    gone = studio.datasets.delete_many([dataset["id"], "ds_unknown"])
    assert gone["freed_bytes"] == look["freed_bytes"] > 0
    assert set(gone["deleted"]) == {dataset["id"], tokenization["id"]}
    for kind, row_id in (("dataset", dataset["id"]), ("tokenization", tokenization["id"])):
        assert caplog.text.count(f"deleted {kind} {row_id}") == 1


def test_what_the_system_does_not_let_go_is_left_to_be_cleaned(
    new_studio: Callable[..., Studio],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A deletion that fails half-way leaves no record without files, and no file unfound."""
    caplog.set_level(logging.INFO, "mistudio_ext.audit")
    studio = new_studio()
    path = tmp_path / "one.txt"
    path.write_text("one\ntwo\n")
    dataset, job = studio.datasets.create({"source": "path", "path": str(path)})
    assert wait(studio, job)["state"] == "done"
    folder = studio.settings.folder.dataset(dataset["id"])
    remove = os.unlink

    def unlink(name: Any, **where: Any) -> None:
        if str(name).endswith(".arrow"):
            raise OSError(errno.EBUSY, "Device or resource busy", str(name))
        remove(name, **where)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", unlink)
        gone = studio.datasets.delete_many([dataset["id"]])
    assert (gone["deleted"], gone["failed"]) == ([dataset["id"]], [])
    assert studio.datasets.list() == []
    assert not folder.exists()
    assert "cannot be removed whole" in caplog.text
    assert f"deleted dataset {dataset['id']}" in caplog.text
    (left,) = studio.storage.leftovers()["items"]
    assert left["path"] == f"datasets/{dataset['id']}.deleting"
    assert studio.storage.clean()["deleted"] == [left["path"]]
    assert studio.storage.leftovers()["items"] == []


def test_an_index_of_an_earlier_version_is_made_anew(studio: Studio, tmp_path: Path) -> None:
    """The first search reads the texts and starts the job; later ones have the new index."""
    from mistudio_ext.store.fulltext import Index, index_path

    path = tmp_path / "indexed.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in ROWS))
    dataset, job = studio.datasets.create({"source": "path", "path": str(path)})
    assert wait(studio, job)["state"] == "done"
    folder = studio.settings.folder.dataset(dataset["id"]) / "train"
    for made in studio.jobs.all(kind="index", target_id=dataset["id"]):
        while studio.jobs.wait(made.id).state in ("queued", "running"):
            pass
    with closing(sqlite3.connect(index_path(folder))) as db:
        db.execute("PRAGMA user_version = 0")
    before = len(studio.jobs.all(kind="index", target_id=dataset["id"]))
    first = studio.dataset_views.samples(dataset["id"], query="the")
    assert first["searched"]["indexed"] == 0
    (newest, *earlier) = studio.jobs.all(kind="index", target_id=dataset["id"])
    assert len(earlier) == before
    while studio.jobs.wait(newest.id).state in ("queued", "running"):
        pass
    assert not Index.outdated(folder)
    again = studio.dataset_views.samples(dataset["id"], query="the")
    assert (again["total"], again["searched"]["complete"]) == (first["total"], True)
