"""Models from folders and from the Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.model_files import fingerprint
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.preview import open_previewer
from mistudio_ext.workers import import_model
from mistudio_ext.workers.model_folder import (
    INDEX,
    PICKLE_INDEX,
    SINGLE,
    open_model,
)
from tests.hubsim import HubSim
from tests.hubsim.repositories import SAMPLE_MODEL
from tests.workers.recorder import Recorder

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a copy of the bundled model."""
    return Path(shutil.copytree(SAMPLE_MODEL, tmp_path / "model"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the job ``model.import``."""

    def job(
        folder: Path | None,
        report: Recorder | None = None,
        *,
        allow_pickle: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        facts = {
            "id": "model_1",
            "name": "stories",
            "source": "path",
            "source_path": str(folder),
            "format": "fp32",
            "path": str(tmp_path / "models/model_1"),
            **settings,
        }
        spec = {
            "data_dir": str(tmp_path),
            "disk_reserve_bytes": 0,
            "allow_pickle": allow_pickle,
            "model": facts,
        }
        return import_model.run(spec, report or Recorder())

    return job


def test_a_folder_is_registered_in_place(model: Path, run: Run, tmp_path: Path) -> None:
    report = Recorder()
    result = run(model, report)
    assert result["path"] == str(model)
    assert result["in_hf_cache"] is False
    assert result["size_bytes"] == (model / SINGLE).stat().st_size
    assert result["architecture"]["n_layers"] > 0
    assert result["architecture"]["hooks"]
    assert report.warnings == []
    assert report.phases[0] == "checking"
    json.dumps(result)
    assert result["tokenizer"]["fast"] is True
    context = open_previewer(tmp_path / "models/model_1").preview(
        ["Once upon a time"], TokenizationSpec(context=16)
    )["contexts"][0]
    assert "".join(chip["text"] for chip in context["tokens"]).endswith("Once upon a time")


def test_a_model_of_the_hub_lands_in_its_cache(hub: HubSim, run: Run, tmp_path: Path) -> None:
    report = Recorder()
    result = run(None, report, source="hub", repo_id="demo/stories", endpoint=hub.url)
    assert result["in_hf_cache"] is True
    assert Path(result["path"]).is_relative_to(tmp_path / "hf-home")
    assert Path(result["path"]).name == result["revision"]
    folder = open_model(SAMPLE_MODEL)
    assert result["fingerprint"] == fingerprint(folder.identity_files)
    assert result["tokenizer_fingerprint"] == fingerprint(folder.tokenizer)
    assert report.phases[0] == "downloading"
    assert report.points[-1][2] == "bytes"


def test_fingerprints_follow_the_content_alone(model: Path) -> None:
    before = open_model(model)
    whole, tokens = fingerprint(before.identity_files), fingerprint(before.tokenizer)
    assert whole == fingerprint(open_model(SAMPLE_MODEL).identity_files)
    (model / "README.md").write_text("# Another card\n")
    assert whole == fingerprint(open_model(model).identity_files)
    config = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**config, "extra": 1}))
    after = open_model(model)
    assert fingerprint(after.identity_files) != whole
    assert fingerprint(after.tokenizer) != tokens


def test_a_model_without_a_tokenizer_is_marked(model: Path, run: Run) -> None:
    for path in open_model(model).tokenizer:
        path.unlink()
    report = Recorder()
    assert run(model, report)["tokenizer_fingerprint"] is None
    assert report.warnings == ["no_tokenizer"]


def test_shards_are_found_through_their_index(model: Path) -> None:
    (model / SINGLE).rename(model / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}
    (model / INDEX).write_text(json.dumps(index))
    assert [path.name for path in open_model(model).weights] == ["model-00001-of-00001.safetensors"]
    index["weight_map"]["x"] = "model-00002-of-00002.safetensors"
    (model / INDEX).write_text(json.dumps(index))
    with pytest.raises(MiStudioError, match="model-00002-of-00002"):
        open_model(model)


def spoil(model: Path, how: str) -> Path:
    match how:
        case "nothing there":
            return model / "nothing"
        case "a file":
            return model / "config.json"
        case "no config":
            (model / "config.json").unlink()
        case "broken config":
            (model / "config.json").write_text("{")
        case "no type":
            (model / "config.json").write_text("{}")
        case "an adapter":
            (model / "config.json").rename(model / "adapter_config.json")
        case "no weights":
            (model / SINGLE).unlink()
        case "a pickle":
            (model / SINGLE).rename(model / "pytorch_model.bin")
        case "cut weights":
            (model / SINGLE).write_bytes((model / SINGLE).read_bytes()[:-100])
        case "no header":
            (model / SINGLE).write_bytes(b"<html>")
    return model


def test_pickles_where_the_administrator_allows_them(model: Path, run: Run) -> None:
    """The same model, whole or in shards, from files that safetensors were before."""
    import torch
    from safetensors.torch import load_file

    wanted = run(model)
    weights = load_file(model / SINGLE)
    (model / SINGLE).unlink()
    first = dict(list(weights.items())[:3])
    rest = {name: tensor for name, tensor in weights.items() if name not in first}
    shards = {"pytorch_model-00001-of-00002.bin": first, "pytorch_model-00002-of-00002.bin": rest}
    for file, tensors in shards.items():
        torch.save(tensors, model / file)
    listed = {name: file for file, tensors in shards.items() for name in tensors}
    (model / PICKLE_INDEX).write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    report = Recorder()
    found = run(model, report, allow_pickle=True)
    assert report.warnings == ["pickled_weights"]
    assert found["architecture"]["n_params"] == wanted["architecture"]["n_params"]
    assert found["architecture"]["hooks"] == wanted["architecture"]["hooks"]
    assert found["fingerprint"] != wanted["fingerprint"]
    for file in shards:
        (model / file).unlink()
    (model / PICKLE_INDEX).unlink()
    torch.save(weights, model / "pytorch_model.bin")
    assert run(model, allow_pickle=True)["architecture"]["hooks"] == wanted["architecture"]["hooks"]


def test_a_pickle_with_code_in_it_is_not_run(model: Path, run: Run, tmp_path: Path) -> None:
    """Allowed or not: nothing but tensors is unpickled."""
    import pickle

    (model / SINGLE).unlink()
    mark = tmp_path / "ran"

    class Touch:
        def __reduce__(self) -> Any:
            return (Path.touch, (mark,))

    (model / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Touch()}, protocol=2))
    with pytest.raises(MiStudioError) as caught:
        run(model, allow_pickle=True)
    assert (caught.value.code, caught.value.field) == ("unsafe_weights", "path")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("nothing there", "no_such_path", "nothing at"),
        ("a file", "not_a_model", "it is a file"),
        ("no config", "not_a_model", "config.json is missing"),
        ("broken config", "not_a_model", "not JSON"),
        ("no type", "not_a_model", "model_type"),
        ("an adapter", "not_a_model", "adapter"),
        ("no weights", "not_a_model", "model.safetensors is missing"),
        ("a pickle", "unsafe_weights", "pickle"),
        ("cut weights", "broken_weights", "bytes instead of"),
        ("no header", "broken_weights", "model.safetensors is damaged"),
    ],
)
def test_a_folder_that_is_no_model_says_why(
    how: str, code: str, words: str, model: Path, run: Run
) -> None:
    with pytest.raises(MiStudioError, match=words) as caught:
        run(spoil(model, how))
    assert (caught.value.code, caught.value.field) == (code, "path")
    assert caught.value.hint
