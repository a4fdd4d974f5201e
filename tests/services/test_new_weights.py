"""Weights that are replaced in a registered folder: results are of one set, or there are none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext import model_files
from mistudio_ext.engine.load import load_model
from mistudio_ext.errors import ConflictError
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import Json, wait
from tests.services.tiny_models import arrays, reference, write_ids, write_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint and token ids."""
    folder = tmp_path_factory.mktemp("weights")
    write_model(folder / "ckpt", seed=0)
    write_ids(folder / "ids.parquet")
    return folder


@pytest.fixture(scope="module")
def studio(place: Path) -> Iterator[Studio]:
    """One studio for all: its worker stays warm, with the old model in memory."""
    opened = Studio.open(from_config_files(data_dir=place / "data"))
    _, job = opened.models.create({"source": "path", "path": str(place / "ckpt"), "name": "run"})
    assert wait(opened, job)["state"] == "done"
    yield opened
    opened.close()


def body(place: Path, **changes: Any) -> Json:
    """Return a request for the model by name."""
    dataset = str(place / "ids.parquet")
    return {"model": "run", "dataset": dataset, "dtype": "float32", "layers": [1], **changes}


def extracted(studio: Studio, request: Json) -> Json:
    """Extract and return the record."""
    record, job, _ = studio.extractions.create(request)
    if job is not None:
        ended = wait(studio, job)
        assert ended["state"] == "done", ended["error"]
    return record


def compare(record: Json, right: dict[str, Any]) -> None:
    """Compare all arrays of an extraction with those of plain transformers."""
    found = arrays(record["path"])
    assert found
    for name, values in found.items():
        if name in right:
            np.testing.assert_allclose(values, right[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_new_weights_are_read_and_old_results_are_no_longer_handed_back(
    studio: Studio, place: Path
) -> None:
    """By name, with a warm worker and a finished layer at hand: every array is of the new ones."""
    old = reference(place / "ckpt")
    first = extracted(studio, body(place, name="first"))
    compare(first, old)
    # A copy of the same content, or a touch, is the same model.
    os.utime(place / "ckpt" / "model.safetensors")
    assert extracted(studio, body(place))["id"] == first["id"]
    assert studio.models.record("run").state == "ready"
    write_model(place / "ckpt", seed=1)
    new = reference(place / "ckpt")
    points = ["resid_pre", "attn_out", "mlp_out", "resid_post"]
    whole = extracted(studio, body(place, layers=[0, 1], hooks=points))
    compare(whole, new)
    found = arrays(whole["path"])
    for i in (0, 1):
        parts = [found[f"blocks.{i}.hook_{point}"] for point in points]
        np.testing.assert_allclose(sum(parts[:3]), parts[3], atol=1e-5)
    again = extracted(studio, body(place))
    assert again["id"] != first["id"]
    compare(again, new)
    # The old one is as it was, under its name; the name is not given twice.
    compare(first, old)
    with pytest.raises(ConflictError, match="earlier weights") as caught:
        studio.extractions.create(body(place, name="first"))
    assert caught.value.code == "name_taken"
    # The folder has one record, whatever is in it.
    added, job = studio.models.create({"source": "path", "path": str(place / "ckpt")})
    assert (added["name"], job) == ("run", None)


def test_a_variant_follows_its_model(studio: Studio, place: Path) -> None:
    """It is made and measured of the new weights."""
    root = studio.models.record("run")
    made, job = studio.variants.create(root.id, {"format": "bf16", "name": "half"})
    assert wait(studio, job)["state"] == "done"
    before = studio.models.record("half")
    write_model(place / "ckpt", seed=2)
    record = extracted(studio, body(place, model="half"))
    compared = arrays(record["path"])["blocks.1.hook_resid_post"]
    right = reference(place / "ckpt")["blocks.1.hook_resid_post"]
    assert np.linalg.norm(compared - right) < 0.05 * np.linalg.norm(right)
    after = studio.models.record("half")
    assert after.id == made["id"]
    assert after.fingerprint == studio.models.record("run").fingerprint != before.fingerprint
    assert after.measured != before.measured


def test_what_was_begun_with_other_weights_does_not_go_on(studio: Studio, place: Path) -> None:
    """A retry says so; asked for again it is made of the present weights, under its name."""
    request = body(place, layers=[0], name="begun")
    record, job, _ = studio.extractions.create(request)
    assert job is not None
    studio.jobs.cancel(job["id"])
    state = wait(studio, job)["state"]
    studio.catalog.extractions.update(record["id"], state="interrupted")
    studio.catalog.jobs.update(job["id"], state="interrupted")
    assert state in ("cancelled", "done")
    write_model(place / "ckpt", seed=3)
    _, importing = studio.models.create({"source": "path", "path": str(place / "ckpt")})
    assert wait(studio, importing)["state"] == "done"
    error = wait(studio, studio.jobs.view(studio.jobs.retry(job["id"])))["error"]
    assert error["code"] == "model_changed"
    made = extracted(studio, request)
    assert made["name"] == "begun"
    compare(made, reference(place / "ckpt"))


def test_files_that_change_while_they_are_read(tmp_path: Path) -> None:
    """Before the load, during it, and by files that are added: each is an error, said clearly."""
    folder = write_model(tmp_path / "model")
    names = ["config.json", "model.safetensors"]
    known = {
        "names": names,
        "stamp": model_files.stamp(folder, names),
        "fingerprint": model_files.fingerprint(folder / name for name in names),
    }
    model = {"name": "run", "path": str(folder), "files": known}
    with model_files.unchanged(model):
        pass
    with pytest.raises(ConflictError) as caught, model_files.unchanged(model):
        write_model(folder, seed=1)
    assert caught.value.code == "model_changed"
    entered = False
    with pytest.raises(ConflictError), model_files.unchanged(model):
        entered = True
    assert not entered
    write_model(folder)  # The same content, other times and inodes.
    with model_files.unchanged(model):
        pass
    (folder / "modeling_own.py").write_text("x = 1")
    assert model_files.same(folder, known) is None


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_model_in_memory_is_no_view_of_its_file(tmp_path: Path, dtype: str) -> None:
    """Whoever copies other weights over the file changes nothing of what is loaded."""
    folder = write_model(tmp_path / "model")
    other = write_model(tmp_path / "other", seed=1)
    loaded = load_model(folder, dtype)
    before = {name: p.clone() for name, p in loaded.model.named_parameters()}
    # "cp" over the file: the same inode, other bytes.
    shutil.copyfile(other / "model.safetensors", folder / "model.safetensors")
    for name, parameter in loaded.model.named_parameters():
        assert torch.equal(parameter, before[name]), name
