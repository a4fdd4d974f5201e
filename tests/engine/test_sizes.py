"""Estimates from a config alone against what is measured on the real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mistudio_ext.engine import sizes
from mistudio_ext.engine.inspect import memory_of
from mistudio_ext.engine.load import load_model
from mistudio_ext.engine.structure import text_model
from mistudio_ext.services import footprint
from mistudio_ext.spec import MODEL_FORMATS
from tests.engine.tiny import tiny_model

#: Wide enough that what is quantised outweighs what is not.
WIDE: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 256, "n_positions": 128},
    "llama": {"hidden_size": 256, "intermediate_size": 512, "max_position_embeddings": 128},
    "gpt_neox": {"hidden_size": 256, "intermediate_size": 512, "max_position_embeddings": 128},
    "gemma2": {"hidden_size": 256, "intermediate_size": 512, "max_position_embeddings": 128},
    "qwen3_moe": {"hidden_size": 256, "moe_intermediate_size": 128},
}


@pytest.fixture(scope="module", params=list(WIDE))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of a family in memory, what is told of it from its config, and its folder."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    model = tiny_model(request.param, **WIDE[request.param])
    model.save_pretrained(folder)
    return model, sizes.sizes(model.config), folder


@pytest.mark.parametrize("name", MODEL_FORMATS)
def test_memory_of_an_extraction(family: Any, name: str) -> None:
    """Weights and a forward pass over the chosen batch, in every format, within 2 per cent.

    The weights that quantised layers dequantise count: they are alive during the pass.
    """
    whole, told, folder = family
    if told["activations"] is None:
        assert whole.config.model_type == "qwen3_moe", "only routing may be beyond fake tensors"
        return
    samples, length = 4, told["activations"]["length"]
    passing = footprint.pass_bytes(name, "cpu", told, samples * length, width=0)
    model = load_model(folder, name).model
    ids = torch.zeros(samples, length, dtype=torch.long)
    with torch.no_grad(), sizes.LiveBytes() as live:
        text_model(model)(input_ids=ids, use_cache=False)
    measured = memory_of(model) + live.peak
    assert told["memory"][name]["cpu"] + passing == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize("name", ["fp32", "bf16", "q8", "q4", "q2"])
def test_memory_of_every_format(family: Any, name: str) -> None:
    """What the config says is what the loaded tensors take, before a pass and after it."""
    _, counted, folder = family
    told = counted["memory"][name]["cpu"]
    model = load_model(folder, name).model
    assert told == pytest.approx(memory_of(model), rel=0.001)
    with torch.inference_mode():
        model(torch.zeros(1, 5, dtype=torch.long))
    assert told == pytest.approx(memory_of(model), rel=0.001)


def test_one_large_layer_rules_a_small_batch(tmp_path: Path) -> None:
    """A weight that is dequantised can be more than all activations of the pass."""
    model = tiny_model("llama", hidden_size=256, intermediate_size=512, max_position_embeddings=8)
    told = sizes.sizes(model.config)
    length = told["activations"]["length"]
    plain, q4 = (footprint.pass_bytes(f, "cpu", told, length, 0) for f in ("fp32", "q4"))
    model.save_pretrained(tmp_path)
    quantised = load_model(tmp_path, "q4").model
    with torch.no_grad(), sizes.LiveBytes() as live:
        text_model(quantised)(input_ids=torch.zeros(1, length, dtype=torch.long), use_cache=False)
    assert q4 == pytest.approx(live.peak, rel=0.02)
    assert q4 - plain > 2 * 256 * 512


def test_activations(family: Any) -> None:
    """A forward pass over fake tokens holds what a real one holds, within a tenth."""
    model, counted, _ = family
    told = counted["activations"]
    if told is None:
        assert model.config.model_type == "qwen3_moe", "only routing may be beyond fake tensors"
        return
    for batch in (2, 6):
        ids = torch.zeros(batch, told["length"], dtype=torch.long)
        with torch.no_grad(), sizes.LiveBytes() as live:
            text_model(model)(input_ids=ids, use_cache=False)
        assert told["base"] + batch * told["per_sample"] == pytest.approx(live.peak, rel=0.1)
