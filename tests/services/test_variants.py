"""Variants of the bundled model, made by real workers, and what deleting them means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.services import fallback
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import Json, wait


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Json, Json]]:
    """A studio with the sample's model and its bf16 variant."""
    root: Path = tmp_path_factory.mktemp("variants")
    studio = Studio.open(from_config_files(data_dir=root))
    parent, job = studio.models.create({"source": "sample"})
    # Asked for while the parent is on its way: the job waits for it.
    variant, variant_job = studio.variants.create(parent["id"], {"format": "bf16"})
    assert wait(studio, job)["state"] == "done"
    ended = wait(studio, variant_job)
    assert ended["state"] == "done", ended
    yield studio, studio.models.get(parent["id"]), studio.models.get(variant["id"])
    studio.close()


def test_a_variant_shares_files_and_is_measured(made: tuple[Studio, Json, Json]) -> None:
    """Same path, half the bytes, an error for each layer, hook points of its own."""
    studio, parent, variant = made
    assert variant["parent_id"] == parent["id"]
    assert variant["path"] == parent["path"]
    assert (variant["format"], variant["requested_format"]) == ("bf16", None)
    measured = variant["measured"]
    layers = measured["relative_error_by_layer"]
    assert len(layers) == parent["n_layers"]
    assert 0 < measured["relative_error"] == max(layers) < 0.05
    assert measured["reference"] == "fp32"
    assert measured["tokens_per_second"] > 0
    whole = studio.models.architecture(parent["id"])["size_bytes"]
    assert measured["size_bytes"] == pytest.approx(whole / 2, rel=0.05)
    assert studio.models.architecture(variant["id"])["hooks"]


def test_no_duplicates(made: tuple[Studio, Json, Json]) -> None:
    """The same format again, of parent or variant, is the one that is there."""
    studio, parent, variant = made
    for source in (parent, variant):
        again, job = studio.variants.create(source["id"], {"format": "bf16"})
        assert (again["id"], job) == (variant["id"], None)
    same, job = studio.variants.create(variant["id"], {"format": "fp32"})
    assert (same["id"], job) == (parent["id"], None)
    listed = [model["id"] for model in studio.variants.list(variant["id"])]
    assert listed == [parent["id"], variant["id"]]


def test_falling_back_makes_no_second_entry(made: tuple[Studio, Json, Json]) -> None:
    """What fell back on a format that is there is found again, but listed once."""
    studio, parent, variant = made
    records = studio.catalog.models
    why = {"requested_format": "fp16", "fallback_reason": "fp16 did not fit."}
    identity = f"{parent['id']}/fp16"
    fallen = replace(
        records.get(variant["id"]), id="model_fallen", name="x", identity=identity, **why
    )
    records.add(fallen)
    try:
        assert {m["id"] for m in studio.models.list()} == {parent["id"], variant["id"]}
        body = {"format": "fp16", "fallback": ["bf16"]}
        again, job = studio.variants.create(parent["id"], body)
        assert (again["id"], job) == ("model_fallen", None)
        told = studio.variants.list(parent["id"])
        assert "fp16 did not fit." in [row["fallback_reason"] for row in told]
        records.update(variant["id"], state="failed")
        assert "model_fallen" in {m["id"] for m in studio.models.list()}
    finally:
        records.update(variant["id"], state="ready")
        records.delete("model_fallen")


def test_deletion_is_told_beforehand(made: tuple[Studio, Json, Json]) -> None:
    """A parent with variants is kept unless they go along; a rehearsal deletes nothing."""
    studio, parent, variant = made
    told = studio.model_removal.dependents(parent["id"])
    assert told["variants"] == [{"id": variant["id"], "name": variant["name"]}]
    assert (told["extractions"], told["in_use"]) == ([], None)
    assert told["frees_bytes"] > 0
    with pytest.raises(ConflictError) as caught:
        studio.model_removal.delete(parent["id"])
    assert caught.value.code == "has_variants"
    both = [parent["id"], variant["id"]]
    rehearsed = studio.model_removal.delete_many(both, dry_run=True)
    assert set(rehearsed["would_delete"]) == set(both)
    assert rehearsed["freed_bytes"] == told["frees_bytes"]
    assert len(studio.models.list()) == 2


def test_filters_compare_and_tokenizer(made: tuple[Studio, Json, Json]) -> None:
    """Lists are narrowed, two models compared, and the tokenizer described."""
    studio, parent, variant = made
    assert [m["id"] for m in studio.models.list(format="bf16", q="SAMPLE")] == [variant["id"]]
    assert studio.models.list(family="gpt2000") == []
    assert [m["id"] for m in studio.models.list(max_bytes=parent["size_bytes"] - 1)] == [
        variant["id"]
    ]
    rows = studio.model_facts.compare([parent["id"], variant["id"]])["rows"]
    different = {row["key"] for row in rows if not row["same"]}
    assert different == {"format", "size_bytes"}
    tokenizer = studio.model_facts.tokenizer(variant["id"])
    assert tokenizer["vocab_size"] == parent["vocab_size"]
    assert {"id", "text", "role"} == set(tokenizer["special_tokens"][0])


def test_what_is_no_format(made: tuple[Studio, Json, Json]) -> None:
    """Wrong requests name their field and make nothing."""
    studio, parent, _ = made
    for body, field in (
        ({}, "format"),
        ({"format": "q3"}, "format"),
        ({"format": "q8", "fallback": "q4"}, "fallback"),
        ({"format": "q8", "texts": [""]}, "texts"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            studio.variants.create(parent["id"], body)
        assert caught.value.field == field


def test_the_order_of_fallbacks() -> None:
    """Only what was chosen, in that order."""
    assert fallback.read({}, "q8") == ()
    assert fallback.read({"fallback": True}, "fp16") == ("q8", "q4", "q2")
    assert fallback.read({"fallback": ["q2", "q8", "q4"]}, "q8") == ("q2", "q4")
