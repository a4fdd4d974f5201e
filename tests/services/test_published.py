"""A checkpoint that its publisher quantised is called what it is, everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from mistudio_ext.engine.load import load_model
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.published import may_become, published_format
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio
from tests.services.conftest import Json, wait
from tests.services.tiny_models import arrays, reference, write_ids, write_model


def published(folder: Path, config: BitsAndBytesConfig) -> Path:
    """Save a checkpoint as a publisher does that quantises it."""
    plain = write_model(folder / "plain")
    model = AutoModelForCausalLM.from_pretrained(
        plain, quantization_config=config, device_map={"": "cpu"}, dtype=torch.float32
    )
    model.save_pretrained(folder / "published")
    return folder / "published"


@pytest.fixture(scope="module")
def nf4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in NF4, beside the one that it was made of."""
    config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    return published(tmp_path_factory.mktemp("nf4"), config)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One studio."""
    opened = Studio.open(from_config_files(data_dir=tmp_path_factory.mktemp("data")))
    yield opened
    opened.close()


def test_it_is_recorded_as_what_it_is(studio: Studio, nf4: Path, tmp_path: Path) -> None:
    """Record, architecture and manifest say NF4, and the values are those of NF4."""
    body: Json = {
        "model": str(nf4),
        "dataset": str(write_ids(tmp_path / "ids.parquet")),
        "dtype": "float32",
    }
    for format in ("q8", "q2", "fp32"):
        with pytest.raises(InvalidInputError) as caught:
            studio.extractions.create({**body, "quantize": format})
        assert (caught.value.code, caught.value.field) == ("already_quantised", "quantize")
    assert studio.models.list() == []  # A wrong request registers nothing.
    record, job, _ = studio.extractions.create(body)
    assert wait(studio, job)["state"] == "done"
    done = studio.extractions.get(record["id"])
    assert done["format"] == "nf4"
    manifest = studio.extractions.manifest(record["id"])
    assert manifest["spec"]["quantization"] == "nf4"
    assert manifest["engine"]["device"] == "cpu"
    assert manifest["engine"]["dtype"] == "float32"
    found, plain = arrays(record["path"]), reference(nf4.parent / "plain")
    for name, values in reference(nf4).items():
        if name in found:
            scale = np.linalg.norm(values)
            assert np.linalg.norm(found[name] - values) < 0.01 * scale
            assert np.linalg.norm(found[name] - plain[name]) > 0.05 * scale
    model = studio.models.record(done["model"])
    assert model.format == "nf4"
    assert studio.models.architecture(model.id)["format"] == "nf4"
    # Asked again, by name or place, in no format or in another one.
    assert studio.extractions.create(body)[0]["id"] == record["id"]
    where = {"source": "path", "path": str(nf4)}
    assert studio.models.create(where)[0]["id"] == model.id
    for ask in (
        lambda: studio.extractions.create({**body, "model": model.name, "quantize": "q2"}),
        lambda: studio.models.create({**where, "format": "q8"}),
        lambda: studio.variants.create(model.id, {"format": "bf16"}),
    ):
        with pytest.raises(InvalidInputError) as caught:
            ask()
        assert caught.value.code == "already_quantised"
    assert (
        studio.extractions.estimate({**body, "model": model.name, "dataset": record["dataset_id"]})[
            "device_memory_bytes"
        ]
        > 0
    )
    assert len(studio.models.list()) == 1


def test_int8_is_int8(tmp_path: Path) -> None:
    """The other format of bitsandbytes."""
    config = BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    folder = published(tmp_path, config)
    assert load_model(folder, None).format == load_model(folder, "int8").format == "int8"
    for other in ("q8", "fp32", "bf16"):
        with pytest.raises(InvalidInputError) as caught:
            load_model(folder, other)
        assert caught.value.code == "already_quantised"
    assert load_model(tmp_path / "plain", None).format is None


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, None),
        ({"quantization_config": None}, None),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq-4bit"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "awq-4bit"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"quant_method": "hqq", "nbits": 2}}, "hqq-2bit"),
        ({"quantization_config": {"quant_method": "quanto", "weights": "int2"}}, "quanto-int2"),
        ({"quantization_config": {"quant_method": "new"}}, "new"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            "int8",
        ),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
                }
            },
            "compressed-tensors-int4",
        ),
    ],
)
def test_what_publishers_write(config: dict[str, Any], name: str | None) -> None:
    """Each method of transformers is told by its own name, with its bits."""
    assert published_format(config) == name


def test_what_loaders_undo() -> None:
    """Nothing else than plain weights may come of what was quantised."""
    assert may_become("mxfp4", "bf16")
    assert not may_become("mxfp4", "q8")
    assert not may_become("nf4", "fp32")
    assert may_become("nf4", "nf4")
