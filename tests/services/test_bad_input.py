"""What a user can get wrong: a clear error with code and field, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidInputError,
    MiStudioError,
    NoSpaceError,
    NotFoundError,
)
from mistudio_ext.studio import Studio
from tests.services.conftest import left_over, wait

Json = dict[str, Any]
GOOD: Json = {"model": "sample-model", "dataset": "sample-stories"}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "model_missing", "model"),
        ({"model": "sample-model"}, "dataset_missing", "dataset"),
        ({**GOOD, "model": "model_0000000000"}, "no_such_model", "model"),
        ({**GOOD, "dataset": "ds_0000000000"}, "no_such_dataset", "dataset"),
        ({**GOOD, "model": "/nowhere/at/all"}, "no_such_path", "model"),
        ({**GOOD, "model": "no such name"}, "no_such_model", "model"),
        ({**GOOD, "layers": "two"}, "bad_layers", "layers"),
        ({**GOOD, "layers": []}, "bad_layers", "layers"),
        ({**GOOD, "layers": [0.5]}, "bad_layers", "layers"),
        ({**GOOD, "hooks": []}, "hooks_missing", "hooks"),
        ({**GOOD, "hooks": ["resid_most"]}, "unknown_hook", "hooks"),
        ({**GOOD, "layout": "sparse"}, "bad_layout", "layout"),
        ({**GOOD, "positions": "first"}, "bad_positions", "positions"),
        ({**GOOD, "dtype": "int8"}, "bad_dtype", "dtype"),
        ({**GOOD, "context": 0}, "bad_number", "context"),
        ({**GOOD, "context": True}, "bad_number", "context"),
        ({**GOOD, "max_samples": -1}, "bad_number", "max_samples"),
        ({**GOOD, "batch_tokens": "many"}, "bad_number", "batch_tokens"),
        ({**GOOD, "device": "tpu"}, "bad_device", "device"),
        ({**GOOD, "quantize": "q3"}, "bad_format", "quantize"),
        ({**GOOD, "name": "../../etc/passwd"}, "bad_name", "name"),
        ({**GOOD, "tokenization": {"speed": 9}}, "unknown_setting", "speed"),
        ({**GOOD, "tokenization": []}, "bad_tokenization", "tokenization"),
        ({**GOOD, "colour": "red"}, "unknown_field", "colour"),
    ],
)
def test_extraction_requests(studio: Studio, body: Json, code: str, field: str) -> None:
    """A request that cannot be carried out registers nothing at all."""
    with pytest.raises((InvalidInputError, NotFoundError)) as caught:
        studio.extractions.create(body)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message.endswith((".", ")"))
    for service in (studio.extractions, studio.models, studio.datasets):
        assert service.list() == []
    assert studio.jobs.all() == []
    assert left_over(studio) == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "bad_source", "source"),
        ({"source": "ftp"}, "bad_source", "source"),
        ({"source": "path"}, "path_missing", "path"),
        ({"source": "path", "path": "/nowhere"}, "no_such_path", "path"),
        ({"source": "path", "path": "a\0b"}, "path_missing", "path"),
        ({"source": "hub"}, "bad_repo_id", "repo_id"),
        ({"source": "hub", "repo_id": "../secrets"}, "bad_repo_id", "repo_id"),
        ({"source": "sample", "max_rows": 0}, "bad_number", "max_rows"),
        ({"source": "sample", "columns": "text"}, "bad_names", "columns"),
        ({"source": "sample", "texst_column": "text"}, "unknown_field", "texst_column"),
    ],
)
def test_dataset_requests(studio: Studio, body: Json, code: str, field: str) -> None:
    """A dataset that cannot be registered is not registered."""
    with pytest.raises(MiStudioError) as caught:
        studio.datasets.create(body)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert studio.datasets.list() == []


@pytest.mark.parametrize("content", [None, "not json", "[]", "{}"])
def test_a_folder_that_is_no_model(studio: Studio, tmp_path: Path, content: str | None) -> None:
    """A folder without a usable config is refused, with what is missing."""
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    with pytest.raises(InvalidInputError) as caught:
        studio.models.create({"source": "path", "path": str(folder)})
    assert (caught.value.code, caught.value.field) == ("not_a_model", "path")
    assert studio.models.list() == []


def test_a_model_without_weights(studio: Studio, tmp_path: Path) -> None:
    """What only a closer look shows ends as a failed job with the same kind of error."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    model, job = studio.models.create({"source": "path", "path": str(folder)})
    ended = wait(studio, job)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == "not_a_model"
    assert studio.models.get(model["id"])["error"] == ended["error"]
    assert left_over(studio) == []


def test_allow_paths(new_studio: Callable[..., Studio], tmp_path: Path) -> None:
    """Only what the administrator allows is read, whatever links and dots say."""
    inside, outside = tmp_path / "in", tmp_path / "in-not"
    inside.mkdir()
    outside.mkdir()
    for folder in (inside, outside):
        (folder / "data.jsonl").write_text('{"text": "a"}\n')
    (inside / "link").symlink_to(outside)
    studio = new_studio(allow_paths=[str(inside)])
    for path in (outside, inside / "link", inside / ".." / "in-not", Path("/etc")):
        with pytest.raises(AccessDeniedError) as caught:
            studio.datasets.create({"source": "path", "path": str(path)})
        assert caught.value.code == "path_not_allowed"
    dataset, _ = studio.datasets.create({"source": "path", "path": str(inside / "data.jsonl")})
    assert dataset["name"] == "data"


