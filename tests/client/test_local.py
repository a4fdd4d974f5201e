"""Without a Jupyter server: folders are read, and a studio in this process runs the jobs."""

from __future__ import annotations

import atexit

import pytest

import mistudio_ext as ms
from mistudio_ext import sample
from mistudio_ext.activations import manifest
from mistudio_ext.client import backend
from mistudio_ext.client.extract import place_of
from mistudio_ext.errors import (
    ExtractionError,
    InvalidInputError,
    MiStudioError,
    NotFoundError,
)
from tests.client.stories import away_again, from_file_to_tokens


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    for name in ("MISTUDIO_SERVER_URL", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    folder = tmp_path / "data"
    monkeypatch.setenv("MISTUDIO_DATA_DIR", str(folder))
    yield folder
    with backend._lock:
        while backend._studios:
            _, studio = backend._studios.popitem()
            atexit.unregister(studio.close)
            studio.close()


def _extraction(data, name, state="queued", number=1):
    folder = data / "activations" / f"ext_{number:010x}"
    spec = {"hooks": ["blocks.0.hook_resid_post"], "layout": "packed", "positions": "all"}
    facts = {"id": folder.name, "name": name, "state": state, "spec": spec}
    manifest.write(folder, {**facts, "created_at": f"2026-01-0{number}"})
    return folder


def test_list_and_open_by_folder_scan(data):
    assert ms.list() == []
    _extraction(data, "a", "done")
    _extraction(data, "b", number=2)
    assert [acts.name for acts in ms.list()] == ["b", "a"]
    assert ms.open("a").name == "a"
    assert ms.open(ms.open("a").id).name == "a"
    assert ms.open(ms.open("a").path).name == "a"
    with pytest.raises(NotFoundError, match="There is b, a"):
        ms.open("c")


def test_unknown_argument_names_the_nearest():
    with pytest.raises(TypeError, match=r"no argument 'layer'\. Did you mean 'layers'\?"):
        ms.extract("m", "d", layer=[1])
    with pytest.raises(TypeError, match="It takes model, dataset, layers"):
        ms.extract("m", "d", zzz=1)


def test_folders_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "sample-model"):
        (tmp_path / name).mkdir()
    assert place_of("mine") == place_of(tmp_path / "mine") == str(tmp_path / "mine")
    assert place_of("sample-model") == "sample-model"
    assert place_of("org/model") == "org/model"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"layout": "sideways"}, "layout"),
        ({"hooks": ["nonsense"]}, "hooks"),
        ({"layers": "x"}, "layers"),
        ({"context": 0}, "context"),
        ({"model": "/nowhere/at/all"}, None),
    ],
)
def test_bad_arguments_are_named_and_leave_nothing(data, arguments, field):
    given = {"model": "sample-model", "dataset": "sample-stories", **arguments}
    with pytest.raises(MiStudioError) as caught:
        ms.extract(**given)
    assert field is None or caught.value.field == field
    assert ms.list() == []


def test_one_studio_per_process(data):
    for _ in range(2):
        with pytest.raises(InvalidInputError):
            ms.extract("sample-model", "sample-stories", dtype="int3")
    assert len(backend._studios) == 1
    assert backend.open_local_backend() is not None


def test_a_job_that_fails_raises_its_own_message(data, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    acts = ms.extract("sample-model", empty, layers=[0], name="x")
    with pytest.raises(ExtractionError) as caught:
        acts.wait(timeout=100)
    assert caught.value.code == "empty_dataset"
    assert ms.open("x").state == "failed"


def test_datasets_without_a_server(data, tmp_path):
    rows = from_file_to_tokens(tmp_path, sample.MODEL_DIR)
    folder = rows.tokenizations()[0].export(padding="none", timeout=120)
    assert (folder / "state.json").is_file() or (folder / "dataset_info.json").is_file()
    away_again(rows)


@pytest.mark.parametrize(
    ("source", "settings", "error"),
    [
        ("/nowhere/at/all", {}, MiStudioError),
        ("not a//name", {}, InvalidInputError),
        ("sample-stories", {"max_rows": 0}, InvalidInputError),
        ("sample-stories", {"colour": "red"}, InvalidInputError),
    ],
)
def test_datasets_that_cannot_be_asked_for(data, source, settings, error):
    with pytest.raises(error):
        ms.add_dataset(source, **settings)
    assert ms.datasets() == []
