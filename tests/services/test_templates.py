"""Templates: saved, found again, exported, imported, fitted to another model."""

from __future__ import annotations

from typing import Any

import pytest

from mistudio_ext.catalog import ModelRecord
from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.services.names import automatic_name
from mistudio_ext.services.templates import at_depth
from mistudio_ext.studio import Studio

SPEC: dict[str, Any] = {"hooks": ["residual"], "layers": "0-11", "max_samples": 1000}


def model(n_layers: int) -> ModelRecord:
    """Return a model of some depth."""
    return ModelRecord(id="model_1", name="m", source="path", identity="i", n_layers=n_layers)


def test_names(studio: Studio) -> None:
    """Names come from the spec if none is given; taken ones are refused with a suggestion."""
    first = studio.templates.create({"spec": {**SPEC, "hooks": ["resid_post"]}})
    assert first["name"] == "residual_layers0-11_1000samples"
    second = studio.templates.create({"spec": {**SPEC, "hooks": ["resid_post"]}})
    assert second["name"] == "residual_layers0-11_1000samples-2"
    with pytest.raises(ConflictError) as caught:
        studio.templates.create({"name": first["name"], "spec": SPEC})
    assert caught.value.code == "name_taken"
    assert "samples-3" in str(caught.value)
    renamed = studio.templates.change(second["id"], {"name": "mine", "favorite": True})
    assert (renamed["name"], renamed["favorite"]) == ("mine", True)
    assert [t["name"] for t in studio.templates.list()] == ["mine", first["name"]]
    studio.templates.delete(second["id"])
    assert [t["id"] for t in studio.templates.list()] == [first["id"]]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (None, "spec_missing"),
        ({"hooks": ["nothing"]}, "unknown_hook"),
        ({"hooks": ["resid_post"], "layers": "x"}, "bad_layers"),
        ({"hooks": ["resid_post"], "dtype": "int4"}, "bad_dtype"),
        ({"hooks": ["resid_post"], "model": "m"}, "unknown_field"),
    ],
)
def test_wrong_specs(studio: Studio, spec: Any, code: str) -> None:
    """What no extraction could be asked for with is not saved."""
    with pytest.raises(InvalidInputError) as caught:
        studio.templates.create({"name": "x", "spec": spec})
    assert caught.value.code == code
    assert studio.templates.list() == []


def test_export_and_import(studio: Studio) -> None:
    """A round trip keeps everything; a file with one wrong template imports nothing."""
    made = studio.templates.create(
        {"name": "a", "description": "why", "favorite": True, "spec": SPEC}
    )
    document = studio.templates.export([made["id"]])
    taken = studio.templates.take(document)["templates"]
    assert [t["name"] for t in taken] == ["a-2"]
    for field in ("description", "favorite", "spec"):
        assert taken[0][field] == made[field]
    broken = {**document, "templates": [*document["templates"], {"name": "b", "spec": {}, "x": 1}]}
    broken["templates"][1]["spec"] = {"hooks": ["nothing"]}
    with pytest.raises(InvalidInputError):
        studio.templates.take(broken)
    assert len(studio.templates.list()) == 2
    for wrong in ({}, {**document, "version": 99}, {**document, "templates": {}}):
        with pytest.raises(InvalidInputError):
            studio.templates.take(wrong)


def test_for_another_model(studio: Studio) -> None:
    """Layers are validated against the model at hand, or moved to the same relative depth."""
    spec = {"hooks": ["resid_post"], "layers": [0, 5, 11], "n_layers": 12}
    made = studio.templates.create({"name": "deep", "spec": spec})
    assert studio.templates.for_model(made["id"], model(12), by_depth=True)["layers"] == [0, 5, 11]
    with pytest.raises(InvalidInputError) as caught:
        studio.templates.for_model(made["id"], model(6), by_depth=False)
    assert caught.value.code == "layer_out_of_range"
    moved = studio.templates.for_model(made["id"], model(6), by_depth=True)
    assert moved["layers"] == [0, 2, 5]
    assert [at_depth(n, 12, 24) for n in (0, 11, -1)] == [0, 23, 23]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"hooks": ["residual"]}, "residual_layersall"),
        ({"hooks": ["resid_post"], "layers": [0, 1, 2, 3, 4, 5]}, "residual_layers0-5"),
        ({"hooks": ["mlp", "attn_out"], "layers": "0,3,7-9"}, "mlp-attention_layers0,3,7-9"),
        ({"hooks": ["resid_post"], "layers": [0, 2, 4, 6, 8, 10]}, "residual_layers0-10(6)"),
        (
            {"hooks": ["blocks.2.hook_resid_post", "blocks.4.hook_mlp_out"], "max_samples": 9},
            "residual-mlp_layers2,4_9samples",
        ),
        ({"hooks": ["module:model.norm"]}, "norm_layersall"),
        ({"hooks": ["resid_post"], "positions": "last"}, "residual_last_layersall"),
    ],
)
def test_automatic_names(spec: dict[str, Any], name: str) -> None:
    """A name says what is chosen, and is short."""
    assert automatic_name(spec) == name