def test_shared_model_dirs(new_studio: Callable[..., Studio], tmp_path: Path) -> None:
    """A model in a shared folder is taken from there, by the name that it has on the Hub."""
    import shutil

    from mistudio_ext import sample

    shared = tmp_path / "shared"
    shutil.copytree(sample.MODEL_DIR, shared / "demo" / "stories")
    studio = new_studio(shared_model_dirs=[str(shared)], allow_paths=[str(tmp_path / "own")])
    body = {"model": "demo/stories", "dataset": "sample-stories", "max_samples": 2}
    extraction, job, _ = studio.extractions.create(body)
    assert wait(studio, job)["state"] == "done"
    model = studio.models.get(studio.extractions.get(extraction["id"])["model_id"])
    assert model["source"] == "path"
    assert model["path"] == str(shared / "demo" / "stories")


@pytest.mark.parametrize(
    ("name", "content", "body", "code"),
    [
        ("empty.jsonl", "", {}, "empty_dataset"),
        ("a.jsonl", '{"text": "a"}\n', {"text_column": "body"}, "no_such_column"),
        ("a.xyz", "abc", {}, "unknown_format"),
    ],
)
def test_datasets_that_fail_in_the_worker(
    studio: Studio, tmp_path: Path, name: str, content: str, body: Json, code: str
) -> None:
    """What only reading shows ends as a failed job; no file is left."""
    (tmp_path / name).write_text(content)
    request = {"source": "path", "path": str(tmp_path / name), **body}
    dataset, job = studio.datasets.create(request)
    ended = wait(studio, job)
    assert ended["state"] == "failed"
    assert ended["error"]["code"] == code
    assert studio.datasets.get(dataset["id"])["state"] == "failed"
    assert left_over(studio) == []
    gone = studio.datasets.delete(dataset["id"])
    assert gone["deleted"] == [dataset["id"]]


def test_what_only_model_and_dataset_can_tell(studio: Studio) -> None:
    """Hooks, layers, columns, splits and contexts are held against the real ones."""
    dataset, dataset_job = studio.datasets.create({"source": "sample"})
    model, model_job = studio.models.create({"source": "sample"})
    wait(studio, dataset_job)
    wait(studio, model_job)
    body = {"model": model["id"], "dataset": dataset["id"]}
    for change, code, field in (
        ({"layers": "3-9"}, "layer_out_of_range", "layers"),
        ({"hooks": ["blocks.7.hook_resid_post"]}, "layer_out_of_range", "hooks"),
        ({"hooks": ["module:model.layers.0.self_attention"]}, "no_such_hook", "hooks"),
        ({"split": "test"}, "no_such_split", "split"),
        ({"context": 4096}, "context_too_long", "context"),
        ({"tokenization": {"column": "body"}}, "no_such_column", "column"),
        ({"device": "cuda:99"}, "no_such_device", "device"),
    ):
        with pytest.raises(MiStudioError) as caught:
            studio.extractions.create({**body, **change})
        assert caught.value.code == code, change
        assert caught.value.field == field or code == "layer_out_of_range", change
        assert caught.value.hint
        with pytest.raises(MiStudioError) as caught:
            studio.extractions.estimate({**body, **change})
        assert caught.value.code == code or field == "column", change
    assert studio.extractions.list() == []
    assert studio.tokenizations.list(dataset["id"]) == []
    assert [name for name in left_over(studio) if name.startswith("act")] == []
    first = studio.extractions.create({**body, "name": "taken", "max_samples": 2})
    with pytest.raises(ConflictError) as conflict:
        studio.extractions.create({**body, "name": "taken", "max_samples": 3})
    assert (conflict.value.code, conflict.value.field) == ("name_taken", "name")
    assert "taken-2" in str(conflict.value)
    with pytest.raises(ConflictError) as busy:
        studio.datasets.delete(dataset["id"])
    assert busy.value.code == "in_use"
    assert wait(studio, first[1])["state"] == "done"


def test_no_space(new_studio: Callable[..., Studio]) -> None:
    """An extraction that cannot fit is refused with the numbers, before anything is made."""
    import shutil

    studio = new_studio()
    dataset, dataset_job = studio.datasets.create({"source": "sample"})
    model, model_job = studio.models.create({"source": "sample"})
    wait(studio, dataset_job)
    wait(studio, model_job)
    body = {"model": model["id"], "dataset": dataset["id"], "dtype": "float32"}
    free = shutil.disk_usage(studio.settings.data_dir).free
    studio.close()
    # All but a few megabytes are reserved: the arrays of a gigabyte cannot fit.
    full = new_studio(disk_reserve_bytes=free - 5_000_000)
    with pytest.raises(NoSpaceError) as caught:
        full.extractions.create(body)
    assert caught.value.code == "no_space"
    assert "GB" in caught.value.message
    assert full.extractions.list() == []
    assert [name for name in left_over(full) if name.startswith("act")] == []
    warnings = full.extractions.estimate(body)["warnings"]
    assert "no_space" in [warning["code"] for warning in warnings]
