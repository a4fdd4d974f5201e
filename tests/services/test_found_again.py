"""What is found again is what was asked for: other hooks, other devices, other names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mistudio_ext.cli import progress
from mistudio_ext.client import notices as notices_of
from mistudio_ext.errors import ConflictError
from mistudio_ext.services.names import kept_name
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import Json, wait
from tests.services.tiny_models import arrays, reference, write_ids, write_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and token ids."""
    folder = tmp_path_factory.mktemp("found")
    write_model(folder / "model")
    write_ids(folder / "ids.parquet")
    return folder


@pytest.fixture(scope="module")
def studio(place: Path) -> Iterator[Studio]:
    """One studio for all: its worker stays warm."""
    opened = Studio.open(from_config_files(data_dir=place / "data"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def body(place: Path) -> Json:
    """Return what all requests here have."""
    where = {"model": str(place / "model"), "dataset": str(place / "ids.parquet")}
    return {**where, "dtype": "float32"}


def extracted(studio: Studio, body: Json) -> tuple[Json, dict[str, Any]]:
    """Extract, and return the record and the arrays."""
    record, job, _ = studio.extractions.create(body)
    if job is not None:
        ended = wait(studio, job)
        assert ended["state"] == "done", ended["error"]
    return record, arrays(record["path"])


@pytest.mark.parametrize(
    ("layers", "first", "second"),
    [
        ([1], "resid_post", "mlp_out"),
        (None, "blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"),
        (None, "module:model.layers.0.mlp.up_proj", "module:model.layers.0.mlp.gate_proj"),
        ([0], "attn_out", "blocks.1.hook_attn_out"),
    ],
)
def test_other_hooks_are_another_extraction(
    studio: Studio, body: Json, place: Path, layers: Any, first: str, second: str
) -> None:
    """Each has its own hook and no other, with the values of plain transformers."""
    right = reference(place / "model")
    seen = []
    for hook in (first, second, first):
        record, found = extracted(studio, {**body, "layers": layers, "hooks": [hook]})
        (name,) = found
        full = f"blocks.{(layers or [0])[0]}.hook_{hook}" if "." not in hook else hook
        assert name == full
        np.testing.assert_allclose(found[name], right[name], rtol=1e-4, atol=1e-5)
        seen.append(record["id"])
    assert seen[0] == seen[2] != seen[1]


def test_a_second_name_is_said(studio: Studio, body: Json, place: Path) -> None:
    """The same again under another name is what there is, and the answer says its name."""
    one, _ = extracted(studio, {**body, "layers": [0, 1], "name": "one"})
    same, _, started = studio.extractions.create({**body, "layers": [0, 1], "name": "one"})
    assert (same["id"], started) == (one["id"], False)
    assert "notices" not in same
    two, _, started = studio.extractions.create({**body, "layers": "all", "name": "two"})
    assert (two["id"], started) == (one["id"], False)
    (notice,) = two["notices"]
    assert (notice["code"], notice["field"]) == ("exists_under_another_name", "name")
    assert "'one'" in notice["message"]
    assert "'two'" in notice["message"]
    # The same of a model and a dataset; a name that another one has is refused.
    where = {"source": "path", "path": str(place / "model")}
    model, _ = studio.models.create({**where, "name": "b"})
    assert [n["code"] for n in model["notices"]] == ["exists_under_another_name"]
    assert "notices" not in studio.models.create({**where, "name": model["name"]})[0]
    where = {"source": "path", "path": str(place / "ids.parquet")}
    dataset, _ = studio.datasets.create({**where, "name": "b"})
    assert [n["code"] for n in dataset["notices"]] == ["exists_under_another_name"]
    for service, other in (
        (studio.models, {"path": str(place / "model"), "format": "bf16", "name": model["name"]}),
        (studio.datasets, {"path": where["path"], "max_rows": 1, "name": dataset["name"]}),
    ):
        with pytest.raises(ConflictError) as caught:
            service.create({"source": "path", **other})
        assert (caught.value.code, caught.value.field) == ("name_taken", "name")


def test_a_choice_of_how_is_kept_or_said(studio: Studio, body: Json) -> None:
    """A device counts by its kind; a batch size that came too late is told."""
    asked = {**body, "layers": [1], "hooks": ["mlp_out"]}
    first, _ = extracted(studio, asked)
    on_cpu, job, _ = studio.extractions.create({**asked, "device": "cpu"})
    assert (on_cpu["id"], job) == (first["id"], None)
    studio.catalog.extractions.update(
        first["id"], spec={**studio.catalog.extractions.get(first["id"]).spec, "device_kind": "gpu"}
    )
    try:
        again, _ = extracted(studio, {**asked, "device": "cpu"})
        assert again["id"] != first["id"]
        assert studio.extractions.create({**asked, "device": "cpu"})[0]["id"] == again["id"]
        assert studio.extractions.create(asked)[0]["id"] == first["id"]
    finally:
        spec = {**studio.catalog.extractions.get(first["id"]).spec, "device_kind": "cpu"}
        studio.catalog.extractions.update(first["id"], spec=spec)
    small, _, started = studio.extractions.create({**asked, "batch_tokens": 9})
    assert (small["id"], started) == (first["id"], False)
    assert [n["field"] for n in small["notices"]] == ["batch_tokens"]


def test_a_variant_that_was_registered_is_measured(studio: Studio, place: Path) -> None:
    """A bf16 record that was there before has a number, as one that is made has."""
    folder = write_model(place / "full", seed=3)
    where = {"source": "path", "path": str(folder)}
    root, job = studio.models.create({**where, "name": "full"})
    assert wait(studio, job)["state"] == "done"
    there, job = studio.models.create({**where, "format": "bf16"})
    assert wait(studio, job)["state"] == "done"
    assert studio.models.get(there["id"])["measured"] is None
    found, job = studio.variants.create(root["id"], {"format": "bf16"})
    assert found["id"] == there["id"]
    assert found["state"] == "ready"
    assert wait(studio, job)["state"] == "done"
    measured = studio.models.get(there["id"])["measured"]
    assert 0 < measured["relative_error"] < 0.05
    # It is measured once; without a tokenizer no texts can be chosen, so another device is.
    assert studio.variants.create(root["id"], {"format": "bf16", "device": "cpu"})[1] is None
    # The one in full precision is what others are compared with.
    assert studio.variants.create(root["id"], {"format": "fp32"})[1] is None
    assert studio.models.get(there["id"])["state"] == "ready"


def test_a_notice_is_a_warning_in_a_notebook_and_a_line_in_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody has to look into the answer to be told."""
    notices = kept_name("extraction", "one", "two")
    with pytest.warns(UserWarning, match="there already as 'one'.*'two' was not given"):
        notices_of.tell({"notices": notices})
    progress.tell({"notices": notices})
    assert capsys.readouterr().err.startswith("note: This extraction is there already as 'one'")
    notices_of.tell({"name": "one"})
    assert kept_name("extraction", "one", "one") == kept_name("extraction", "one", None) == []
